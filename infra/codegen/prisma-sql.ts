// The SQL that Prisma's own schema engine makes of schema.prisma. The engine is WebAssembly, so neither a download nor a database is needed.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import * as engine from "@prisma/schema-engine-wasm/schema_engine_bg";

const NAME = "@prisma/schema-engine-wasm/schema_engine_bg";
let started: Promise<void> | undefined;

/** What the package's entry does in a bundler: Node 20 imports no WebAssembly. */
async function start(): Promise<void> {
  const folder = dirname(createRequire(import.meta.url).resolve(NAME));
  const module = await WebAssembly.compile(new Uint8Array(await readFile(join(folder, "schema_engine_bg.wasm"))));
  const { exports } = await WebAssembly.instantiate(module, { "./schema_engine_bg.js": engine as unknown as WebAssembly.ModuleImports });
  // The package's types leave this function out.
  (engine as unknown as { __wbg_set_wasm(exports: WebAssembly.Exports): void }).__wbg_set_wasm(exports);
  (exports as unknown as { __wbindgen_start(): void }).__wbindgen_start();
}

const ok = <T>(value: T) => ({ ok: true, value });
/** The engine asks a database whether its schema exists, and creates it, before it compares two texts. This one is empty and keeps nothing. */
const connection = {
  provider: "postgres",
  adapterName: "empty",
  queryRaw: async () => ok({ columnTypes: [], columnNames: [], rows: [] }),
  executeRaw: async () => ok(0),
  executeScript: async () => ok(undefined),
  dispose: async () => ok(undefined),
  getConnectionInfo: () => ok({ schemaName: "public", supportsRelationJoins: false }),
};
const adapter = {
  provider: "postgres",
  adapterName: "empty",
  connect: async () => ok(connection),
  connectToShadowDb: async () => ok(connection),
  errorRegistry: { consumeError: () => undefined },
};

/** @returns what creates everything in the text of schema.prisma @throws what is wrong with the text, in Prisma's words */
export async function prismaSql(schema: string): Promise<string> {
  started ??= start();
  await started;
  const made = await engine.SchemaEngine.new({ datamodels: undefined }, () => {}, adapter);
  const { stdout } = await made.diff({
    from: { tag: "empty" },
    to: { tag: "schemaDatamodel", files: [{ path: "schema.prisma", content: schema }] },
    script: true,
    exitCode: null,
    filters: { externalTables: [], externalEnums: [] },
  });
  return stdout ?? "";
}

// Finds every `*.node.ts` beside this file, by its name and by what it exports. Nothing else knows which capabilities there are. Other code
// has a name, or a folder with a name, that begins with `_`: a node with a wrong letter in its name would be missed without a word.
import { readdir } from "node:fs/promises";
import { record } from "@spindle/graph-model";
import type { Capability, PlaneManifest } from "@spindle/schemas";
import type { Config } from "../config.ts";
import type { NodeCapability } from "./capability.ts";

const FOLDER = "apps/runtime/src/nodes";
/** What every node needs. */
const OWN: ReadonlySet<string> = new Set(["capability.ts", "print-manifest.ts", "registry.ts"]);

export class NodeRegistry {
  private constructor(
    private readonly byId: ReadonlyMap<string, NodeCapability>,
    private readonly files: ReadonlyMap<NodeCapability, string>,
  ) {}

  static async load(folder: URL = new URL("./", import.meta.url)): Promise<NodeRegistry> {
    const all = (await readdir(folder, { recursive: true })).map((name) => name.replaceAll("\\", "/")).sort();
    const files = all.filter((name) => /\.[cm]?[jt]sx?$/i.test(name) && !isOther(name));
    for (const name of files) refuseName(name);
    const loaded = await Promise.all(files.map(async (name) => [name, nodeIn(name, await moduleOf(name, folder))] as const));
    const byId = new Map<string, NodeCapability>();
    const fileOf = new Map<NodeCapability, string>();
    for (const [name, node] of loaded) {
      const other = byId.get(node.id);
      if (other) throw new Error(`${FOLDER}/${fileOf.get(other)} and ${name} both define ${node.id}: give one of them another id.`);
      byId.set(node.id, node);
      fileOf.set(node, name);
    }
    return new NodeRegistry(byId, fileOf);
  }

  find(id: string): NodeCapability | undefined {
    return this.byId.get(id);
  }

  /** @param models where to look for live engines; absent: nothing is asked, and what depends on the outside is not live */
  async manifest(models: Config["models"] | undefined, now: Date): Promise<PlaneManifest> {
    const capabilities = await Promise.all([...this.byId.values()].map((one) => entry(one, this.files.get(one) as string, models)));
    return { generatedAt: now.toISOString(), capabilities };
  }
}

/** Whether a file is a helper, a test, a measurement, an editor's own, or one of the three. */
const isOther = (name: string): boolean => /^[_.]/.test(name) || /\.(test|testing|bench)\.[cm]?[jt]sx?$/.test(name) || OWN.has(name);

/** @throws Error if a node of this name would not be found */
function refuseName(name: string): void {
  if (/^[^/]+\.node\.ts$/.test(name)) return;
  const stem = name.slice(name.lastIndexOf("/") + 1).replace(/(?:[._-]nodes?)?(?:\.[cm]?[jt]sx?)+$/i, "");
  const [subfolder] = name.split("/") as [string];
  throw new Error(
    name.includes("/")
      ? `${FOLDER}/${name} is no node in a subfolder: move it to ${FOLDER}/${stem}.node.ts, or call the folder _${subfolder} if it only helps others.`
      : `${FOLDER}/${name} is no node under this name: call it ${stem}.node.ts, or _${stem}.ts if it only helps others.`,
  );
}

async function moduleOf(name: string, folder: URL): Promise<{ default?: unknown }> {
  try {
    return (await import(new URL(name, folder).href)) as { default?: unknown };
  } catch (error) {
    throw new Error(`${FOLDER}/${name} cannot be loaded: ${(error as Error).message}`, { cause: error });
  }
}

function nodeIn(file: string, { default: found }: { default?: unknown }): NodeCapability {
  const node = record(found) as Partial<NodeCapability>;
  const why =
    typeof node.id !== "string" || node.id === ""
      ? "defines no node: write `export default defineNode({ id, ... })`"
      : typeof node.run !== "function" && node.human !== true
        ? "does nothing: write `async run(context) { ... }`, or `human: true` if a person gives the outputs"
        : undefined;
  if (why) throw new Error(`${FOLDER}/${file} ${why} (docs/adding-a-node.md).`);
  return node as NodeCapability;
}

async function entry(declared: NodeCapability, file: string, models: Config["models"] | undefined): Promise<Capability> {
  const engines = await Promise.all(
    (declared.engines ?? [{ id: "default", label: "Built in", draft: false }]).map(async ({ whyNot, ...engine }) => {
      const reason = whyNot ? (models ? await whyNot(models) : "Not asked.") : undefined;
      return { ...engine, plane: "node" as const, live: reason === undefined, ...(reason ? { reason } : {}) };
    }),
  );
  return {
    id: declared.id,
    label: declared.label,
    description: declared.description,
    version: declared.version,
    plane: "node",
    runtime: {
      kind: "cpu",
      concurrency: 8,
      timeoutSeconds: declared.human ? 0 : (declared.timeoutSeconds ?? 120),
      ...(declared.human ? { human: true } : {}),
      ...(declared.instant ? { instant: true } : {}),
    },
    handler: { module: `${FOLDER}/${file}`, method: "run" },
    io: { input: declared.input, output: declared.output },
    parameters: [...(declared.parameters ?? [])],
    examples: declared.examples ?? [],
    telemetry: { emitsProgressEvents: true, metrics: [] },
    security: { requiresSecrets: false },
    contracts: {
      idempotent: declared.idempotent,
      sideEffects: declared.sideEffects ?? "none",
      ...(declared.portable ? { portable: true } : {}),
    },
    category: declared.category,
    keywords: declared.keywords ?? [],
    docs: declared.docs ?? declared.description,
    engines,
  };
}

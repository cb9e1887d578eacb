// What a page must load of the packages that it shares with the runtime, where each export is taken or left by itself.
import { join } from "node:path";
import { build } from "esbuild";
import { expect, test } from "vitest";
import { ROOT } from "../../infra/launch/paths.ts";

test("a page that validates graphs loads CEL's parser, and nothing that evaluates", async () => {
  const { metafile } = await build({
    stdin: { contents: 'export { resolver, validate } from "./packages/graph-model/src/index.ts";', resolveDir: ROOT },
    bundle: true,
    format: "esm",
    metafile: true,
    write: false,
    absWorkingDir: ROOT,
  });
  const [output] = Object.values(metafile.outputs);
  const loaded = Object.entries(output?.inputs ?? {}).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : []));
  expect(loaded.filter((path) => path.includes(join("@bufbuild", "cel"))).length).toBeGreaterThan(0);
  expect(loaded.filter((path) => /@bufbuild\/(?:re2|protobuf)|cel\/dist\/esm\/planner/.test(path))).toEqual([]);
});

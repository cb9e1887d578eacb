import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { NodeRegistry } from "./registry.ts";

const node = (id: string) => `export default { id: "${id}", run: async () => ({}) };`;

test.each<readonly [string, Readonly<Record<string, string>>, RegExp]>([
  [
    "without a default export",
    { "shout.node.ts": "export const node = {};" },
    /nodes\/shout\.node\.ts defines no node: write `export default defineNode\(/,
  ],
  [
    "whose node neither runs nor asks a person",
    { "shout.node.ts": 'export default { id: "a.b" };' },
    /nodes\/shout\.node\.ts does nothing: write `async run\(/,
  ],
  [
    "with the id of another",
    { "loud.node.ts": node("a.b"), "shout.node.ts": node("a.b") },
    /nodes\/loud\.node\.ts and shout\.node\.ts both define a\.b: give/,
  ],
  ["whose node is no object", { "shout.node.ts": "export default () => {};" }, /nodes\/shout\.node\.ts defines no node/],
  ["whose node has an empty id", { "shout.node.ts": 'export default { id: "" };' }, /nodes\/shout\.node\.ts defines no node/],
  ["whose run is no function", { "shout.node.ts": 'export default { id: "a.b", run: "x" };' }, /nodes\/shout\.node\.ts does nothing/],
  [
    "that no person is asked for",
    { "shout.node.ts": 'export default { id: "a.b", human: false };' },
    /nodes\/shout\.node\.ts does nothing/,
  ],
  ["that cannot be loaded", { "shout.node.ts": 'throw new Error("no");' }, /nodes\/shout\.node\.ts cannot be loaded: no/],
  ...["shout.node.mts", "shout.node.tsx", "shout.node.js", "shout.Node.ts", "shout.node.TS"].map(
    (name) =>
      [
        `called ${name}`,
        { [name]: node("a.b") },
        new RegExp(`nodes/${name} is not found under this name: call it shout\\.node\\.ts`),
      ] as const,
  ),
  [
    "in a subfolder",
    { "loud/shout.node.ts": node("a.b") },
    /nodes\/loud\/shout\.node\.ts is not found in a subfolder: move it to apps\/runtime\/src\/nodes/,
  ],
])("a file %s is named, with what to write", async (_, files, said) => {
  const folder = await mkdtemp(join(tmpdir(), "spindle-nodes-"));
  try {
    await expect(load(folder, files)).rejects.toThrow(said);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a node is found by its name and by what its file exports, however that is written, and no other file is read", async () => {
  const folder = await mkdtemp(join(tmpdir(), "spindle-nodes-"));
  try {
    const registry = await load(folder, {
      "a.node.ts": node("a.a"),
      "b.node.ts": 'const made = { id: "a.b", run: async () => ({}) };\nexport { made as default };',
      "ask.node.ts": 'export default { id: "a.ask", human: true };',
      "a.node.test.ts": "throw new Error();",
      "a.test.ts": "throw new Error();",
      "template.ts": "export const text = `\nexport default defineNode({})`;",
      "loud/help.ts": "throw new Error();",
    });
    const { capabilities } = await registry.manifest(undefined, new Date(0));
    expect(capabilities.map(({ id, runtime }) => [id, runtime.human, runtime.timeoutSeconds])).toEqual([
      ["a.a", undefined, 120],
      ["a.ask", true, 0],
      ["a.b", undefined, 120],
    ]);
  } finally {
    await rm(folder, { recursive: true });
  }
});

async function load(folder: string, files: Readonly<Record<string, string>>): Promise<NodeRegistry> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return NodeRegistry.load(pathToFileURL(`${folder}/`));
}

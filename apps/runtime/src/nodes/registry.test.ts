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
  ...["shout.node.mts", "shout.node.tsx", "shout.node.js", "shout.Node.ts", "shout.node.TS"].map(misnamed),
  ...["shout.nodes.ts", "shout-node.ts", "shout_node.ts", "shout.ts", "shout.mjs", "shout.node.ts.ts"].map(misnamed),
  [
    "with nothing but the ending",
    { "node.ts": node("a.b") },
    /nodes\/node\.ts is no node under this name: call it node\.node\.ts, or _node\.ts/,
  ],
  ...["loud/shout.node.ts", "loud/shout.ts", "loud/deep/shout.node.ts"].map(
    (name) =>
      [
        `called ${name}`,
        { [name]: node("a.b") },
        new RegExp(
          `nodes/${name} is no node in a subfolder: move it to apps/runtime/src/nodes/shout\\.node\\.ts, or call the folder _loud`,
        ),
      ] as const,
  ),
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
      "a.test.tsx": "throw new Error();",
      "a.bench.ts": "throw new Error();",
      "_template.ts": "export const text = `\nexport default defineNode({})`;",
      "_a.node.ts": "throw new Error();",
      "_loud/help.ts": "throw new Error();",
      "_loud/b.node.ts": "throw new Error();",
      ".#a.node.ts": "what an editor keeps while it writes",
      "a.node.ts~": "what an editor keeps",
      "capability.ts": "throw new Error();",
      "some.testing.ts": "throw new Error();",
      "about.md": "# Nodes",
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

function misnamed(name: string): readonly [string, Readonly<Record<string, string>>, RegExp] {
  const said = `nodes/${name} is no node under this name: call it shout\\.node\\.ts, or _shout\\.ts if it only helps others`;
  return [`called ${name}`, { [name]: node("a.b") }, new RegExp(said)];
}

async function load(folder: string, files: Readonly<Record<string, string>>): Promise<NodeRegistry> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), text);
  }
  return NodeRegistry.load(pathToFileURL(`${folder}/`));
}

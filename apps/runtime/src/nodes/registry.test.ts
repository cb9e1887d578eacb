import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";
import { NodeRegistry } from "./registry.ts";

const node = (id: string) => `export default { id: "${id}", run: async () => ({}) };`;

test.each([
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
  [
    "with another ending",
    { "shout.ts": "export default defineNode({});" },
    /nodes\/shout\.ts defines a node that is not found under this name: call it shout\.node\.ts/,
  ],
])("a file %s is named, with what to write", async (_, files, said) => {
  const folder = await mkdtemp(join(tmpdir(), "spindle-nodes-"));
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    await expect(NodeRegistry.load(pathToFileURL(`${folder}/`))).rejects.toThrow(said);
  } finally {
    await rm(folder, { recursive: true });
  }
});

import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PYTHON } from "../launch/build.ts";
import { ROOT } from "../launch/paths.ts";
import { generatePythonManifest } from "./manifests.ts";

// The worker's own code with one file more: what somebody's checkout is while a node is written.
let root: string;
const write = (text: string) => writeFile(join(root, "workers/python-gpu/spindle_worker/nodes/count_words.py"), text);
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "spindle-manifests-"));
  for (const part of ["workers/python-gpu/spindle_worker", "workers/python-gpu/engines", "schemas"])
    await cp(join(ROOT, part), join(root, part), { recursive: true });
});
afterAll(() => rm(root, { recursive: true }));

const COPY = `from dataclasses import replace
from .dummy_task import capability as other
`;

test("a capability that cannot be as it is stops the manifest, and the sentence names its file", async () => {
  await write(`${COPY}def run(context, values):
    return values
capability = replace(other, id="text.count_words", version="one", category="Infos", run=run)
`);
  await expect(generatePythonManifest(root, PYTHON)).rejects.toThrow(
    /nodes\/count_words\.py: The version "one" is not written like 1\.0\.0\.\n.*There is no category "Infos"\. Did you mean "Info"\?/,
  );
});

test("a Python file without a capability is named, with what to write", async () => {
  await write(`${COPY}capabilty = replace(other, id="text.count_words")\ndel other\n`);
  await expect(generatePythonManifest(root, PYTHON)).rejects.toThrow(
    /nodes\/count_words\.py defines no node: write `capability = Capability\(\.\.\.\)` .* It calls its Capability capabilty\./,
  );
});

test("a model that contains itself is named", async () => {
  await write(`${COPY}from ..capability import Ports
class Tree(Ports):
    inner: "Tree | None" = None
class TreeInput(Ports):
    tree: Tree
capability = replace(other, id="text.count_words", input=TreeInput)
`);
  await expect(generatePythonManifest(root, PYTHON)).rejects.toThrow("Tree contains itself, which the schema of a port cannot say.");
});

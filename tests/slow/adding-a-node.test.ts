// Follows docs/adding-a-node.md to the letter: its two files are written where it says, run, and taken away again.
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { ROOT } from "../../infra/launch/paths.ts";
import { ended, graphOf, node, startSpindle, submit, wire } from "../support/spindle.ts";

const page = readFileSync(join(ROOT, "docs/adding-a-node.md"), "utf8");
const blocks = [...page.matchAll(/```\w+ file=(\S+)\n([\s\S]*?)```/g)].map(([, file, text]) => ({
  file: join(ROOT, file as string),
  text: text as string,
}));
afterAll(() => {
  for (const { file } of blocks) rmSync(file, { force: true });
});

test("the page's two nodes, one file each, are in the library and run", async () => {
  expect(blocks).toHaveLength(2);
  for (const { file, text } of blocks) {
    expect(existsSync(file), `${file} is there already`).toBe(false);
    writeFileSync(file, text);
  }
  const spindle = await startSpindle();
  try {
    const { capabilities } = await (await fetch(`${spindle.url}/api/capabilities`)).json();
    expect(capabilities.map((capability: { id: string }) => capability.id)).toEqual(
      expect.arrayContaining(["text.shout", "text.count_words"]),
    );
    const graph = graphOf(
      [node("a", "text.shout", { text: "one two three", marks: 2 }), node("b", "text.count_words", { atLeast: 4 }, "python")],
      [wire("a", "loud", "b", "text")],
    );
    const { body } = await submit(spindle.url, graph);
    const run = await ended(spindle.url, body.run);
    expect(run.nodes.find((nodeRun) => nodeRun.node === "a")?.output).toEqual({ loud: "ONE TWO THREE!!" });
    expect(run.outputs, JSON.stringify(run.error)).toEqual({ words: 1 });
  } finally {
    await spindle.stop();
  }
});

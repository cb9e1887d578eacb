import type { Graph } from "@spindle/graph-model";
import { expect, test } from "vitest";
import { settledWords } from "./use-settled-wires";

const nodes = ["Load", "Draw", "Save"].map((name) => ({ id: name.toLowerCase(), name, service: "pass", plane: "node" }));
const graph = { nodes } as unknown as Graph;
const wire = (from: string) => ({ from, to: "save", port: "image" });

test.each([
  [
    true,
    "Another person wired image of Save at the same moment. The wire from Load stays, and yours from Draw was taken away. Wire it again if it is the right one.",
  ],
  [false, "Another person wired image of Save at the same moment. Your wire from Load stays, and theirs from Draw was taken away."],
])("of two wires into one input a person reads which one stays; theirs went: %s", (isMine, words) =>
  expect(settledWords({ stays: wire("load"), goes: wire("draw"), isMine }, graph)).toBe(words),
);

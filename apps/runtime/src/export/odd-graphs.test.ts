// Graphs in odd shapes: whatever stands in a document, it is read, checked, drawn, planned and frozen without a throw; what is
// wrong is an issue. SEEDS=10000 tries more of them.
import { type Graph, readAnyText, validate } from "@spindle/graph-model";
import { expect, test } from "vitest";
import { goThrough, LIBRARY, oddText, RICH, survive } from "./odd-graphs.testing.ts";

test("[G6] nothing that a document can hold throws where graphs are read, checked, drawn, planned and frozen", () => {
  const ends = { refused: 0, bad: 0, good: 0 };
  for (let seed = 0; seed < Number(process.env.SEEDS ?? 400); seed++) ends[survive(oddText(seed))]++;
  expect(Math.min(...Object.values(ends)), JSON.stringify(ends)).toBeGreaterThan(20);
}, 240_000);

test("the graph that uses everything is right before anything is changed", () => {
  const { graph } = readAnyText(JSON.stringify(RICH), LIBRARY);
  expect(validate(graph as Graph, LIBRARY).filter(({ severity }) => severity === "error")).toEqual([]);
  expect(goThrough(graph as Graph)).toBe(true);
});

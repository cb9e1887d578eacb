// The way through a run that decided how long it took.
import type { Graph } from "@spindle/graph-model";
import { expect, test } from "vitest";
import { criticalPath } from "./critical-path";

const at = (seconds: number) => new Date(1_800_000_000_000 + seconds * 1000).toISOString();
const ran = (node: string, queued: number, started: number, finished: number) => ({
  node,
  queuedAt: at(queued),
  startedAt: at(started),
  finishedAt: at(finished),
});
const graphOf = (nodes: string[], edges: [string, string][]): Graph =>
  ({ nodes: nodes.map((id) => ({ id })), edges: edges.map(([from, to]) => ({ from, to, kind: "normal" })) }) as unknown as Graph;

test("the path goes back from the node that ended last, each time to what it waited for last; queue and work are apart", () => {
  const graph = graphOf(
    ["a", "b", "c", "d", "side"],
    [
      ["a", "c"],
      ["b", "c"],
      ["c", "d"],
    ],
  );
  const runs = [ran("a", 0, 0, 1), ran("b", 0, 2, 5), ran("c", 5, 5, 6), ran("d", 6, 9, 12), ran("side", 0, 0, 11)];
  expect(criticalPath(graph, runs)).toEqual([
    { node: "b", queuedMs: 2000, workedMs: 3000 },
    { node: "c", queuedMs: 0, workedMs: 1000 },
    { node: "d", queuedMs: 3000, workedMs: 3000 },
  ]);
});

test("what did not run has no part in it, a way back is walked once, and a run of nothing has none", () => {
  const graph = graphOf(
    ["a", "skipped", "b"],
    [
      ["a", "skipped"],
      ["skipped", "b"],
      ["b", "a"],
    ],
  );
  expect(
    criticalPath(graph, [ran("a", 0, 0, 1), { node: "skipped", startedAt: null, finishedAt: at(1) }, ran("b", 1, 1, 2)]).map(
      ({ node }) => node,
    ),
  ).toEqual(["a", "b"]);
  expect(criticalPath(graph, [])).toEqual([]);
});

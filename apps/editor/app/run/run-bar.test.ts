import type { Library, LibraryEngine } from "@spindle/graph-model";
import { expect, test } from "vitest";
import { offeredVersions, otherEngines } from "./run-bar";

const engine = (id: string, more: Partial<LibraryEngine> = {}): LibraryEngine => ({
  id,
  label: id.toUpperCase(),
  plane: "python",
  draft: false,
  live: true,
  ...more,
});
const definition = {
  plane: "python",
  service: "speak",
  inputs: [],
  outputs: [],
  parameters: [],
  engines: [engine("gpu", { live: false }), engine("rented", { auto: false }), engine("cpu")],
} as never;
const library: Library = { find: () => definition, all: () => [definition] };
const graph = {
  schema: "langgraph.v1",
  workflowId: "w",
  nodes: [{ id: "a", service: "speak", plane: "python", status: "pending" }],
  edges: [],
};
const because = (kind: "no-worker" | "engine-not-live" | "queue") =>
  [{ node: "a", engine: "gpu", notRunning: { kind, since: "", text: "", action: null } }] as const;

test("[E18] a node that no worker can run has another engine offered, and one that is in the queue has not", () => {
  const offered = (kind: Parameters<typeof because>[0]) =>
    [...otherEngines(graph as never, library, because(kind))].map(([node, { id }]) => [node, id]);
  expect(offered("engine-not-live")).toEqual([["a", "cpu"]]);
  expect(offered("no-worker")).toEqual([["a", "cpu"]]);
  expect(offered("queue")).toEqual([]);
});

test("[E18] a node whose version nobody has is offered the one that workers have", () => {
  const waits = { since: "", text: "", action: null };
  const nodes = [
    { node: "a", notRunning: { ...waits, kind: "wrong-version", version: "2" } },
    { node: "b", notRunning: { ...waits, kind: "before" } },
  ] as const;
  expect([...offeredVersions(nodes)]).toEqual([["a", "2"]]);
});

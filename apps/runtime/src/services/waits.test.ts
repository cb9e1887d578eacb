import type { Graph } from "@spindle/graph-model";
import { resolve } from "@spindle/graph-model";
import { makeLibrary } from "@spindle/node-library";
import { committedManifests } from "@spindle/node-library/manifests";
import { expect, test } from "vitest";
import type { WaitingRow } from "../record/types.ts";
import { LiveBoard } from "../tasks/live.ts";
import { Waits } from "./waits.ts";

const library = makeLibrary([...committedManifests.node.capabilities, ...committedManifests.python.capabilities]);
const node = (id: string, service = "output.preview", params?: object) => ({
  id,
  name: id.toUpperCase(),
  service,
  plane: "node",
  status: "pending",
  ...(params ? { params } : {}),
});
const edge = (from: string, to: string, metadata?: object) => ({ from, to, kind: "normal", ...(metadata ? { metadata } : {}) });
const DEFINITION = { nodes: [node("x"), node("y")], edges: [edge("x", "y")] };
/** a, then a loop of h and t, then z; c calls x and y. */
const GRAPH = {
  schema: "langgraph.v1",
  workflowId: "w",
  nodes: [node("a"), node("h"), node("t"), node("z"), node("c", "graph.call", { definition: "d" })],
  edges: [edge("a", "h"), edge("h", "t"), edge("t", "h", { loop: { maxIterations: 3 } }), edge("h", "z")],
  metadata: { definitions: { d: DEFINITION } },
} as unknown as Graph;

/** What the queued node runs among these wait for, by path. */
async function texts(states: Record<string, WaitingRow["state"]>): Promise<Record<string, string>> {
  const rows = Object.entries(states).map(([path, state]): WaitingRow => {
    const own = { id: path, run_id: "r", node_id: path.split("/").at(-1) ?? "", path, state };
    return {
      ...own,
      plane: state === "dispatched" ? "python" : "node",
      service: "s",
      version: "1",
      engine: "e",
      attempt: 0,
      fence: 0,
      changed_at: new Date(0),
      held: null,
      retry_in: null,
      answer_in: null,
    };
  });
  const run = {
    id: "r",
    revision_id: "v",
    state: "running" as const,
    cancel_requested: false,
    since: new Date(0),
    unowned: false,
    owner_until: null,
  };
  const waits = new Waits({
    history: { openRuns: async () => [run], waitingIn: async () => rows },
    live: new LiveBoard(),
    pauses: { over: () => undefined },
    library: {
      library: () => library,
      reportOf: () => ({ answers: true, reportedAt: undefined, versionsOf: () => undefined, busyWith: () => undefined }),
      busSilentSince: undefined,
    },
    positionOf: () => undefined,
    reaper: { silentSince: () => undefined },
    resolvedOf: async () => resolve(GRAPH, library),
  });
  const { nodes } = await waits.of("r");
  return Object.fromEntries([...nodes].map(([path, why]) => [path, why.text]));
}

const TURN = "Everything before it is over: it begins in its turn.";

test("[E18] a node waits for what is before it, through a loop that has not begun, too", async () => {
  expect(await texts({ a: "running", z: "queued" })).toEqual({ z: "It runs after A." });
  expect(await texts({ z: "queued" })).toEqual({ z: TURN });
});

test("[E18] what comes after a loop waits for what is open in it; what is in it, for what is before it in the same visit", async () => {
  expect(await texts({ "loop:t>h[1]/h": "queued", "loop:t>h[1]/t": "queued", z: "queued" })).toEqual({
    "loop:t>h[1]/h": TURN,
    "loop:t>h[1]/t": "It runs after H.",
    z: "It runs after H and 1 more.",
  });
});

test("[E18] what is inside a call waits for what is before it in the same call", async () => {
  expect(await texts({ c: "running", "c/x": "running", "c/y": "queued" })).toEqual({ "c/y": "It runs after X." });
});

test("[E18] a map or a call whose inner node runs all wait says what they wait for, and runs while one of them does", async () => {
  const why = "No Python worker that answers offers s on e.";
  expect(await texts({ a: "running", "a#0": "dispatched", "a#1": "dispatched" })).toEqual({ a: why, "a#0": why, "a#1": why });
  expect(await texts({ a: "running", "a#0": "dispatched", "a#1": "running" })).toEqual({ "a#0": why });
  expect(await texts({ c: "running", "c/x": "dispatched" })).toMatchObject({ c: why });
  expect(await texts({ a: "running" }), "work of its own").toEqual({});
});

import {
  isEndedNodeState,
  NODE_CHANGES,
  NODE_STATES,
  type NodeChangeName,
  type NodeState,
  RUN_CHANGES,
  RUN_STATES,
  type RunChangeName,
  type RunState,
} from "@spindle/schemas";
import { expect, test } from "vitest";
import { isBeginning } from "./changes.ts";

test("[W1] nothing leaves a terminal state", () => {
  for (const change of Object.values(NODE_CHANGES))
    for (const from of change.from) if (from !== change.to) expect(isEndedNodeState(from), `${change.event} from ${from}`).toBe(false);
});
test("[E13] every open state can be cancelled, and nothing else can", () => {
  expect(new Set(NODE_CHANGES.cancel.from)).toEqual(new Set(NODE_STATES.filter((state) => !isEndedNodeState(state))));
});
test("[W1] whatever sends a node to a worker again raises the fence", () => {
  for (const [name, change] of Object.entries(NODE_CHANGES))
    if ((change.to as string) === "dispatched") expect("raisesFence" in change, name).toBe(true);
});

/** The whole table of node runs (DESIGN W1): from each state, what may happen and where it leads. What is not here is refused. */
const TABLE: Record<NodeState, Record<string, NodeState>> = {
  queued: {
    dispatch: "dispatched",
    begin: "running",
    succeedHere: "succeeded",
    failHere: "failed",
    fail: "failed",
    skip: "skipped",
    reuse: "succeeded",
    pin: "succeeded",
    pass: "succeeded",
    ask: "waiting",
    hold: "waiting",
    cancel: "cancelled",
  },
  waiting: { answer: "succeeded", resume: "queued", cancel: "cancelled" },
  dispatched: {
    start: "running",
    retry: "dispatched",
    retryAfterCrash: "dispatched",
    redispatch: "dispatched",
    succeed: "succeeded",
    fail: "failed",
    die: "dead",
    cancel: "cancelled",
  },
  running: {
    retry: "dispatched",
    retryAfterCrash: "dispatched",
    retryHere: "running",
    redispatch: "dispatched",
    takeOver: "running",
    succeed: "succeeded",
    fail: "failed",
    die: "dead",
    cancel: "cancelled",
  },
  succeeded: { holdAfter: "succeeded", resumeAfter: "succeeded" },
  skipped: {},
  failed: {},
  cancelled: {},
  dead: {},
};
test.each(NODE_STATES)("[W1] from %s of a node run leads exactly what the table says", (state) => {
  const found = Object.entries(NODE_CHANGES).filter(([, change]) => (change.from as readonly string[]).includes(state));
  expect(Object.fromEntries(found.map(([name, change]) => [name, change.to]))).toEqual(TABLE[state]);
});

test("[RV4] a node run begins by exactly these changes, which are dropped if its run is cancelled before they are written", () => {
  const names = Object.keys(NODE_CHANGES) as NodeChangeName[];
  expect(names.filter(isBeginning).sort()).toEqual(["ask", "begin", "dispatch", "hold", "pass", "pin", "reuse", "succeedHere"]);
});

/** The same for runs. Of a run that waits nothing is decided: it is woken first. */
const RUN_TABLE: Record<RunState | "nothing", Partial<Record<RunChangeName, RunState>>> = {
  nothing: { create: "queued" },
  queued: { start: "running", succeed: "succeeded", fail: "failed", cancel: "cancelled" },
  running: { park: "waiting", succeed: "succeeded", fail: "failed", cancel: "cancelled" },
  waiting: { wake: "running" },
  succeeded: {},
  failed: {},
  cancelled: {},
};
test.each(["nothing", ...RUN_STATES] as const)("[W1] from %s of a run leads exactly what the table says", (state) => {
  const found = Object.entries(RUN_CHANGES).filter(([, { from }]: [string, { from: readonly RunState[] }]) =>
    state === "nothing" ? from.length === 0 : from.includes(state),
  );
  expect(Object.fromEntries(found.map(([name, change]) => [name, change.to]))).toEqual(RUN_TABLE[state]);
});

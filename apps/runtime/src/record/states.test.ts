import { expect, test } from "vitest";
import { CHANGES, isTerminal, type NodeState } from "./states.ts";

const STATES: NodeState[] = [
  "queued",
  "waiting",
  "dispatched",
  "running",
  "succeeded",
  "skipped",
  "failed",
  "cancelled",
  "dead",
  "unknown",
];

test("nothing leaves a terminal state", () => {
  for (const change of Object.values(CHANGES))
    for (const from of change.from) expect(isTerminal(from), `${change.event} from ${from}`).toBe(false);
});
test("every open state can be cancelled, and nothing else can", () => {
  expect(new Set(CHANGES.cancel.from)).toEqual(new Set(STATES.filter((state) => !isTerminal(state))));
});
test("whatever sends a node to a worker again raises the fence", () => {
  for (const [name, change] of Object.entries(CHANGES))
    if ((change.to as string) === "dispatched") expect("raisesFence" in change, name).toBe(true);
});

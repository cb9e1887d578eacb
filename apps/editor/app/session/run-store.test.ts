import { readdirSync, readFileSync } from "node:fs";
import { isEndedNodeState, NODE_CHANGES, type RunEvent } from "@spindle/schemas";
import { beforeEach, describe, expect, test } from "vitest";
import { showEvent, showLive, showSnapshot, useRunStore } from "./run-store";
import type { RunView } from "./types";

const samples = new URL("../../../../schemas/samples/run-event/valid/", import.meta.url);
const events = readdirSync(samples).map((file) => JSON.parse(readFileSync(new URL(file, samples), "utf8")) as RunEvent);
const RUN = { id: "r", number: 1, state: "running", lastSeq: -1, nodes: [], counts: {}, live: [] } as unknown as RunView;
const at = "2026-11-20T10:00:00.000Z";
const error = { code: "node.exception", message: "No." };
const row = (node: string) => useRunStore.getState().nodes[node];
let seq = 0;
const tell = (type: RunEvent["type"], body: object) =>
  showEvent({ run: "r", seq: seq++, type, at, node: "a", path: "a", attempt: 1, body } as unknown as RunEvent);

beforeEach(() => {
  seq = 0;
  showSnapshot(RUN);
});

const changes = Object.values(NODE_CHANGES);

test.each(events.filter((event) => !changes.some((change) => change.event === event.type)))("$type moves no node", (event) => {
  expect(showEvent({ ...event, seq: 0 })).toBe(true);
  expect(useRunStore.getState().nodes).toEqual({});
});

describe.each(events.filter((event) => changes.some((change) => change.event === event.type)))("$type", (event) => {
  test("leads to a state that some change with this event leads to, and to what that state has", () => {
    const { node, path } = event as Extract<RunEvent, { node: string }>;
    const states = changes.flatMap((change) => (change.event === event.type ? [change.to] : []));
    expect(showEvent({ ...event, seq: 0, path: path.replace(/[#[].*$/, "") } as RunEvent)).toBe(true);
    const shown = row(node);
    if (!shown) throw new Error("The node is not shown.");
    // What has not been seen to succeed cannot be held after it.
    if (event.type === "node.held" && event.body.held === "after") return expect(shown.state).toBe("queued");
    expect(states).toContain(shown.state);
    expect(shown.finishedAt !== null).toBe(isEndedNodeState(shown.state));
    expect(shown.output !== null).toBe(shown.state === "succeeded");
  });
});

test("another try shows why the last one failed until it runs", () => {
  tell("node.dispatched", {});
  tell("node.retrying", { error });
  expect(row("a")).toMatchObject({ state: "dispatched", error });
  tell("node.running", {});
  expect(row("a")).toMatchObject({ state: "running", error: null, startedAt: at });
});

test("a node that is held after it ran keeps its output", () => {
  tell("node.succeeded", { output: { value: 1 } });
  tell("node.held", { held: "after" });
  expect(row("a")).toMatchObject({ state: "succeeded", held: "after", output: { value: 1 } });
  tell("node.resumed", { held: "after" });
  expect(row("a")).toMatchObject({ state: "succeeded", held: null, output: { value: 1 } });
});

test("a node of a group is shown by what it reports until the group is over", () => {
  tell("node.resumed", { held: "before" });
  showSnapshot({ ...RUN, nodes: [{ ...row("a"), attempt: 0 }] as RunView["nodes"] });
  showLive({ node: "a", progress: 0.5 });
  expect(row("a")?.state).toBe("running");
  showLive({ node: "a", progress: 1 });
  expect(row("a")).toMatchObject({ state: "succeeded", output: null, finishedAt: null });
  tell("node.succeeded", { output: { image: 1 } });
  expect(row("a")).toMatchObject({ state: "succeeded", output: { image: 1 }, finishedAt: at });
});

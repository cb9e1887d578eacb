import { readdirSync, readFileSync } from "node:fs";
import { isEndedNodeState, NODE_CHANGES, type RunEvent } from "@spindle/schemas";
import { beforeEach, describe, expect, test } from "vitest";
import { isKnownEvent, openRun, showNews, useRunStore } from "./run-store";
import type { Live, RunView } from "./types";

const samples = new URL("../../../../schemas/samples/run-event/valid/", import.meta.url);
const events = readdirSync(samples).map((file) => JSON.parse(readFileSync(new URL(file, samples), "utf8")) as RunEvent);
const RUN = { id: "r", number: 1, state: "running", lastSeq: -1, nodes: [], counts: {}, live: [] } as unknown as RunView;
const at = "2026-11-20T10:00:00.000Z";
const error = { code: "node.exception", message: "No." };
const showEvent = (event: RunEvent) => {
  showNews([{ of: "r", news: { kind: "event", event } }]);
  return isKnownEvent(event);
};
const showLive = (live: Live) => showNews([{ of: "r", news: { kind: "live", live } }]);
const showSnapshot = (run: RunView) => {
  getState().watch(run.id);
  showNews([{ of: run.id, news: { kind: "snapshot", run } }]);
};
const row = (node: string) => useRunStore.getState().nodes[node];
let seq = 0;
const tell = (type: RunEvent["type"], body: object = {}, path = "a") =>
  showEvent({ run: "r", seq: seq++, type, at, node: path.replace(/^.*\/|#\d+$/g, ""), path, attempt: 1, body } as unknown as RunEvent);
const { getState } = useRunStore;
/** The snapshot of a run whose nodes have not begun. */
const WHY = { kind: "queue", since: "2026-01-01T00:00:00.000Z", text: "Queued, position 1.", action: null } as const;
const queued = (nodes: string[], live: object[] = []) =>
  showSnapshot({
    ...RUN,
    live,
    nodes: nodes.map((id) => ({ node: id, path: id, title: id, state: "queued", attempt: 0, output: null })),
  } as unknown as RunView);

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

test("[M4] the engine that an element of a map chooses is that of the node; inside a subgraph it is no node's of this graph", () => {
  queued(["a", "b"]);
  tell("node.engine", { engine: "espeak", draft: true }, "a#4");
  tell("node.engine", { engine: "kokoro", draft: false }, "c/b");
  expect([row("a"), row("b")]).toMatchObject([{ engine: "espeak", draft: true, state: "queued" }, { state: "queued" }]);
  expect(row("b")?.engine).toBeUndefined();
});

test("[M4] the licence that a node's engine had when the run was accepted stays with it through all that happens to the node", () => {
  const voice = { node: "a", path: "a", title: "a", state: "queued", engine: "clone", licence: "CC-BY-NC-4.0" };
  showSnapshot({ ...RUN, nodes: [voice] } as unknown as RunView);
  const seen = (["node.dispatched", "node.running", "node.succeeded"] as const).map((type) => {
    tell(type, { output: {} });
    return row("a")?.licence;
  });
  expect(seen).toEqual(["CC-BY-NC-4.0", "CC-BY-NC-4.0", "CC-BY-NC-4.0"]);
});

test("[E16] a page that comes while a node runs can look back at what it showed before, also once the run is over", () => {
  const previews = ["one", "two"].map((artifact) => ({ artifact }));
  const shown = () => getState().previews.a?.map(({ artifact }) => artifact);
  queued(["a"], [{ node: "a", previews }]);
  expect(shown()).toEqual(["one", "two"]);
  showLive({ node: "a", previews: [...previews, { artifact: "three" }] } as never);
  expect(shown()).toEqual(["one", "two", "three"]);
  queued(["a"]);
  expect(shown()).toEqual(["one", "two", "three"]);
  showSnapshot({ ...RUN, id: "another" });
  expect(shown()).toBeUndefined();
});

test("another try shows why the last one failed until it runs", () => {
  tell("node.dispatched", {});
  tell("node.retrying", { error });
  expect(row("a")).toMatchObject({ state: "dispatched", error });
  tell("node.running", {});
  expect(row("a")).toMatchObject({ state: "running", error: null, startedAt: at });
});

test("another try in the runtime itself waits in no queue", () => {
  tell("node.running", {});
  tell("node.retrying", { error, here: true });
  expect(row("a")).toMatchObject({ state: "running", error, startedAt: at });
});

test("a node that is held after it ran keeps its output", () => {
  tell("node.succeeded", { output: { value: 1 } });
  tell("node.held", { held: "after" });
  expect(row("a")).toMatchObject({ state: "succeeded", held: "after", output: { value: 1 } });
  tell("node.resumed", { held: "after" });
  expect(row("a")).toMatchObject({ state: "succeeded", held: null, output: { value: 1 } });
});

test("a node of a region is shown by what it reports until the region is over", () => {
  tell("node.resumed", { held: "before" });
  showSnapshot({ ...RUN, nodes: [{ ...row("a"), attempt: 0 }] as RunView["nodes"] });
  showLive({ node: "a", inRegion: true, progress: 0.5 });
  expect(row("a")?.state).toBe("running");
  showLive({ node: "a", inRegion: true, progress: 1 });
  expect(row("a")).toMatchObject({ state: "succeeded", output: null, finishedAt: null });
  tell("node.succeeded", { output: { image: 1 } });
  expect(row("a")).toMatchObject({ state: "succeeded", output: { image: 1 }, finishedAt: at });
});

test("[W8] a node of its own is done when its result is stored, not when it says so", () => {
  queued(["a"]);
  showLive({ node: "a", progress: 1 });
  expect([row("a")?.state, getState().live.a?.progress]).toEqual(["queued", 1]);
  tell("node.running");
  showLive({ node: "a", progress: 1 });
  expect(row("a")?.state).toBe("running");
});

describe("a run", () => {
  test("goes through its states with the events, and has a beginning and an end", () => {
    showSnapshot({ ...RUN, state: "queued", startedAt: null, finishedAt: null });
    for (const type of ["run.running", "run.waiting", "run.running", "run.cancelling"] as const) tell(type);
    expect(getState().run).toMatchObject({ state: "running", cancelling: true, startedAt: at, finishedAt: null, lastSeq: 3 });
    tell("run.failed", { error });
    expect(getState().run).toMatchObject({ state: "failed", error, finishedAt: at });
  });
  test("[W8] takes no event twice, and none that its snapshot knew already", () => {
    tell("node.running");
    tell("node.succeeded", { output: {} });
    const { nodes } = getState();
    seq = 0;
    for (let time = 0; time < 2; time++) tell("node.running");
    expect(getState().nodes).toBe(nodes);
  });
  test("says that it does not know an event of a newer server, and changes nothing", () => {
    queued(["a"]);
    const { nodes, run } = getState();
    expect(tell("node.teleported" as never)).toBe(false);
    expect([getState().nodes, getState().run]).toEqual([nodes, run]);
  });
  test("hears of nothing before its snapshot is there", () => {
    getState().watch(undefined);
    getState().watch("r");
    tell("node.running");
    expect([getState().run, getState().nodes]).toEqual([undefined, {}]);
  });
});

describe("a node", () => {
  test("in a loop shows its last visit, which starts from nothing, and counts the others", () => {
    queued(["a"]);
    tell("node.running", {}, "loop:b>a[0]/a");
    tell("node.failed", { error }, "loop:b>a[0]/a");
    tell("node.running", {}, "loop:b>a[1]/a");
    expect(row("a")).toMatchObject({ path: "loop:b>a[1]/a", state: "running", error: null });
    tell("node.succeeded", { output: {} }, "loop:b>a[1]/a");
    expect(getState().counts.a).toEqual({ total: 2, done: 1, failed: 1 });
    tell("loop.limit", { maxIterations: 2 }, "loop:b>a");
    expect(Object.keys(getState().nodes)).toEqual(["a"]);
  });
  test("that runs for each element counts them, and is none of them", () => {
    queued(["a"]);
    tell("node.running", { elements: 3 });
    expect(getState().counts.a).toEqual({ total: 3, done: 0, failed: 0 });
    tell("node.running", {}, "a#0");
    tell("node.succeeded", { output: { x: 1 } }, "a#0");
    tell("node.dead", { error }, "a#2");
    expect([getState().counts.a, row("a")?.state, row("a")?.output]).toEqual([{ total: 3, done: 1, failed: 1 }, "running", null]);
  });
  test("inside a subgraph is not one of the graph's", () => {
    queued(["c"]);
    tell("node.running", {}, "c/x");
    expect([Object.keys(getState().nodes), row("c")?.state, getState().run?.lastSeq]).toEqual([["c"], "queued", 0]);
  });
});

describe("news in between", () => {
  test("of another try start from nothing", () => {
    tell("node.running");
    showLive({ node: "a", progress: 0.7 });
    expect(getState().live.a).toMatchObject({ progress: 0.7 });
    tell("node.retrying", { error });
    expect(getState().live).toEqual({});
  });
  test("change nothing of a node that is queued, or that its events speak for", () => {
    queued(["a"]);
    showLive({ node: "a", notRunning: WHY });
    expect(row("a")).toMatchObject({ state: "queued", notRunning: WHY });
    tell("node.failed", { error });
    showLive({ node: "a", progress: 0.5 });
    expect(row("a")?.state).toBe("failed");
  });
  test("tell why the node is not running, until it is", () => {
    queued(["a"]);
    tell("node.dispatched");
    showLive({ node: "a", notRunning: WHY });
    expect(row("a")?.notRunning).toEqual(WHY);
    showLive({ node: "a", progress: 0.1 });
    expect(row("a")?.notRunning).toBeNull();
    showLive({ node: "a", notRunning: WHY });
    tell("node.running");
    expect(row("a")?.notRunning).toBeNull();
  });
  test("that come with the snapshot count as well", () => {
    queued(["a"], [{ node: "a", inRegion: true, progress: 0.5 }]);
    expect([row("a")?.state, getState().live.a?.progress]).toEqual(["running", 0.5]);
  });
});

test("what comes at once is one change, and the same as if it came apart", () => {
  const event = (seq: number, type: string, path: string, body: object = {}) =>
    ({ kind: "event", event: { run: "r", seq, type, at, node: path, path, attempt: 1, body } as unknown as RunEvent }) as const;
  const news = [
    event(1, "node.running", "a"),
    event(2, "node.running", "b"),
    { kind: "live", live: { node: "a", progress: 0.5 } as unknown as Live } as const,
    event(3, "node.succeeded", "a", { output: { text: "x" } }),
    event(4, "node.failed", "b", { error }),
  ];
  queued(["a", "b"]);
  for (const each of news) showNews([{ of: "r", news: each }]);
  const apart = getState();
  showSnapshot(RUN);
  queued(["a", "b"]);
  let changes = 0;
  const stop = useRunStore.subscribe(() => changes++);
  showNews(news.map((each) => ({ of: "r", news: each })));
  stop();
  expect(changes).toBe(1);
  expect(getState().nodes).toEqual(apart.nodes);
  expect(getState().live).toEqual(apart.live);
  expect(getState().run).toEqual(apart.run);
});

test("what is still on its way of a run that is shown no more is left out", () => {
  const live = { node: "a", progress: 0.5, previews: [{ artifact: "of-r" }] } as unknown as Live;
  queued(["a"]);
  showLive(live);
  expect([Object.keys(getState().nodes), Object.keys(getState().previews)]).toEqual([["a"], ["a"]]);
  getState().watch("next");
  expect([getState().run, getState().nodes, getState().live, getState().previews]).toEqual([undefined, {}, {}, {}]);
  showSnapshot({ ...RUN, id: "next" } as RunView);
  showLive(live);
  showNews([{ of: "r", news: { kind: "snapshot", run: RUN } }]);
  expect([getState().run?.id, getState().live, getState().previews]).toEqual(["next", {}, {}]);
  getState().watch(undefined);
  showNews([{ of: "next", news: { kind: "snapshot", run: RUN } }]);
  expect(getState().run).toBeUndefined();
});

test("a run that has ended is open no more", () => {
  expect(openRun({ run: RUN })).toBe(RUN);
  expect(openRun({ run: undefined })).toBeUndefined();
  for (const state of ["succeeded", "failed", "cancelled"] as const) expect(openRun({ run: { ...RUN, state } })).toBeUndefined();
});

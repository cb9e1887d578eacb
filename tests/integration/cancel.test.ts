// DESIGN E13: a cancel that was acknowledged comes true, whatever the run is doing and whoever is away. One stack; the test is its one worker.
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { RunView } from "../../apps/runtime/src/services/run-service.ts";
import { ended, getRun, graphOf, node, startRun, until, wait, wire } from "../support/spindle.ts";
import { WorkerHand } from "../support/worker-hand.ts";

let hand: WorkerHand;
let url: string;
beforeAll(async () => {
  // A try that fails is repeated so late that only a cancel can end the run.
  hand = await WorkerHand.start({ proxied: true, env: { SPINDLE_RETRY_BASE_MS: "600000" } });
  url = hand.spindle.url;
});
afterAll(() => hand?.stop());
afterEach(async () => {
  await until(async () => (await hand.queued()) === 0, 60_000, "no task is left on the bus");
});

const cancel = async (run: string): Promise<void> => {
  const answer = await fetch(`${url}/api/runs/${run}/cancel`, { method: "POST" });
  expect([answer.status, await answer.json()]).toEqual([202, { cancelling: true }]);
};
const comes = (run: string, path: string, is: (row: RunView["nodes"][number]) => boolean, what: string): Promise<unknown> =>
  until(
    async () => {
      const rows = (await (await fetch(`${url}/api/runs/${run}/nodes`)).json()) as RunView["nodes"];
      return rows.some((row) => row.path === path && is(row));
    },
    60_000,
    `${path} ${what}`,
  );
const isIn = (run: string, path: string, state: string): Promise<unknown> => comes(run, path, (row) => row.state === state, `is ${state}`);
const rests = (run: string): Promise<unknown> => until(async () => (await getRun(url, run)).state === "waiting", 60_000, "the run rests");

/** Waits for the end of a run that was cancelled. Returns the states of its node runs by path. */
async function end(run: string): Promise<Record<string, string>> {
  expect((await ended(url, run)).state).toBe("cancelled");
  const rows = (await (await fetch(`${url}/api/runs/${run}/nodes`)).json()) as RunView["nodes"];
  return Object.fromEntries(rows.map(({ path, state }) => [path, state]));
}

const ask = node("ask", "human.ask_person", { buttons: ["Ok"] });
const list = node("list", "constant.array", { value: ["a", "b"] });
const over = (task: object) => ({
  from: "list",
  to: (task as { id: string }).id,
  metadata: { sourcePort: "value", targetPort: "value", map: {} },
});
const slow = node("slow", "control.delay", { milliseconds: 600_000 });
const breakpoint = (at: "before" | "after") =>
  graphOf([node("held", "constant.string", { value: "x" }), wait("next")], [{ from: "held", to: "next" }], {
    nodes: { held: { breakpoint: at } },
  });
const call = (inside: object) =>
  graphOf([node("call", "graph.call", { definition: "d" })], [], { definitions: { d: { nodes: [inside], edges: [] } } });
const loop = graphOf(
  [wait("h"), wait("t")],
  [
    { from: "h", to: "t" },
    { from: "t", to: "h", metadata: { loop: { maxIterations: 3 } } },
  ],
);

/** What a run is doing when it is cancelled, and what becomes of its node runs. */
const STATES: [what: string, graph: object, reach: (run: string) => Promise<unknown>, becomes: Record<string, string>][] = [
  [
    "a task is queued, and a node behind it",
    graphOf([wait("a"), wait("b")], [{ from: "a", to: "b" }]),
    (run) => isIn(run, "a", "dispatched"),
    { a: "cancelled", b: "cancelled" },
  ],
  ["a node runs in the runtime", graphOf([slow]), (run) => isIn(run, "slow", "running"), { slow: "cancelled" }],
  [
    "a person is asked, beside what runs",
    graphOf([ask, slow]),
    (run) => isIn(run, "ask", "waiting"),
    { ask: "cancelled", slow: "cancelled" },
  ],
  ["the run rests", graphOf([ask]), rests, { ask: "cancelled" }],
  ["a node is held before it runs", breakpoint("before"), rests, { held: "cancelled", next: "cancelled" }],
  ["a node is held after it ran", breakpoint("after"), rests, { held: "succeeded", next: "cancelled" }],
  [
    "elements of a map are queued",
    graphOf([list, wait("each")], [over(wait("each"))]),
    (run) => isIn(run, "each#1", "dispatched"),
    { "each#0": "cancelled", "each#1": "cancelled", each: "cancelled", list: "succeeded" },
  ],
  [
    "a person is asked for each element of a map",
    graphOf([list, { ...ask, id: "each" }], [over({ id: "each" })]),
    rests,
    { "each#0": "cancelled", "each#1": "cancelled", each: "cancelled", list: "succeeded" },
  ],
  [
    "a task in a loop is queued",
    loop,
    (run) => isIn(run, "loop:t>h[0]/h", "dispatched"),
    { "loop:t>h[0]/h": "cancelled", "loop:t>h[0]/t": "cancelled" },
  ],
  [
    "a task in a subgraph is queued",
    call(wait("in")),
    (run) => isIn(run, "call/in", "dispatched"),
    { call: "cancelled", "call/in": "cancelled" },
  ],
  [
    "a subgraph runs in the runtime",
    call(slow),
    (run) => isIn(run, "call/slow", "running"),
    { call: "cancelled", "call/slow": "cancelled" },
  ],
];

test("[E13] a node that is cancelled alone while it is queued never runs, nor does an element of a map", async () => {
  const delay = (id: string, milliseconds: number) => node(id, "control.delay", { milliseconds, value: 1 });
  const list = node("list", "constant.array", { value: [1, 2] });
  const run = await startRun(
    url,
    graphOf(
      [
        delay("first", 2000),
        delay("slow", 600_000),
        node("rescue", "output.preview", { value: 1 }),
        list,
        node("each", "control.delay", { milliseconds: 600_000 }),
      ],
      [
        wire("first", "value", "slow", "value"),
        { from: "slow", to: "rescue", kind: "on_failure" },
        { from: "list", to: "each", metadata: { sourcePort: "value", targetPort: "value", map: { limit: 1, tolerate: 2 } } },
      ],
    ),
  );
  await isIn(run, "each#0", "running");
  for (const path of ["slow", "each"]) {
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`${url}/api/runs/${run}/cancel-node`, { method: "POST", headers, body: JSON.stringify({ path }) });
    expect(answer.status).toBe(202);
  }
  expect((await ended(url, run)).state).toBe("succeeded");
  const rows = (await (await fetch(`${url}/api/runs/${run}/nodes`)).json()) as RunView["nodes"];
  expect(Object.fromEntries(rows.map(({ path, state }) => [path, state]))).toMatchObject({
    first: "succeeded",
    slow: "cancelled",
    rescue: "succeeded",
    "each#1": "cancelled",
  });
});

test.each(STATES)("[E13, RE6] a cancel while %s", async (_, graph, reach, becomes) => {
  const run = await startRun(url, graph);
  await reach(run);
  await cancel(run);
  expect(await end(run)).toEqual(becomes);
});

test("[E13] a cancel while a worker is at it reaches the worker, which ends the run", async () => {
  const run = await startRun(url, graphOf([wait("a")]));
  const entry = await hand.claim();
  const holds = await hand.hold(entry);
  await isIn(run, "a", "running");
  await cancel(run);
  await cancel(run); // it may be asked for again, and is true all the same
  await holds.cancelled;
  await hand.worker.settle({ v: 1, task: entry.task, outcome: "cancelled" });
  expect(await end(run)).toEqual({ a: "cancelled" });
});

test("[E13] a cancel while a task waits for its next try, and while its worker has died", async () => {
  const runs = [
    await startRun(url, graphOf([wait("a", { preset: "retry" })])),
    await startRun(url, graphOf([wait("a", { preset: "dead" })])),
  ];
  const entries = [await hand.claim(), await hand.claim()];
  const error = { class: "transient" as const, code: "node.exception" as const, message: "Once more." };
  const [first, second] = entries as [(typeof entries)[0], (typeof entries)[0]];
  await hand.worker.settle({ v: 1, task: first.task, outcome: "failed", error });
  await comes(first.run, "a", (row) => row.notRunning?.kind === "retry", "waits for its next try");
  await hand.worker.beat(second);
  await isIn(second.run, "a", "running");
  for (const run of runs) await cancel(run);
  for (const run of runs) expect(await end(run)).toEqual({ a: "cancelled" });
});

test("[E13] a cancel while Redis is away ends the run at once, and the worker that was at it stops when Redis is back", async () => {
  const [held, queued] = [
    await startRun(url, graphOf([wait("a", { preset: "held" })])),
    await startRun(url, graphOf([wait("a", { preset: "queued" })])),
  ];
  const entry = await hand.claim();
  const other = entry.run === held ? queued : held;
  await hand.worker.beat(entry);
  await isIn(entry.run, "a", "running");
  hand.weather({ down: true });
  try {
    const late = await startRun(url, graphOf([wait("a", { preset: "late" })]));
    for (const run of [entry.run, other, late]) await cancel(run);
    for (const run of [entry.run, other, late]) expect(await end(run)).toEqual({ a: "cancelled" });
  } finally {
    hand.weather({});
  }
  await until(async () => (await hand.worker.beat(entry)) === "lost", 60_000, "its worker hears that the task is not its own any more");
  await hand.done(entry, "too late");
  await until(async () => (await hand.spindle.db.query("SELECT FROM recall")).rowCount === 0, 60_000, "nothing is left to be told");
});

test("[E13] a cancel outlives the runtime that acknowledged it, of a run that rests, too", async () => {
  const runs = [
    await startRun(url, graphOf([ask])),
    await startRun(url, graphOf([wait("a"), slow])),
    await startRun(url, graphOf([wait("a"), wait("b")])),
  ];
  const [resting, busy, queued] = runs as [string, string, string];
  await rests(resting);
  await isIn(busy, "slow", "running");
  await isIn(queued, "b", "dispatched");
  for (const run of runs) await cancel(run);
  process.kill(hand.spindle.processes.runtime?.pid as number, "SIGKILL");
  await until(async () => (await fetch(`${url}/health`)).ok, 60_000, "the runtime is back");
  expect(await end(resting)).toEqual({ ask: "cancelled" });
  expect(await end(busy)).toEqual({ a: "cancelled", slow: "cancelled" });
  expect(await end(queued)).toEqual({ a: "cancelled", b: "cancelled" });
});

test("[E13] a cancel of a parked run is one change of the record: nothing can come between it and the run's wakening", async () => {
  const run = await startRun(url, graphOf([ask]));
  await rests(run);
  await cancel(run);
  await end(run);
  const { rows } = await hand.spindle.db.query("SELECT type FROM run_event WHERE run_id = $1 ORDER BY seq", [run]);
  const types = rows.map(({ type }) => type);
  expect(types.slice(types.indexOf("run.cancelling"), types.indexOf("run.cancelling") + 2)).toEqual(["run.cancelling", "run.running"]);
});

test("a node that is over is not cancelled: it says so", async () => {
  const run = await startRun(url, graphOf([node("a", "constant.string", { value: "x" })]));
  await ended(url, run);
  const answer = await fetch(`${url}/api/runs/${run}/cancel-node`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ path: "a" }),
  });
  expect([answer.status, (await answer.json()).error]).toEqual([409, { code: "node.over", message: "This node is over already." }]);
});

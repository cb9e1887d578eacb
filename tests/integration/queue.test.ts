// DESIGN E14: whose tasks go first, and where a task stands that waits. The test is the only worker, so it sees the order.
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { PostgresQueue } from "../../apps/runtime/src/record/postgres-queue.ts";
import { ended, getRun, graphOf, node, submit, until, wait } from "../support/spindle.ts";
import { pythonRoute, WAIT_ROUTE, WorkerHand } from "../support/worker-hand.ts";

const SECRET = "a secret of the proxy's";
let hand: WorkerHand;
/** Who the proxy says is there. */
let user = "ann";
beforeAll(async () => {
  const plain = globalThis.fetch;
  vi.stubGlobal("fetch", (url: string, init: RequestInit = {}) =>
    plain(url, { ...init, headers: { ...(init.headers as object), "x-spindle-proxy": SECRET, "x-spindle-user": user } }),
  );
  hand = await WorkerHand.start({ env: { SPINDLE_PROXY_SECRET: SECRET } });
});
afterAll(async () => {
  await hand?.stop();
  vi.unstubAllGlobals();
});

/** As many tasks at once. */
async function start(tasks: number, as = "ann", priority = "normal"): Promise<string> {
  user = as;
  const nodes = Array.from({ length: tasks }, (_, index) => wait(`n${index}`, { preset: `${as} ${index}` }));
  const form = new FormData();
  form.set("graph", JSON.stringify(graphOf(nodes)));
  const answer = await fetch(`${hand.spindle.url}/api/runs?priority=${priority}&force=1`, { method: "POST", body: form });
  expect(answer.status).toBe(202);
  const { run } = (await answer.json()) as { run: string };
  await until(
    async () => (await getRun(hand.spindle.url, run)).nodes.every((nodeRun) => nodeRun.state === "dispatched"),
    60_000,
    "they wait",
  );
  return run;
}

/** Takes and ends tasks until each run has ended. Returns whose they were, in order. */
async function work(...runs: string[]): Promise<number[]> {
  const order: number[] = [];
  await new Promise((resolve) => setTimeout(resolve, 500)); // an order that was worked out stands for a moment
  for (let left = runs; left.length > 0; ) {
    const entry = await hand.worker.claim([WAIT_ROUTE]);
    if (entry) {
      order.push(runs.indexOf(entry.run));
      await hand.done(entry, 0);
      continue;
    }
    const states = await Promise.all(left.map(async (run) => (await getRun(hand.spindle.url, run)).state));
    left = left.filter((_, index) => states[index] === "running");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return order;
}

/** Nothing is known yet of how long the tasks take: so many are on the bus, where the order is fixed. */
const AHEAD = 4;

test("[E14] people take turns, however many runs each of them has, and so do the runs of one", async () => {
  const anns: string[] = [];
  for (let i = 0; i < 12; i++) anns.push(await start(1, "ann"));
  const bens = [await start(3, "ben"), await start(1, "ben")];
  const order = await work(...anns, ...bens);
  const ofBen = order.flatMap((run, at) => (run >= anns.length ? [at] : []));
  expect(ofBen).toHaveLength(4);
  expect(ofBen.at(-1)).toBeLessThanOrEqual(AHEAD + 2 * 4);
  expect(order[ofBen[1] as number], "his small run is not behind his large one").toBe(13);
});

test("[E14] what is high goes before what is normal, and low after it; within one, first come", async () => {
  const [low, normal, high] = [await start(80, "ann", "low"), await start(3, "ann"), await start(3, "ann", "high")];
  const order = await work(low, normal, high);
  const first = order.indexOf(2);
  expect(first, "behind what was on the bus before it came").toBeLessThanOrEqual(66);
  expect(order.slice(first, first + 3)).toEqual([2, 2, 2]);
  const rest = order.slice(first + 3);
  expect(rest.lastIndexOf(1)).toBeLessThan(rest.indexOf(0));
});

test("[E14] what was cancelled before it was sent keeps nobody waiting", async () => {
  const ahead = await start(60, "ann");
  const cancelled = await Promise.all(Array.from({ length: 12 }, () => start(1, "ann")));
  for (const run of cancelled) await fetch(`${hand.spindle.url}/api/runs/${run}/cancel`, { method: "POST" });
  for (const run of cancelled) await ended(hand.spindle.url, run);
  const due = await new PostgresQueue(hand.spindle.db).due(10_000);
  expect(due.filter(({ run_id }) => cancelled.includes(run_id))).toEqual([]);
  const unsent = "SELECT 1 FROM outbox o JOIN node_run n ON n.id = o.node_run_id WHERE o.sent_at IS NULL AND n.run_id = ANY($1)";
  await until(async () => (await hand.spindle.db.query(unsent, [cancelled])).rows.length === 0, 60_000, "the queue has none of them");
  await work(ahead);
});

test("[W2, W5] a task that a worker began before it was noted as sent is noted then, so that its lease is watched", async () => {
  const run = await start(1);
  const entry = await hand.claim();
  await hand.spindle.db.query("UPDATE node_run SET state = 'running', started_at = now() WHERE run_id = $1", [run]);
  const rows = "FROM node_run n WHERE n.id = o.node_run_id AND n.run_id = $1";
  await hand.spindle.db.query(`UPDATE outbox o SET sent_at = NULL ${rows}`, [run]);
  const isSent = async () =>
    (await hand.spindle.db.query("SELECT o.sent_at FROM outbox o JOIN node_run n ON n.id = o.node_run_id WHERE n.run_id = $1", [run]))
      .rows[0]?.sent_at !== null;
  await until(isSent, 60_000, "it is noted as sent");
  await hand.done(entry, 0);
  await ended(hand.spindle.url, run);
});

test("[E19] the key of a request is one person's: another person's same key starts a run of its own", async () => {
  const send = async (as: string) => {
    user = as;
    const form = new FormData();
    form.set("graph", JSON.stringify(graphOf([node("a", "output.preview", { value: 1 })])));
    const answer = await fetch(`${hand.spindle.url}/api/runs`, { method: "POST", body: form, headers: { "idempotency-key": "one" } });
    return { status: answer.status, run: ((await answer.json()) as { run: string }).run };
  };
  const [ann, bob, again] = [await send("ann"), await send("bob"), await send("ann")];
  expect([ann.status, bob.status, again]).toEqual([202, 202, ann]);
  expect(bob.run).not.toBe(ann.run);
  for (const { run } of [ann, bob]) await ended(hand.spindle.url, run);
});

test("[E14] a priority that there is not is refused, with the ones that there are", async () => {
  const answer = await fetch(`${hand.spindle.url}/api/runs?priority=urgent`, { method: "POST", body: new FormData() });
  expect(answer.status).toBe(422);
  expect(JSON.stringify(await answer.json())).toMatch(/high, normal or low|graph/);
});

test("[E14] a task that waits shows where it stands and how long it will be, once that can be known", async () => {
  const first = await start(1);
  const entry = await hand.claim();
  expect(entry.run).toBe(first);
  const holds = await hand.hold(entry);
  const [second, third] = [await start(1), await start(1)];
  const place = async (run: string) => (await getRun(hand.spindle.url, run)).nodes[0]?.notRunning?.queue;
  await until(async () => (await place(third))?.position === 2, 60_000, "the third is second in the queue");
  expect(await place(second)).toMatchObject({ position: 1, wait: expect.any(Number) });
  expect((await place(third))?.wait).toBeGreaterThanOrEqual((await place(second))?.wait ?? 0);
  holds.end();
  await hand.done(entry, 0);
  await hand.done(await hand.claim(), 0);
  await until(async () => (await place(third))?.position === 1, 60_000, "it moves up");
  await work(third);
  expect((await ended(hand.spindle.url, third)).live).toEqual([]);
});

test("[W3] a device takes what waited longest, whatever capability it is of", async () => {
  const other = pythonRoute("info.get_capabilities");
  const runs: string[] = [];
  for (const entry of [wait("a"), node("a", other.service, {}, "python"), wait("a")]) {
    const { body } = await submit(hand.spindle.url, graphOf([entry]));
    runs.push(body.run);
    await until(async () => (await hand.queued()) === runs.length, 60_000, "it is on the bus");
  }
  const order: string[] = [];
  for (const _ of runs) {
    const entry = await hand.claim([other, WAIT_ROUTE]);
    order.push(entry.run);
    await hand.worker.settle({ v: 1, task: entry.task, outcome: "cancelled" });
  }
  expect(order).toEqual(runs);
});

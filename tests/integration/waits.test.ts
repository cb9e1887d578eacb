// DESIGN E18: whatever is open says why it is not running. One stack, whose one worker is the test, and one fault after another.
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { NotRunning } from "../../apps/runtime/src/tasks/why-not-running.ts";
import { ended, getRun, graphOf, node, startRun, until, wait, wire } from "../support/spindle.ts";
import { WorkerHand } from "../support/worker-hand.ts";

let hand: WorkerHand;
let url: string;
beforeAll(async () => {
  // A try that fails is repeated late, and a silent worker is waited for long enough to be seen.
  hand = await WorkerHand.start({ proxied: true, env: { SPINDLE_RETRY_BASE_MS: "60000", SPINDLE_LEASE_MS: "6000" } });
  url = hand.spindle.url;
});
afterAll(() => hand?.stop());

let runs: string[];
beforeEach(() => {
  runs = [];
});
afterEach(async () => {
  for (const run of runs) await fetch(`${url}/api/runs/${run}/cancel`, { method: "POST" });
  for (const run of runs) await ended(url, run);
});

async function start(graph: object): Promise<string> {
  const run = await startRun(url, graph);
  runs.push(run);
  return run;
}

/** Waits until a node run says that it waits for this. */
const waitsFor = (run: string, path: string, kind: NotRunning["kind"]): Promise<NotRunning> =>
  until(
    async () => {
      const why = (await getRun(url, run)).nodes.find((one) => one.path === path)?.notRunning;
      return why?.kind === kind ? why : undefined;
    },
    60_000,
    `${path} says ${kind}`,
  );

const list = async (): Promise<{ id: string; notRunning: NotRunning | null }[]> => {
  const input = encodeURIComponent(JSON.stringify({ limit: 20 }));
  return ((await (await fetch(`${url}/trpc/runs.list?input=${input}`)).json()) as { result: { data: never } }).result.data;
};
const metric = async (kind: string): Promise<number | undefined> => {
  const found = new RegExp(`^spindle_not_running_seconds\\{kind="${kind}"\\} (.+)$`, "m").exec(
    await (await fetch(`${url}/metrics`)).text(),
  );
  return found ? Number(found[1]) : undefined;
};
const chain = graphOf(
  [wait("first"), wait("second"), node("end", "output.preview")],
  [wire("first", "value", "second", "value"), wire("second", "value", "end", "value")],
);

test("[E18] one task waits for a worker and the rest for it, and the run, its list and the metric say so", async () => {
  const run = await start(chain);
  const queued = await waitsFor(run, "first", "queue");
  expect(queued).toMatchObject({ text: expect.stringMatching(/^Queued/), action: null });
  expect(await waitsFor(run, "end", "before")).toMatchObject({ text: "It runs after second." });
  expect((await getRun(url, run)).notRunning).toMatchObject({ kind: "queue" });
  expect((await list()).find(({ id }) => id === run)?.notRunning).toMatchObject({ kind: "queue" });
  expect(await metric("queue")).toBeGreaterThan(0);
  const all = (await (await fetch(`${url}/api/runs/${run}/nodes`)).json()) as { notRunning: NotRunning | null }[];
  expect(all.map(({ notRunning }) => notRunning?.kind).sort()).toEqual(["before", "before", "queue"]);
});

test("[E18] a worker that is gone, and an engine that cannot run, are told apart", async () => {
  const run = await start(chain);
  hand.engines = undefined;
  await hand.report();
  expect(await waitsFor(run, "first", "no-worker")).toMatchObject({
    text: "No Python worker answers.",
    action: expect.stringContaining("Start a Python worker"),
  });
  hand.engines = { live: false, reason: "Its model is missing." };
  await hand.report();
  expect((await waitsFor(run, "first", "engine-not-live")).text).toContain("Its model is missing.");
  hand.engines = { live: true };
  await hand.report();
  await waitsFor(run, "first", "queue");
});

test("[M4, E18] a node that names an engine which is not live is accepted, waits for that one, and runs on it", async () => {
  hand.engines = { live: false, reason: "Its model is missing." };
  await hand.report();
  const isLive = async () => {
    const { capabilities } = (await (await fetch(`${url}/api/capabilities`)).json()) as {
      capabilities: { id: string; engines: { live: boolean }[] }[];
    };
    return capabilities.find(({ id }) => id === "dummy.dummy_task")?.engines[0]?.live;
  };
  await until(async () => (await isLive()) === false, 60_000, "the engine is known not to be live");
  const run = await start(graphOf([wait("a")], [], { nodes: { a: { engine: "default" } } }));
  expect((await waitsFor(run, "a", "engine-not-live")).text).toContain("Its model is missing.");
  hand.engines = { live: true };
  await hand.report();
  await until(isLive, 60_000, "the engine is known to be live");
  const entry = await hand.claim();
  await hand.worker.beat(entry);
  await hand.done(entry, 1);
  expect((await ended(url, run)).state).toBe("succeeded");
});

test("[E18] a worker that goes silent is told of before its lease is over, and the next try until it begins", async () => {
  const run = await start(graphOf([wait("a")]));
  const entry = await hand.claim();
  const holds = await hand.hold(entry);
  await until(async () => (await getRun(url, run)).nodes[0]?.state === "running", 60_000, "it runs");
  expect((await getRun(url, run)).notRunning).toBeNull();
  holds.end();
  await waitsFor(run, "a", "silent-worker");
  expect((await waitsFor(run, "a", "retry")).text).toMatch(/^Try 2 begins in \d+ s\.$/);
});

test("[E18] a map whose elements all wait says what they wait for, and nothing once one of them runs", async () => {
  const list = node("list", "constant.array", { value: [1, 2] });
  const over = { from: "list", to: "each", metadata: { sourcePort: "value", targetPort: "value", map: {} } };
  const run = await start(graphOf([list, wait("each")], [over]));
  await waitsFor(run, "each", "queue");
  const holds = await hand.hold(await hand.claim());
  const why = async () => (await getRun(url, run)).nodes.find(({ path }) => path === "each")?.notRunning;
  await until(async () => (await why()) === null, 60_000, "the map runs");
  holds.end();
});

test("[E18] while Redis is away, the outage is why", async () => {
  const run = await start(chain);
  hand.weather({ down: true });
  try {
    await waitsFor(run, "first", "outage");
  } finally {
    hand.weather({});
  }
  await waitsFor(run, "first", "queue");
});

test("[E18] a person and a breakpoint are waited for, and say so while the run rests", async () => {
  const graph = graphOf(
    [node("ask", "human.ask_person", { message: "Well?", buttons: ["Yes"] }), node("held", "constant.string", { value: "x" })],
    [],
    {
      nodes: { held: { breakpoint: "before" } },
    },
  );
  const run = await start(graph);
  await waitsFor(run, "ask", "person");
  await waitsFor(run, "held", "breakpoint");
  await until(async () => (await getRun(url, run)).state === "waiting", 60_000, "the run rests");
  expect((await getRun(url, run)).notRunning).toMatchObject({ action: expect.any(String) });
});

// A ComfyUI that means harm: the bridge to it goes on, the runtime hears nothing of it, and what ran there fails with a reason.
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { Random } from "../../packages/graph-model/src/shared-doc/random-updates.testing.ts";
import { comfy } from "../support/comfy.ts";
import { bytesAtRandom, everySeed, inspected, pick, SEEDS, Watched } from "../support/hostile.ts";
import { HostileComfy, jsonAnswer, longAnswer } from "../support/hostile-comfy.ts";
import { ended, graphOf, node, type Spindle, startRun, startSpindle, until, wire } from "../support/spindle.ts";

let hostile: HostileComfy;
let spindle: Spindle;
let watched: Watched;
beforeAll(async () => {
  hostile = await HostileComfy.start();
  const { port, route } = await inspected();
  spindle = await startSpindle({ worker: false, route, env: { COMFY_URL: hostile.url, SPINDLE_COMFY_LIBRARY_MS: "500" } });
  watched = new Watched(spindle, port);
  await until(isOffered, 60_000, "ComfyUI's nodes are there");
}, 600_000);
afterAll(async () => {
  await spindle?.stop();
  await hostile?.stop();
});
beforeEach(() => hostile.repent());

async function isOffered(): Promise<boolean> {
  const { capabilities } = JSON.parse((await watched.ask("/api/capabilities")).text) as {
    capabilities: { plane: string; live: boolean }[];
  };
  return capabilities.some(({ plane, live }) => plane === "comfy" && live);
}

let shade = 0;
/** A picture that was never made before. */
const picture = () =>
  graphOf(
    [comfy("make", "EmptyImage", { width: 16, height: 8, batch_size: 1, color: ++shade }), node("shown", "output.preview")],
    [wire("make", "IMAGE", "shown", "value")],
  );

/** One run while ComfyUI means harm, of which the person hears; then one while it does not. */
async function survives(): Promise<void> {
  const run = await startRun(spindle.url, picture());
  const { state, error } = await ended(spindle.url, run, 100_000);
  if (state !== "succeeded") expect(error?.message, "why it failed").toMatch(/\w{3}/);
  expect(["succeeded", "failed"]).toContain(state);
  hostile.repent();
  await until(isOffered, 60_000, "ComfyUI's nodes are there again");
  expect((await ended(spindle.url, await startRun(spindle.url, picture()))).state).toBe("succeeded");
}

const CALLS = ["POST /prompt", "GET /history/", "GET /queue", "GET /view", "GET /internal/logs/raw"];
const ODD = [
  null,
  0,
  "x",
  [],
  {},
  [[]],
  { prompt_id: {} },
  { prompt_id: "x", node_errors: 1 },
  { queue_running: 1, queue_pending: null },
  { entries: [1] },
];

const isOf = (call: string, asked: string) => asked.replace(/^(\w+) \/api/, "$1 ").startsWith(call);
const bridge = () => spindle.processes.bridge?.pid;

/** Each makes two runs. */
const RUNS = Math.ceil(SEEDS / 5);

test(`answers of wrong types and statuses end no bridge, ${RUNS} times`, async () => {
  const pid = bridge();
  await survives();
  await watched.isWarm();
  await everySeed(async (next: Random) => {
    const call = pick(next, CALLS);
    const answers = [
      ...ODD.map((value) => jsonAnswer(value, pick(next, [200, 200, 400, 500]))),
      jsonAnswer({ outputs: pick(next, ODD), status: pick(next, ODD) }),
      (response: Parameters<ReturnType<typeof jsonAnswer>>[0]) => void response.writeHead(200).end(bytesAtRandom(next, 500)),
      (response: Parameters<ReturnType<typeof jsonAnswer>>[0]) => void response.destroy(),
    ];
    let left = 1 + Math.floor(next() * 3);
    hostile.answers = (asked) => (isOf(call, asked) && left-- > 0 ? pick(next, answers) : undefined);
    await survives();
    expect(bridge()).toBe(pid);
  }, RUNS);
  await watched.expectWhole();
}, 900_000);

/** In short the two of which most is kept. */
const LONG = ["POST /prompt", "GET /object_info", ...(SEEDS < 100 ? [] : CALLS.slice(1))];

test.each(LONG)("an answer of 100 MB to %s ends no bridge", async (call) => {
  const pid = bridge();
  let left = 1;
  hostile.answers = (asked) => (isOf(call, asked) && left-- > 0 ? longAnswer(100e6) : undefined);
  await watched.prompt(survives);
  expect(bridge(), spindle.processes.bridge?.lastLines.join("\n")).toBe(pid);
});

test("words and frames without end hold nobody up, and the run ends when they do", async () => {
  const pid = bridge();
  const frame = Buffer.concat([Buffer.from([0, 0, 0, 1, 0, 0, 0, 2]), Buffer.alloc(100_000, 1)]);
  let sent = 0;
  hostile.talk = (socket) => {
    const say = () => {
      if (socket.readyState !== socket.OPEN) return;
      sent++;
      socket.send(JSON.stringify({ type: "progress_state", data: { prompt_id: "x", nodes: { a: { value: "x" } } } }));
      socket.send(frame, () => setImmediate(say));
    };
    say();
  };
  const run = await startRun(spindle.url, picture());
  await watched.prompt(async () => {
    const enough = sent + 500;
    await until(async () => sent > enough, 60_000, "much was said");
  });
  hostile.repent();
  expect((await ended(spindle.url, run)).state).toBe("succeeded");
  expect(bridge(), spindle.processes.bridge?.lastLines.join("\n")).toBe(pid);
  await watched.expectWhole();
});

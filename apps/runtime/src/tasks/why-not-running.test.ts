import { expect, test } from "vitest";
import type { OpenRun, WaitingRow } from "../record/types.ts";
import { type Circumstances, type NotRunningKind, whyNotRunning, whyRunIsNot } from "./why-not-running.ts";

const at = (second: number) => new Date(Date.UTC(2026, 0, 1, 0, 0, second));
const ROW: WaitingRow = {
  id: "1",
  run_id: "r",
  node_id: "n",
  path: "n",
  state: "dispatched",
  plane: "python",
  service: "speak",
  version: "1",
  engine: "kokoro",
  attempt: 1,
  fence: 1,
  changed_at: at(10),
  held: null,
  retry_in: null,
  answer_in: null,
};
const RUN: OpenRun = {
  id: "r",
  revision_id: "v",
  state: "running",
  cancel_requested: false,
  since: at(0),
  unowned: false,
  owner_until: null,
};
const WELL: Circumstances = { plane: { answers: true, reportedAt: at(5) }, engine: { label: "Kokoro", live: true }, before: [] };

const AWAY = [
  { plane: "python", label: "F5", live: false, reason: "weights are missing." },
  { plane: "python", label: "Kokoro", live: false },
  { plane: "comfy", label: "Talk", live: false, reason: "it is away" },
  { plane: "python", label: "espeak", live: false },
];
const LIVE = AWAY.map((engine, index) => ({ ...engine, live: index === 1 }));
/** @param answering the planes whose workers answer */
const openTo = (engines: typeof AWAY, answering: string[]) => ({
  label: "Speak",
  engines,
  version: "2",
  planeOf: (plane: string) => ({ answers: answering.includes(plane), reportedAt: at(5) }),
});

const why = (row: Partial<WaitingRow> = {}, known: Partial<Circumstances> = {}, run: Partial<OpenRun> = {}) =>
  whyNotRunning({ ...ROW, ...row }, { ...RUN, ...run }, { ...WELL, ...known });

const BUSY = { reason: "It has another prompt.", since: at(15).toISOString(), hangs: false };

const PAUSED = { device: "GPU work", by: "", since: at(12) };

test.each<[NotRunningKind, string, Parameters<typeof why>, since?: Date]>([
  ["paused", "Its device is paused (GPU work): nothing new begins.", [{}, { paused: PAUSED }], at(12)],
  [
    "paused",
    "Every device is paused by ann: nothing new begins.",
    [{ retry_in: 4000 }, { paused: { ...PAUSED, device: undefined, by: "ann" }, plane: { answers: false } }],
    at(12),
  ],
  ["cancelling", "It is being cancelled.", [{ cancel_requested: true }, { paused: PAUSED }]],
  ["before", "It runs after Voice and 1 more.", [{ state: "queued" }, { before: ["Voice", "Picture"] }]],
  ["turn", "Everything before it is over: it begins in its turn.", [{ state: "queued" }]],
  [
    "before",
    "It runs after Voice.",
    [
      { state: "queued", engine: "" },
      { before: ["Voice"], open: openTo(AWAY, ["python"]) },
    ],
  ],
  ["turn", "Everything before it is over: it begins in its turn.", [{ state: "queued", engine: "" }, { open: openTo(LIVE, ["python"]) }]],
  [
    "engine-not-live",
    "No engine of Speak can run now (F5: weights are missing; Kokoro: no worker offers it; Talk: it is away, and 1 more).",
    [{ state: "queued", engine: "" }, { open: openTo(AWAY, ["python"]) }],
  ],
  [
    "no-worker",
    "No Python worker answers. Speak can run on F5, Kokoro, Talk, and 1 more.",
    [{ state: "queued", engine: "" }, { open: openTo(AWAY, []) }],
    at(10),
  ],
  ["engine-not-live", "Nothing offers Speak now.", [{ state: "queued", engine: "" }, { open: openTo([], ["python"]) }]],
  ["queue", "Queued for a worker.", []],
  ["queue", "Queued, position 2, about 90 s.", [{}, { queue: { position: 2, wait: 89_500 } }]],
  ["queue", "Queued, position 2, about 2 min.", [{}, { queue: { position: 2, wait: 119_600 } }]],
  ["retry", "Try 2 begins in 3 s.", [{ attempt: 2, retry_in: 2400 }]],
  ["no-worker", "No Python worker answers.", [{}, { plane: { answers: false, reportedAt: at(20) } }], at(20)],
  ["no-worker", "No Python worker that answers offers speak on kokoro.", [{}, { engine: undefined }]],
  [
    "wrong-version",
    "No worker that answers has version 1 of speak; the newest has 2.",
    [{ retry_in: 2000 }, { offered: { version: "2", runnable: true } }],
  ],
  [
    "wrong-version",
    "The bridge to ComfyUI that answers has version 2 of speak, not 1.",
    [{ plane: "comfy" }, { offered: { version: "2", runnable: false } }],
  ],
  [
    "wrong-version",
    "No worker that answers has version 1 of Speak; the newest has 2.",
    [{ state: "queued", engine: "" }, { open: { ...openTo(LIVE, ["python"]), asksFor: "1" } }],
  ],
  ["no-worker", "No Python worker answers.", [{}, { plane: { answers: false }, offered: { version: "2", runnable: true } }]],
  ["server-busy", "It has another prompt.", [{ plane: "comfy" }, { busy: BUSY }], at(15)],
  ["server-busy", "It has another prompt.", [{ plane: "comfy", state: "running" }, { busy: BUSY }], at(15)],
  ["engine-not-live", "Kokoro cannot run now. No GPU.", [{}, { engine: { label: "Kokoro", live: false, reason: "No GPU." } }]],
  [
    "silent-worker",
    "Its worker has gone silent. Another try begins when its lease is over.",
    [{ state: "running" }, { workerSilentSince: at(30) }],
    at(30),
  ],
  ["outage", "Redis does not answer, so its task reaches no worker.", [{}, { redisSilentSince: at(40) }], at(40)],
  ["outage", "Redis does not answer, so nothing is heard of its worker.", [{ state: "running" }, { redisSilentSince: at(40) }], at(40)],
  ["person", "It waits for a person's answer.", [{ state: "waiting", plane: "node" }]],
  ["person", "It waits for a person's answer. It goes on by itself in 5 s.", [{ state: "waiting", answer_in: 4200 }]],
  ["breakpoint", "It is held before it runs.", [{ state: "waiting", held: "before" }]],
  ["breakpoint", "It is held after it ran.", [{ state: "succeeded", held: "after" }]],
  [
    "owner-gone",
    "No runtime drives the run: the one that did is gone.",
    [{ state: "queued" }, {}, { unowned: true, owner_until: at(50) }],
    at(50),
  ],
  ["owner-gone", "No runtime drives the run: the one that did is gone.", [{ state: "running", plane: "node" }, {}, { unowned: true }]],
  ["cancelling", "It is being cancelled.", [{}, {}, { cancel_requested: true }]],
])("[E18] an open node run says why it is not running: %s, %s", (kind, text, given, since = at(10)) => {
  expect(why(...given)).toMatchObject({ kind, text, since: since.toISOString() });
});

test("[E18] what is running waits for nothing", () => {
  expect(why({ state: "running" })).toBeUndefined();
  expect(why({ state: "running", plane: "node" })).toBeUndefined();
});

test("[E13, E18] of a server that cannot be stopped it is said what ends that", () => {
  expect(why({ plane: "comfy" }, { busy: { ...BUSY, hangs: true } })?.action).toBe("Start that ComfyUI again, or cancel the run.");
  expect(why({ plane: "comfy" }, { busy: BUSY })?.action).toBeNull();
});

test("[E18] there is no position in a queue that nobody serves", () => {
  expect(why({}, { queue: { position: 1 }, plane: { answers: false } })).not.toHaveProperty("queue");
  expect(why({}, { queue: { position: 1 } })).toMatchObject({ queue: { position: 1 } });
});

test("[E18] a run says the weightiest of its reasons, of equals the oldest, and none while a node of it is running", () => {
  const rows = (...all: Partial<WaitingRow>[]) => all.map((row) => ({ row: { ...ROW, ...row }, why: why(row) }));
  const queued = { path: "q", changed_at: at(7) };
  expect(whyRunIsNot(RUN, rows(queued, {}, { path: "w", state: "waiting" }))).toMatchObject({ kind: "person" });
  expect(whyRunIsNot(RUN, rows({}, queued))).toMatchObject({ kind: "queue", since: at(7).toISOString() });
  expect(whyRunIsNot(RUN, rows(queued, { path: "b", state: "running" }))).toBeUndefined();
  const around = { path: "m", plane: "node", state: "running" } as const;
  expect(whyRunIsNot(RUN, rows(around, { path: "m#3" })), "a map whose elements wait").toMatchObject({ kind: "queue" });
  expect(whyRunIsNot(RUN, []), "before its first node has begun").toMatchObject({ kind: "turn" });
  expect(whyRunIsNot({ ...RUN, unowned: true }, [])).toMatchObject({ kind: "owner-gone" });
});

// DESIGN E21: a run asks the library for no definition of a node. The one worker is the test, which changes what it offers, or offers it no
// more, while runs wait, rest and change their runtime.
import type { Capability } from "@spindle/schemas";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { NotRunning } from "../../apps/runtime/src/tasks/why-not-running.ts";
import { ended, graphOf, node, type Spindle, startRun, until, wait, wire } from "../support/spindle.ts";
import { WAIT_ROUTE, WorkerHand } from "../support/worker-hand.ts";

const WAIT = "dummy.dummy_task";

let hand: WorkerHand;
let url: string;
beforeAll(async () => {
  hand = await WorkerHand.start({ env: { SPINDLE_LEASE_MS: "20000" } });
  url = hand.spindle.url;
});
afterEach(async () => {
  hand.engines = { live: true };
  await offer((capability) => capability);
  await until(
    async () => {
      const entry = await entryOf();
      return entry?.version === WAIT_ROUTE.version && entry.engines?.[0]?.live === true && !JSON.stringify(entry.io.input).includes("must");
    },
    60_000,
    "the library is as it was",
  );
});
afterAll(() => hand?.stop());

async function offer(offers: WorkerHand["offers"]): Promise<void> {
  hand.offers = offers;
  await hand.report();
}
/** Another build of the same version, whose ports have other names and types. */
const changed = (capability: Capability): Capability =>
  capability.id === WAIT
    ? {
        ...capability,
        io: {
          input: { type: "object", properties: { must: { type: "boolean" } }, required: ["must"] },
          output: { type: "object", properties: {} },
        },
      }
    : capability;
const without = (capability: Capability): Capability | undefined => (capability.id === WAIT ? undefined : capability);

const entryOf = async () => {
  const { capabilities } = (await (await fetch(`${url}/api/capabilities`)).json()) as { capabilities: Capability[] };
  return capabilities.find(({ id }) => id === WAIT);
};
const isChanged = () =>
  until(async () => JSON.stringify((await entryOf())?.io.input).includes("must"), 60_000, "the library has the changed definition");
const restart = async ({ processes }: Spindle) => {
  const before = processes.runtime?.pid as number;
  process.kill(before, "SIGKILL");
  await until(async () => processes.runtime?.pid !== before && (await fetch(`${url}/health`)).ok, 60_000, "the runtime is back");
};
const why = (run: string, path: string, kind: NotRunning["kind"]) =>
  until(
    async () => {
      const all = (await (await fetch(`${url}/api/runs/${run}/nodes`)).json()) as { path: string; notRunning: NotRunning | null }[];
      const found = all.find((each) => each.path === path)?.notRunning;
      return found?.kind === kind ? found : undefined;
    },
    60_000,
    `${path} says ${kind}`,
  );
const stateOf = async (run: string, path: string) =>
  (await hand.spindle.db.query("SELECT state, error FROM node_run WHERE run_id = $1 AND path = $2", [run, path])).rows[0];
const end = async () => {
  const entry = await hand.claim();
  await hand.worker.beat(entry);
  await hand.done(entry, 1);
};
const chain = () => graphOf([wait("a", { value: 1 }), wait("b", { seconds: 0 })], [wire("a", "value", "b", "value")]);

test("[E21] a capability changes while its run changes the runtime: what is left of the run is what was accepted", async () => {
  const run = await startRun(url, chain());
  const first = await hand.claim();
  await hand.worker.beat(first);
  await offer(changed);
  await isChanged();
  await restart(hand.spindle);
  await isChanged();
  await hand.done(first, 1);
  await end();
  const { state, error } = await ended(url, run);
  expect({ state, error }).toEqual({ state: "succeeded", error: null });
});

test("[E21, E18] a capability that no worker offers any more fails no run: it waits, says so, and goes on once one does", async () => {
  const run = await startRun(url, chain());
  const first = await hand.claim();
  await hand.worker.beat(first);
  await offer(without);
  await restart(hand.spindle);
  await hand.done(first, 1);
  expect((await why(run, "b", "no-worker")).text).toContain("dummy.dummy_task");
  expect(await stateOf(run, "b")).toMatchObject({ state: "dispatched", error: null });
  await offer((capability) => capability);
  await end();
  expect((await ended(url, run)).state).toBe("succeeded");
});

test("[E21, E7] a run that rests while its capabilities change asks and goes on with what it was accepted with", async () => {
  const form = { type: "object", properties: { word: { type: "string" } } };
  const asks = node("ask", "human.ask_person", { message: "?", form, buttons: ["Ok"] });
  const run = await startRun(url, graphOf([asks, wait("b", { seconds: 0 })], [{ from: "ask", to: "b" }]));
  await why(run, "ask", "person");
  await until(
    async () => (await hand.spindle.db.query("SELECT state FROM run WHERE id = $1", [run])).rows[0]?.state === "waiting",
    60_000,
    "it rests",
  );
  await offer(changed);
  await isChanged();
  const answer = await fetch(`${url}/api/runs/${run}/answers`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ path: "ask", values: { word: "yes" }, button: "Ok" }),
  });
  expect(answer.status, await answer.text()).toBeLessThan(300);
  await end();
  expect((await ended(url, run)).state).toBe("succeeded");
});

test("[E21, W3] an open engine of another version is not chosen: the run says which version it waits for", async () => {
  hand.engines = { live: false, reason: "Its model is missing." };
  await hand.report();
  await until(async () => (await entryOf())?.engines?.[0]?.live === false, 60_000, "no engine is live");
  const run = await startRun(url, graphOf([wait("a", { seconds: 0 })]));
  await why(run, "a", "engine-not-live");
  hand.engines = { live: true };
  await offer((capability) => (capability.id === WAIT ? { ...capability, version: "2099.01.0" } : capability));
  expect(await why(run, "a", "wrong-version")).toMatchObject({ version: "2099.01.0" });
  await offer((capability) => capability);
  await end();
  expect((await ended(url, run)).state).toBe("succeeded");
});

test("[E21] definitions are stored once, however many runs name them", async () => {
  const count = async () => (await hand.spindle.db.query("SELECT count(*)::int AS n FROM frozen_definition")).rows[0].n as number;
  const all = await Promise.all([1, 2, 3].map(() => startRun(url, graphOf([wait("a", { seconds: 0 })]))));
  const before = await count();
  const more = await startRun(url, graphOf([wait("x", { seconds: 0 }), wait("y", { seconds: 0 })]));
  expect(await count()).toBe(before);
  for (const run of [...all, more]) await fetch(`${url}/api/runs/${run}/cancel`, { method: "POST" });
  for (const run of [...all, more]) await ended(url, run);
});

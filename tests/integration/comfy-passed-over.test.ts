// Several ComfyUI servers that have the same: one that has others' work, or does not answer, is passed over, and harms nobody else.
import type { CombinedManifest } from "@spindle/schemas";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { NotRunning } from "../../apps/runtime/src/tasks/why-not-running.ts";
import { FakeComfy } from "../../workers/comfy-bridge/test/fake/fake-comfy.ts";
import { comfy, logOf, pictureGraph } from "../support/comfy.ts";
import { ended, getRun, graphOf, type Spindle, startRun, startSpindle, until, wire } from "../support/spindle.ts";

let fakes: FakeComfy[];
let spindle: Spindle;
beforeAll(async () => {
  fakes = await Promise.all([FakeComfy.start(), FakeComfy.start(), FakeComfy.start()]);
  spindle = await startSpindle({ worker: false, env: { COMFY_URL: fakes.map(({ url }) => url).join(",") } });
  const areAllThere = async () => (await engines()).filter(({ live }) => live).length === fakes.length;
  await until(areAllThere, 60_000, "all servers have reported");
});
afterAll(async () => {
  for (const fake of fakes ?? []) fake.faults = {};
  await spindle?.stop();
  for (const fake of fakes ?? []) await fake.stop();
});

async function engines() {
  const { capabilities } = (await (await fetch(`${spindle.url}/api/capabilities`)).json()) as CombinedManifest;
  return capabilities.find(({ id, plane }) => plane === "comfy" && id === "EmptyImage")?.engines ?? [];
}
const engineOf = async (fake: FakeComfy) => (await engines()).find(({ label }) => label?.endsWith(new URL(fake.url).host))?.id;

let count = 0;
const picture = () =>
  graphOf([comfy("make", "EmptyImage", { color: ++count }), comfy("show", "PreviewImage")], [wire("make", "IMAGE", "show", "images")]);
/** The servers that have been sent something since. */
function sentTo() {
  const before = fakes.map(({ prompts }) => prompts.length);
  return () => fakes.filter(({ prompts }, at) => prompts.length > (before[at] as number));
}

/** Many steps on one server. */
async function long(fake: FakeComfy, timeoutSeconds?: number): Promise<string> {
  const graph = pictureGraph(300, { nodes: [comfy("save", "SaveImage")], wires: [wire("decode", "IMAGE", "save", "images")], places: {} });
  const settings = { engine: await engineOf(fake), ...(timeoutSeconds ? { timeoutSeconds } : {}) };
  const [sample] = graph.nodes.filter(({ id }) => id === "sample");
  Object.assign(sample?.params ?? {}, { seed: ++count });
  const run = await startRun(spindle.url, { ...graph, metadata: { ...graph.metadata, nodes: { sample: settings } } });
  await until(async () => (await getRun(spindle.url, run)).live.some(({ node }) => node === "sample"), 60_000, "the sampler samples");
  return run;
}
const whyNot = (run: string, node: string): Promise<NotRunning> =>
  until(
    async () => {
      const why = (await getRun(spindle.url, run)).nodes.find((one) => one.node === node)?.notRunning;
      return why?.kind === "server-busy" ? why : undefined;
    },
    60_000,
    "it says what its server does",
  );

test("[M4] a server with the work of others is passed over, and is the usual one again once it has none", async () => {
  const first = sentTo();
  await ended(spindle.url, await startRun(spindle.url, picture()));
  const [usual] = first() as [FakeComfy];
  const prompt = {
    wait: { class_type: "KSampler", inputs: { steps: 10_000, delay: 20, seed: 1 } },
    show: { class_type: "PreviewAny", inputs: { source: ["wait", 0] } },
  };
  await fetch(`${usual.url}/prompt`, { method: "POST", body: JSON.stringify({ prompt, client_id: "else", prompt_id: "else" }) });
  const named = { ...picture(), metadata: { nodes: { make: { engine: await engineOf(usual) } } } };
  const waits = await startRun(spindle.url, named);
  expect((await whyNot(waits, "make")).text).toMatch(/has another prompt to do first\.$/);
  for (let time = 0; time < 2; time++) {
    const sent = sentTo();
    const view = await ended(spindle.url, await startRun(spindle.url, picture()));
    expect(view.error).toBeNull();
    expect(sent()).toEqual([expect.anything()]);
    expect(sent()).not.toContain(usual);
  }
  expect((await getRun(spindle.url, waits)).state, "who names a server waits for it").toBe("running");
  usual.restart();
  expect((await ended(spindle.url, waits)).state).toBe("succeeded");
  const isUsualAgain = async () => {
    const sent = sentTo();
    await ended(spindle.url, await startRun(spindle.url, picture()));
    return sent().includes(usual);
  };
  await until(isUsualAgain, 60_000, "the usual server is chosen again");
});

test("[E13, E18, M4] a server that falls silent in a prompt is said to be; others go on; cancel, time-out and its return end the run", async () => {
  const [back, cancelled, late] = fakes as [FakeComfy, FakeComfy, FakeComfy];
  const [returns, ends] = [await long(back), await long(late, 25)];
  const atBack = back.prompts.length;
  const readings = () => late.calls.filter((call) => call === "GET /internal/logs/raw").length;
  const before = readings();
  await until(async () => readings() > before, 60_000, "what it writes is read while the prompt runs");
  for (const fake of [back, late]) fake.faults = { silent: true };
  const why = await whyNot(returns, "sample");
  expect(why.text).toBe(`ComfyUI at ${new URL(back.url).host} does not answer.`);
  expect(why.action).toBe("Start that ComfyUI again, or cancel the run.");
  await whyNot(ends, "sample");
  const sent = sentTo();
  for (let time = 0; time < 3; time++) expect((await ended(spindle.url, await startRun(spindle.url, picture()))).error).toBeNull();
  expect(sent(), "what comes meanwhile runs on the one that answers").toEqual([cancelled]);

  const stopped = await long(cancelled);
  cancelled.faults = { silent: true };
  await whyNot(stopped, "sample");
  await fetch(`${spindle.url}/api/runs/${stopped}/cancel`, { method: "POST" });
  expect((await ended(spindle.url, stopped)).state, "its server says nothing yet").toBe("cancelled");
  const timedOut = await ended(spindle.url, ends);
  expect(JSON.stringify(timedOut.error)).toContain("task.timeout");
  expect(await logOf(spindle.url, ends, "sample")).toMatch(
    /^ComfyUI did not answer when the task ended\. This is what it had written a moment before:\n *\d+%\|.*\/300$/,
  );

  for (const fake of fakes) fake.faults = {};
  const view = await ended(spindle.url, returns);
  expect(view.error).toBeNull();
  expect(view.nodes.find(({ node }) => node === "sample")).toMatchObject({ state: "succeeded", attempt: 1 });
  expect(back.prompts, "it was not moved, nor sent twice").toHaveLength(atBack);
  for (const fake of [cancelled, late])
    await until(async () => fake.queue.running + fake.queue.pending === 0, 60_000, "it gives up what was ended");
  expect((await ended(spindle.url, await startRun(spindle.url, picture()))).error).toBeNull();
});

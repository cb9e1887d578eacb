// DESIGN E13, E18: a ComfyUI server that has something else to do. What waits for it says so, whoever gave it that.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { NotRunning } from "../../apps/runtime/src/tasks/why-not-running.ts";
import type { FakeComfy } from "../../workers/comfy-bridge/test/fake/fake-comfy.ts";
import { type ComfySpindle, comfy, startAnyComfySpindle } from "../support/comfy.ts";
import { ended, getRun, graphOf, startRun, until, wire } from "../support/spindle.ts";

let spindle: ComfySpindle<FakeComfy | undefined>;
beforeAll(async () => {
  spindle = await startAnyComfySpindle({ worker: false, offers: "OddDeaf" }, (fake) => fake.addOddPack());
});
afterAll(() => spindle?.stop());

const picture = () =>
  graphOf(
    [comfy("make", "EmptyImage", { color: Date.now() % 0xffffff }), comfy("show", "PreviewImage")],
    [wire("make", "IMAGE", "show", "images")],
  );
const busy = (run: string): Promise<NotRunning> =>
  until(
    async () => {
      const why = (await getRun(spindle.url, run)).nodes.find(({ node }) => node === "make")?.notRunning;
      return why?.kind === "server-busy" ? why : undefined;
    },
    60_000,
    "it says that the server is busy",
  );

test("[E13, E18] a server that cannot be stopped gets no task until it is free, and what waits for it says why", async () => {
  const deaf = graphOf(
    [comfy("deaf", "OddDeaf", { seconds: 20, number: Date.now() }), comfy("show", "PreviewImage")],
    [wire("deaf", "IMAGE", "show", "images")],
  );
  const id = await startRun(spindle.url, deaf);
  const isRunning = async () => (await getRun(spindle.url, id)).nodes.find(({ node }) => node === "deaf")?.state === "running";
  await until(isRunning, 60_000, "the deaf node runs");
  const next = await startRun(spindle.url, picture());
  await fetch(`${spindle.url}/api/runs/${id}/cancel`, { method: "POST" });
  expect((await ended(spindle.url, id)).state, "its run is free").toBe("cancelled");
  const why = await busy(next);
  expect(why.text).toMatch(/^ComfyUI at \S+ is still in a step of a prompt that was ended, and cannot be stopped there\.$/);
  expect(why.action).toBe("Start that ComfyUI again, or cancel the run.");
  expect((await getRun(spindle.url, next)).nodes.find(({ node }) => node === "make")?.state, "nobody took it").not.toBe("succeeded");
  expect((await ended(spindle.url, next)).state).toBe("succeeded");
});

test("[E18] a prompt behind those of others says how many they are, and ends after them", async () => {
  const { fake } = spindle;
  if (!fake) return; // a real server's queue is its owner's
  const wait = { class_type: "KSampler", inputs: { steps: 100, delay: 100, seed: 1 } };
  const show = { class_type: "PreviewAny", inputs: { source: ["wait", 0] } };
  for (let count = 0; count < 2; count++) {
    const body = JSON.stringify({ prompt: { wait, show }, client_id: `somebody-${count}`, prompt_id: `somebody-${count}` });
    await fetch(`${fake.url}/prompt`, { method: "POST", headers: { "content-type": "application/json" }, body });
  }
  const run = await startRun(spindle.url, picture());
  // What the bridge said last may be of the prompt before.
  const why = expect.objectContaining({ text: expect.stringMatching(/has 2 other prompts to do first\.$/), action: null });
  await expect.poll(() => busy(run)).toEqual(why);
  await fake.restart();
  expect((await ended(spindle.url, run)).state).toBe("succeeded");
});

// Whole tasks: what a person reads at the node where a server does not let the bridge in, and what becomes of the prompt.
import type { TaskEntry } from "@spindle/schemas";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeComfy } from "../../test/fake/fake-comfy.ts";
import type { Faults } from "../../test/fake/faults.ts";
import { TaskBench } from "../../test/task-bench.ts";
import { ComfyHttp } from "../comfy/http.ts";
import { runTask } from "./run-task.ts";

let fake: FakeComfy;
let bench: TaskBench;
beforeEach(async () => {
  [fake, bench] = [await FakeComfy.start(), await TaskBench.start()];
});
afterEach(async () => {
  fake.faults = {};
  await Promise.all([fake.stop(), bench.stop()]);
});

/** Steps of 20 ms. */
const sampled = (steps: number) => ({
  wait: { class_type: "KSampler", inputs: { steps, delay: 20, seed: 1 } },
  show: { class_type: "PreviewAny", inputs: { source: ["wait", 0] } },
});

const limits: boolean[] = [];
async function run(entry: TaskEntry) {
  limits.length = 0;
  const parts = {
    bus: bench.bus(),
    comfy: new ComfyHttp(fake.url),
    runtime: bench.runtime,
    log: () => {},
    onPlace: () => {},
    onSilence: () => {},
    onLimited: (isLimited: boolean) => void limits.push(isLimited),
  };
  const left = await runTask(parts, entry, new AbortController().signal);
  return { left, result: bench.results.at(-1) };
}

function whenItRuns(act: () => unknown): void {
  const timer = setInterval(() => {
    if (fake.queue.running === 0) return;
    clearInterval(timer);
    act();
  }, 5);
}

describe("a server that lets the bridge in no more in the middle of a prompt", () => {
  test.each<[string, Faults, RegExp]>([
    ["needs a login", { login: true }, /^ComfyUI at \S+ needs a login \(401\); the bridge has none\. Let it in by its address\.$/],
    ["sends it to a login", { login: "redirect" }, /sends the bridge elsewhere \(302, to https:\/\/login\.example\): .* COMFY_URL/],
    ["shows a login", { login: "page" }, /answers with a page instead of data: a login may be before it/],
  ])("because it %s is said to, with what to do", async (_, faults, words) => {
    whenItRuns(() => {
      fake.faults = faults;
      fake.cut(); // so that it is asked at once
    });
    const { result } = await run(bench.entry(sampled(200)));
    expect(result).toMatchObject({
      outcome: "failed",
      error: { class: "infra", code: "comfy.no_access", message: expect.stringMatching(words) },
    });
    expect(JSON.stringify(result)).not.toContain("secret");
  });

  test("by too many requests is asked again within the task, which ends as it would have", async () => {
    fake.faults = { limited: 3 };
    whenItRuns(() => {
      fake.faults = { limited: 4 };
      fake.cut();
    });
    const { result } = await run(bench.entry(sampled(20)));
    expect(result).toMatchObject({ outcome: "succeeded" });
    expect([limits[0], limits.at(-1)]).toEqual([true, false]);
    expect(fake.prompts).toHaveLength(1);
  });

  test("by too many requests without end keeps nobody who cancels", async () => {
    whenItRuns(() => {
      fake.faults = { limited: Number.POSITIVE_INFINITY };
      fake.cut();
      bench.answer = "cancel";
    });
    expect((await run(bench.entry(sampled(1000)))).result).toMatchObject({ outcome: "cancelled" });
  });
});

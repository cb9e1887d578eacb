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
    ["needs a login", { login: true }, /^ComfyUI at \S+ needs a login \(401\); the bridge has none\. Let it in by its address, or write/],
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

describe("previews that cannot be used", () => {
  const batch = (frames: number) => ({
    make: { class_type: "EmptyImage", inputs: { width: 8, height: 8, batch_size: frames, color: 1 } },
    show: { class_type: "PreviewImage", inputs: { images: ["make", 0] } },
  });
  const gives = (count: number) => [
    ...Array.from({ length: count }, (_, at) => ({ node: `make${at}`, port: "image", from: `make${at}>image`, pick: "image" as const })),
    { node: "show", port: "images", from: "show", pick: "images" as const },
  ];
  test("for they are 300 are left out and counted, and the run ends well with the others", async () => {
    const { result } = await run(bench.entry(batch(300), {}, gives(0)));
    expect(result).toMatchObject({ outcome: "succeeded", log: expect.stringContaining("44 of 300 previews of show were left out") });
    const { show } = (result?.output ?? {}) as Record<string, { images: unknown[] }>;
    expect(show?.images).toHaveLength(256);
    expect(result?.objects).toHaveLength(256);
  });
  test("for results need the room are left out, whichever came first", async () => {
    const savers = Object.fromEntries(
      Array.from({ length: 10 }, (_, at) => [
        `make${at}>image`,
        { class_type: "SaveImage", inputs: { images: ["make", 0], filename_prefix: `${at}` } },
      ]),
    );
    const { result } = await run(bench.entry({ ...batch(24), ...savers }, {}, gives(10)));
    expect(result).toMatchObject({ outcome: "succeeded", log: expect.stringContaining("8 of 24 previews of show were left out") });
    expect(result?.objects).toHaveLength(256);
  });
  test("for the store refuses them, or nobody can read them, are left out and counted; progress goes on", async () => {
    bench.refuses = ["preview"];
    fake.faults = { unreadable: true };
    const { result } = await run(bench.entry(sampled(20)));
    expect(result).toMatchObject({ outcome: "succeeded", log: expect.stringMatching(/left out: The runtime answers 413/) });
    expect(result?.log).toMatch(/20 previews were left out: ComfyUI sent it in a form that is not known/);
    expect(bench.progress.some(({ node, steps }) => node === "wait" && steps === 20)).toBe(true);
    expect(bench.progress.some(({ preview }) => preview)).toBe(false);
  });
});

describe("a task that is ended while its server works", () => {
  test("by its time-out has what ComfyUI had written by then", async () => {
    const { result } = await run(bench.entry(sampled(1000), { timeoutMs: 400 }));
    expect(result).toMatchObject({
      outcome: "failed",
      error: { code: "task.timeout" },
      log: expect.stringMatching(/\d+%\|.*\| \d+\/1000/),
    });
  });
  test("[E13] by a cancel is cancelled again and again, until ComfyUI heeds it", async () => {
    fake.faults = { deafTo: 2 };
    whenItRuns(() => {
      bench.answer = "cancel";
    });
    const { result, left } = await run(bench.entry(sampled(1000)));
    expect(result).toMatchObject({ outcome: "cancelled" });
    expect(left).toBeUndefined();
    expect(fake.queue).toEqual({ running: 0, pending: 0 });
    expect(fake.calls.filter((call) => call === "POST /interrupt").length).toBeGreaterThanOrEqual(3);
  });
  test("[E13] by a cancel that ComfyUI never heeds is free all the same, and the prompt is known to hang", async () => {
    fake.faults = { deafTo: Number.POSITIVE_INFINITY };
    whenItRuns(() => {
      bench.answer = "cancel";
    });
    const { result, left } = await run(bench.entry(sampled(1000)));
    expect(result).toMatchObject({ outcome: "cancelled" });
    expect(left).toMatchObject({ id: expect.any(String), hangs: true });
    expect(fake.queue.running).toBe(1);
    fake.restart();
  });
});

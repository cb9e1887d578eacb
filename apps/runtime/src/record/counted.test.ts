import { expect, test } from "vitest";
import { BoundedLabel, counted, metrics } from "../metrics.ts";
import { NodeRunCounts } from "./counted.ts";

test("a label has so many values at most; those that come later share one", () => {
  const label = new BoundedLabel(2);
  expect(["a", "b", "c", "a", "d"].map((value) => label.of(value))).toEqual(["a", "b", "other", "a", "other"]);
});

const row = (id: string) => ({ id, state: "queued", plane: "comfy", service: `Class${id}`, engine: "default" }) as never;

test("a library of thousands of capabilities makes no more series than the label's values", async () => {
  const counts = new NodeRunCounts();
  for (let i = 0; i < 3000; i++) {
    counts.learn([row(String(i))]);
    counts.count({ nodeRun: String(i), fence: 0, change: "succeedHere", output: {}, tookMs: 5 }, { id: String(i), state: "succeeded" });
  }
  const { values } = await metrics.nodeRunsEnded.get();
  const all = values.filter(({ labels }) => labels.plane === "comfy");
  expect(all.length).toBeLessThanOrEqual(201);
  expect(all.reduce((sum, { value }) => sum + value, 0)).toBe(3000);
  expect((await counted.metrics()).length).toBeLessThan(1024 * 1024);
});

test("a wait is counted from when the task was due to when a worker began it, and a breakpoint after a node counts nothing again", async () => {
  let now = 1000;
  const counts = new NodeRunCounts(() => now);
  const change = (name: object, state: string) => counts.count({ nodeRun: "w", fence: 0, ...name } as never, { id: "w", state } as never);
  counts.learn([{ id: "w", state: "queued", plane: "waiting", service: "waited.for", engine: "default" } as never]);
  change({ change: "dispatch", dispatchIn: 0, input: {} }, "dispatched");
  now += 2000;
  change({ change: "start", body: {} }, "running");
  now += 3000;
  change({ change: "succeed", output: {} }, "succeeded");
  change({ change: "holdAfter", held: "after" }, "succeeded");
  change({ change: "resumeAfter" }, "succeeded");
  const sum = async (of: { get(): Promise<{ values: { labels: object; value: number; metricName?: string }[] }> }, end: string) =>
    (await of.get()).values.find(
      ({ labels, metricName }) => (labels as { plane?: string }).plane === "waiting" && (metricName ?? "").endsWith(end),
    )?.value;
  expect(await sum(metrics.queueWait, "_sum")).toBe(2);
  expect(await sum(metrics.nodeRunSeconds, "_sum")).toBe(3);
  expect(await sum(metrics.nodeRunSeconds, "_count")).toBe(1);
});

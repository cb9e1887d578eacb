import type { Library, NodeDefinition } from "@spindle/graph-model";
import { expect, test } from "vitest";
import type { QueueOrders } from "../record/record.ts";
import { Pauses } from "./pauses.ts";

const known = { plane: "python", service: "test.known", runtime: { kind: "cpu" } } as unknown as NodeDefinition;
const library: Library = { find: (_, service) => (service === known.service ? known : undefined), all: () => [known] };
const task = (service: string, plane = "python") => ({ plane, service, engine: "" }) as never;

async function pausesOf(...devices: string[]): Promise<Pauses> {
  const paused = devices.map((device) => ({ device, by: "", at: new Date(0) }));
  const pauses = new Pauses({ paused: async () => paused } as unknown as QueueOrders, () => library);
  await pauses.refresh();
  return pauses;
}

test("[E20] before the pauses are read, everything is held back", async () => {
  const pauses = new Pauses({ paused: async () => [] } as unknown as QueueOrders, () => library);
  expect([pauses.isAny, pauses.isHeld(task("test.known"))]).toEqual([true, true]);
  await pauses.refresh();
  expect([pauses.isAny, pauses.isHeld(task("test.known"))]).toEqual([false, false]);
});

test("[E20] a task that nobody offers now may be for any device of its plane, and is held by a pause of one", async () => {
  const pauses = await pausesOf("python/gpu");
  expect([task("test.known"), task("test.away"), task("Away", "comfy")].map((each) => pauses.isHeld(each))).toEqual([false, true, false]);
});

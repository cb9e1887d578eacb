// What the figures of the Comfy plane are measured with: a bridge to the fake ComfyUI, and the library of its classes.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Library } from "@spindle/graph-model";
import { makeLibrary } from "@spindle/node-library";
import { mergeLibraries, readObjectInfo } from "../../workers/comfy-bridge/src/library/index.ts";
import { FakeComfy } from "../../workers/comfy-bridge/test/fake/fake-comfy.ts";
import { Supervised } from "../launch/child.ts";
import { ROOT } from "../launch/paths.ts";
import { until } from "../launch/ports.ts";
import type { Bench } from "./figure.ts";

/** Of a real server, as it was recorded. */
export const objectInfo = (): string => readFileSync(join(ROOT, "workers/comfy-bridge/test/recordings/object_info.json"), "utf8");

export const knownLibrary = (text: string): Library =>
  makeLibrary(mergeLibraries([{ id: "a", url: "http://a:1", ...readObjectInfo(text), live: true }]));

/** @param offers a class that the library has once its nodes are there; @param info what the ComfyUI has, its own without it */
export async function withBridge<T>(bench: Bench, offers: string, work: (fake: FakeComfy) => Promise<T>, info?: string): Promise<T> {
  const fake = await FakeComfy.start();
  if (info !== undefined) fake.objectInfo = info;
  const bridge = new Supervised({
    name: "bridge",
    command: process.execPath,
    args: ["--import", "tsx", join(ROOT, "workers/comfy-bridge/src/main.ts")],
    cwd: ROOT,
    env: { ...bench.env, COMFY_URL: fake.url },
  });
  try {
    await until(
      async () => (await (await fetch(`${bench.url}/api/capabilities`)).text()).includes(`"${offers}"`),
      60_000,
      () => "ComfyUI's nodes are not there",
    );
    return await work(fake);
  } finally {
    await bridge.stop();
    await fake.stop();
  }
}

// The graphs that every ComfyUI can run, without models, through a whole Spindle. Against the fake; with SPINDLE_COMFY_UNDER_TEST, the URL
// of a real one, against that.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "../../infra/launch/paths.ts";
import type { FakeComfy } from "../../workers/comfy-bridge/test/fake/fake-comfy.ts";
import { MODEL_FREE, ODD, readConversation } from "../../workers/comfy-bridge/test/fake/program.ts";
import { type ComfySpindle, comfy, startAnyComfySpindle } from "../support/comfy.ts";
import { ended, graphOf, node, submit, wire } from "../support/spindle.ts";

let spindle: ComfySpindle<FakeComfy | undefined>;
beforeAll(async () => {
  spindle = await startAnyComfySpindle({ worker: false, offers: "EmptyImage" });
});
afterAll(() => spindle?.stop());

async function run(graph: unknown) {
  const { status, body } = await submit(spindle.url, graph);
  expect(status, JSON.stringify(body)).toBe(202);
  const view = await ended(spindle.url, body.run);
  expect(view.error).toBeNull();
  return view;
}
const colour = Math.floor(Math.random() * 0xffffff); // so that a server that was used before has it in no cache

describe("a ComfyUI without models", () => {
  test("scales, saves and shows a picture", async () => {
    const view = await run(
      graphOf(
        [
          comfy("make", "EmptyImage", { width: 64, height: 48, batch_size: 1, color: colour }),
          comfy("scale", "ImageScale", { upscale_method: "nearest-exact", width: 32, height: 32, crop: "disabled" }),
          comfy("save", "SaveImage", { filename_prefix: "spindle/test" }),
          comfy("show", "PreviewImage"),
        ],
        [wire("make", "IMAGE", "scale", "image"), wire("scale", "IMAGE", "save", "images"), wire("make", "IMAGE", "show", "images")],
      ),
    );
    const output = Object.fromEntries(view.nodes.map((nodeRun) => [nodeRun.node, nodeRun.output]));
    expect(output.save).toMatchObject({ image: { mime: "image/png", width: 32, height: 32 } });
    expect(output.show).toMatchObject({ image: { width: 64, height: 48 } });
  });
  test("gives numbers and texts to other planes and takes them from there", async () => {
    const view = await run(
      graphOf(
        [
          node("all", "constant.object", { value: { width: 40 } }),
          node("wide", "json.pick", { path: "width" }),
          comfy("make", "EmptyImage", { height: 24, batch_size: 1, color: colour }),
          comfy("show", "PreviewImage"),
          node("look", "output.preview"),
        ],
        [
          wire("all", "value", "wide", "json"),
          wire("wide", "value", "make", "width"),
          wire("make", "IMAGE", "show", "images"),
          wire("show", "image", "look", "value"),
        ],
      ),
    );
    expect(view.outputs).toMatchObject({ value: { width: 40, height: 24 } });
  });
  test("makes a video of pictures", async () => {
    const view = await run(
      graphOf(
        [
          comfy("make", "EmptyImage", { width: 64, height: 64, batch_size: 8, color: colour }),
          comfy("film", "CreateVideo", { fps: 8 }),
          comfy("save", "SaveVideo", { filename_prefix: "spindle/test", format: "mp4", codec: "h264" }),
        ],
        [wire("make", "IMAGE", "film", "images"), wire("film", "VIDEO", "save", "video")],
      ),
    );
    expect(view.outputs).toMatchObject({ video: { mime: "video/mp4" } });
  });
});

test("the recorder finds no difference in a server that plays the recordings, and one in a server that does not", async () => {
  const { fake } = spindle;
  if (!fake) return;
  const record = () =>
    promisify(execFile)(process.execPath, [`${ROOT}/apps/runtime/bin/spindle.mjs`, "comfy", "record", "--url", fake.url]).then(
      ({ stdout }) => ({ code: 0, out: stdout }),
      (error: { code: number; stdout: string; stderr: string }) => ({ code: error.code, out: error.stdout + error.stderr }),
    );
  const all = [...MODEL_FREE, ...ODD];
  fake.addOddPack();
  fake.plays = all.map(readConversation);
  const same = await record();
  expect(same.out).not.toContain("differs");
  expect(same.code).toBe(0);
  fake.plays = all.map(() => readConversation("07_execution_error"));
  const other = await record();
  expect(other.code).toBe(1);
  expect(other.out).toContain("differs");
});

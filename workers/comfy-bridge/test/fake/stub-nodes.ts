// Carries a prompt out with stub nodes: what ComfyUI would say, in its order, for a few of its nodes.

import { readFileSync } from "node:fs";
import { solidPng } from "./png.ts";
import type { FakeProgram, JsonObject, Prompt, Step } from "./program.ts";

/** One second of ffmpeg's test picture, 64 x 48. */
const SMALL_VIDEO = readFileSync(new URL("small.mp4", import.meta.url));

interface Picture {
  width: number;
  height: number;
  colour: number;
  count: number;
}

interface Made {
  result: unknown[];
  ui?: JsonObject;
  files?: { file: string; bytes: Buffer; mime: string }[];
}

type Stub = (
  inputs: JsonObject,
  about: { id: string; number: number; files: ReadonlyMap<string, Buffer> },
) => Made | AsyncGenerator<Step, Made>;

const number = (value: unknown, otherwise: number): number => (typeof value === "number" ? value : otherwise);
const picture = (value: unknown): Picture => ({ width: 64, height: 64, colour: 0x808080, count: 1, ...(value as Partial<Picture>) });

/** Saved or shown pictures, one file for each of the batch. */
const pictures =
  (type: "output" | "temp"): Stub =>
  (inputs, { id, number: run }) => {
    const { width, height, colour, count } = picture(inputs.images ?? inputs.mask);
    const files = Array.from({ length: count }, (_, index) => ({
      filename: `${type === "temp" ? "ComfyUI_temp" : String(inputs.filename_prefix ?? "ComfyUI").replaceAll("/", "_")}_${run}_${id.replaceAll(/[^a-z0-9]/gi, "")}_${index}.png`,
      subfolder: "",
      type,
    }));
    const bytes = solidPng(width, height, colour, JSON.stringify({ run }));
    return {
      result: [],
      ui: { images: files },
      files: files.map((file) => ({ file: `${file.type}//${file.filename}`, bytes, mime: "image/png" })),
    };
  };

async function* sampled(inputs: JsonObject, id: string): AsyncGenerator<Step, Made> {
  const steps = number(inputs.steps, 4);
  const colour = (number(inputs.seed, 1) * 2654435761) & 0xffffff;
  for (let step = 1; step <= steps; step++) {
    yield { wait: number(inputs.delay, 30) };
    yield { frame: preview(id, solidPng(48, 48, (colour * step) & 0xffffff)) };
    yield { written: `\r${String(Math.round((100 * step) / steps)).padStart(3)}%|          | ${step}/${steps}` };
    yield { say: "progress", data: { value: step, max: steps, node: id } };
  }
  yield { written: "\n" };
  return { result: [{ ...picture(inputs.latent_image), colour }] };
}

/** One step, within which nothing is heard. */
async function* deaf(seconds: number): AsyncGenerator<Step, Made> {
  yield { wait: seconds * 1000 };
  return { result: [picture({})] };
}

/** A progress bar for each window, each from its start. */
async function* inWindows(id: string, windows: number): AsyncGenerator<Step, Made> {
  for (let window = 0; window < windows; window++)
    for (let step = 1; step <= 4; step++) {
      yield { wait: 100 };
      yield { say: "progress", data: { value: step, max: 4, node: id } };
    }
  return { result: [picture({})] };
}

const PROMPT_ID_LENGTH = 36;

/** A type 4 frame; the server puts the prompt's id in place. */
function preview(id: string, image: Buffer): Buffer {
  const about = Buffer.from(
    JSON.stringify({
      node_id: id,
      prompt_id: "?".repeat(PROMPT_ID_LENGTH),
      display_node_id: id,
      parent_node_id: null,
      real_node_id: id,
      image_type: "image/png",
    }),
  );
  const head = Buffer.alloc(8);
  head.writeUInt32BE(4, 0);
  head.writeUInt32BE(about.length, 4);
  return Buffer.concat([head, about, image]);
}

export const STUBS: Record<string, Stub> = {
  CheckpointLoaderSimple: () => ({ result: ["model", "clip", "vae"] }),
  CLIPTextEncode: (inputs) => ({ result: [String(inputs.text)] }),
  EmptyLatentImage: (inputs) => ({ result: [picture({ width: inputs.width, height: inputs.height, count: inputs.batch_size })] }),
  KSampler: (inputs, { id }) => sampled(inputs, id),
  VAEDecode: (inputs) => ({ result: [inputs.samples] }),
  EmptyImage: (inputs) => ({
    result: [picture({ width: inputs.width, height: inputs.height, colour: inputs.color, count: inputs.batch_size })],
  }),
  ImageScale: (inputs) => ({ result: [{ ...picture(inputs.image), width: inputs.width, height: inputs.height }] }),
  ImageInvert: (inputs) => ({ result: [{ ...picture(inputs.image), colour: 0xffffff - picture(inputs.image).colour }] }),
  GetImageSize: (inputs) => ({ result: [picture(inputs.image).width, picture(inputs.image).height, picture(inputs.image).count] }),
  LoadImage: (inputs, { files }) => {
    const bytes = files.get(String(inputs.image));
    if (!bytes) throw new Error(`Invalid image file: ${String(inputs.image)}`);
    return { result: [picture({ width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) }), picture({})] };
  },
  LoadImageMask: () => ({ result: [picture({})] }),
  SaveImage: pictures("output"),
  PreviewImage: pictures("temp"),
  MaskPreview: pictures("temp"),
  PreviewAny: (inputs) => ({
    result: [],
    ui: { text: [typeof inputs.source === "string" ? inputs.source : JSON.stringify(inputs.source)] },
  }),
  CreateVideo: (inputs) => ({ result: [picture(inputs.images)] }),
  SaveVideo: (_, { number: run }) => {
    const filename = `video_${run}_.mp4`;
    return {
      result: [],
      ui: { images: [{ filename, subfolder: "video", type: "output" }], animated: [true] },
      files: [{ file: `output/video/${filename}`, bytes: SMALL_VIDEO, mime: "video/mp4" }],
    };
  },
  PrimitiveInt: (inputs) => ({ result: [inputs.value] }),
  PrimitiveString: (inputs) => ({ result: [inputs.value] }),
  WanVideoSampler: (_, { id }) => inWindows(id, 3),
  VHS_VideoCombine: (_, { number: run }) => {
    const filename = `talk_${run}_.mp4`;
    return {
      result: [],
      ui: { gifs: [{ filename, subfolder: "", type: "temp", format: "video/h264-mp4", frame_rate: 25 }] },
      files: [{ file: `temp//${filename}`, bytes: SMALL_VIDEO, mime: "video/mp4" }],
    };
  },
  OddDeaf: (inputs) => deaf(number(inputs.seconds, 1)),
  ProbeFail: () => {
    throw Object.assign(new Error("boom"), { type: "ValueError" });
  },
  ProbeMemory: () => {
    throw Object.assign(new Error("Allocation on device"), { type: "torch.OutOfMemoryError" });
  },
};

/** Keeps what each signature gave, as ComfyUI does. */
export function execute(files: ReadonlyMap<string, Buffer>): FakeProgram {
  const cache = new Map<string, Made>();
  let runs = 0;
  return async function* ({ id: promptId, prompt, targets, interrupted }) {
    runs++;
    const order = reached(prompt, targets);
    const signature = signatures(prompt, order);
    const cached = order.filter((id) => cache.has(signature.get(id) as string));
    const about = { prompt_id: promptId };
    yield { say: "execution_start", data: { ...about, timestamp: Date.now() } };
    yield { say: "execution_cached", data: { nodes: cached, ...about, timestamp: Date.now() } };
    const made = new Map<string, Made>();
    const executed: string[] = [];
    for (const id of order) {
      const key = signature.get(id) as string;
      const known = cache.get(key);
      if (!known) yield { say: "executing", data: { node: id, display_node: id, ...about } };
      try {
        const outcome = known ?? (yield* carryOut(prompt, id, made, files, runs));
        made.set(id, outcome);
        cache.set(key, outcome);
        executed.push(id);
        for (const file of outcome.files ?? []) yield file;
        if (outcome.ui) yield { say: "executed", data: { node: id, display_node: id, output: outcome.ui, ...about } };
      } catch (error) {
        const { message, type = "RuntimeError" } = error as Error & { type?: string };
        const failed = {
          node_id: id,
          node_type: prompt[id]?.class_type,
          executed,
          exception_message: message,
          exception_type: type,
          traceback: ['  File "nodes.py", line 1\n'],
          current_inputs: { api_key: ["sk-secret"] },
        };
        yield { say: "execution_error", data: { ...about, ...failed, timestamp: Date.now() } };
        return;
      }
      if (interrupted()) return;
    }
    yield { say: "execution_success", data: { ...about, timestamp: Date.now() } };
  };
}

async function* carryOut(
  prompt: Prompt,
  id: string,
  made: ReadonlyMap<string, Made>,
  files: ReadonlyMap<string, Buffer>,
  run: number,
): AsyncGenerator<Step, Made> {
  const { class_type, inputs } = prompt[id] as Prompt[string];
  const stub = STUBS[class_type];
  if (!stub) return { result: Array.from({ length: 4 }, (_, slot) => `${class_type} ${slot}`) };
  const values = Object.entries(inputs).map(
    ([name, value]) => [name, isLink(value) ? made.get(value[0])?.result[value[1]] : value] as const,
  );
  const outcome = stub(Object.fromEntries(values), { id, number: run, files });
  return Symbol.asyncIterator in outcome ? yield* outcome : outcome;
}

export const isLink = (value: unknown): value is [string, number] =>
  Array.isArray(value) && value.length === 2 && typeof value[0] === "string" && typeof value[1] === "number";

/** Every node that the targets need, each after what it needs. */
function reached(prompt: Prompt, targets: readonly string[]): string[] {
  const order: string[] = [];
  const visit = (id: string): void => {
    if (order.includes(id) || !prompt[id]) return;
    for (const value of Object.values(prompt[id].inputs)) if (isLink(value)) visit(value[0]);
    order.push(id);
  };
  for (const id of targets) visit(id);
  return order;
}

function signatures(prompt: Prompt, order: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const id of order) {
    const { class_type, inputs } = prompt[id] as Prompt[string];
    const own = Object.entries(inputs).map(([name, value]) => [name, isLink(value) ? [found.get(value[0]), value[1]] : value]);
    found.set(id, JSON.stringify([class_type, own]));
  }
  return found;
}

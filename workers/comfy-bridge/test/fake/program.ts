// What the fake ComfyUI does with a prompt: a recorded conversation played again, or the prompt carried out with stub nodes.
import { readFileSync } from "node:fs";
import { solidPng } from "./png.ts";

export type JsonObject = Record<string, unknown>;
export type Prompt = Record<string, { class_type: string; inputs: JsonObject }>;

export type Step =
  /** Sent to the prompt's own socket; `everyone` to all of them. */
  | { say: string; data: JsonObject; everyone?: boolean }
  | { frame: Buffer }
  | { wait: number }
  /** On the server's terminal. */
  | { written: string }
  /** A file that can be fetched from now on. */
  | { file: string; bytes: Buffer; mime: string };

export interface Submission {
  id: string;
  prompt: Prompt;
  targets: string[];
  /** Ends the work, as an interrupt does between two steps. */
  interrupted: () => boolean;
}

/** @returns how the prompt ended, for its history; `lie` says success without a message that says so */
export type FakeProgram = (submission: Submission) => AsyncGenerator<Step, void>;

interface Recorded {
  dir?: string;
  t?: number;
  json?: { type: string; data: JsonObject };
  base64?: string;
  http?: string;
  label?: string | null;
  status?: number;
  request?: { prompt: Prompt } & JsonObject;
  response?: JsonObject;
}

export interface Conversation {
  entries: Recorded[];
  prompt: Prompt;
  /** The body that was sent. */
  request: JsonObject;
  answer: { status: number; body: JsonObject };
}

/** Those that need nothing but ComfyUI's own nodes, and no model. */
export const MODEL_FREE = [
  "01_simple_ok",
  "02_cached_rerun",
  "09_partly_invalid_one_output_ok",
  "10_all_outputs_invalid_400",
  "11_missing_node_type_400",
  "12_no_outputs_400",
  "13_type_mismatch_400",
  "15_save_webp_video",
  "16_audio",
  "17_partial_execution_targets",
] as const;

/** About nodes of odd-pack, each as Spindle sends it (tests/integration/comfy-odd.test.ts). */
export const ODD = [
  "odd_values",
  "odd_lists",
  "odd_expand",
  "odd_silent",
  "odd_loud",
  "odd_steps",
  "odd_caption",
  "odd_dynamic",
  "odd_fail",
] as const;

export function readConversation(name: string): Conversation {
  const entries = JSON.parse(readFileSync(new URL(`../recordings/conversations/${name}.json`, import.meta.url), "utf8")) as Recorded[];
  const post = entries.find((entry) => entry.http === "POST /prompt" && entry.request);
  return {
    entries,
    prompt: post?.request?.prompt ?? {},
    request: post?.request ?? {},
    answer: { status: post?.status ?? 200, body: post?.response ?? {} },
  };
}

/** Plays what the server said, with this prompt's id in place of the recorded one; in time, or as fast as it goes. */
export function replayConversation({ entries, answer }: Conversation, inTime = false): FakeProgram {
  const recorded = String(answer.body.prompt_id ?? "");
  const log = entries.find((entry) => entry.http === "GET /internal/logs/raw")?.response as { entries: { m: string }[] } | undefined;
  return async function* ({ id, interrupted }) {
    let before = 0;
    for (const { m } of log?.entries ?? []) if (!/^(got prompt|Prompt executed)/.test(m)) yield { written: m };
    for (const { dir, t = before, json, base64 } of entries) {
      if (dir !== "s>c") continue;
      if (inTime && t > before) yield { wait: (t - before) * 1000 };
      before = t;
      if (interrupted()) return;
      if (base64) yield { frame: withId(Buffer.from(base64, "base64"), recorded, id) };
      if (!json || json.type === "feature_flags" || "sid" in json.data) continue;
      const data = JSON.parse(JSON.stringify(json.data).replaceAll(recorded, id)) as JsonObject;
      if (json.type === "executed") for (const file of filesOf(Object(data.output))) yield file;
      yield { say: json.type, data, ...(json.type === "status" ? { everyone: true } : {}) };
    }
  };
}

/** Ids have the same length, so that no length in the frame changes. */
function withId(frame: Buffer, recorded: string, id: string): Buffer {
  const at = recorded.length === id.length ? frame.indexOf(recorded) : -1;
  if (at < 0) return frame;
  const copy = Buffer.from(frame);
  copy.write(id, at, "latin1");
  return copy;
}

/** The recordings name files and do not have them; a picture stands for each. */
function filesOf(output: Record<string, unknown>): Step[] {
  return Object.values(output).flatMap((list) =>
    (Array.isArray(list) ? list : []).flatMap((file): Step[] => {
      const { filename, subfolder, type } = Object(file) as Record<string, string>;
      if (!filename) return [];
      const ending = filename.split(".").at(-1) ?? "";
      return [{ file: `${type}/${subfolder}/${filename}`, bytes: solidPng(8, 8, 0), mime: MIME[ending] ?? "image/png" }];
    }),
  );
}

const MIME: Record<string, string> = {
  webp: "image/webp",
  mp4: "video/mp4",
  webm: "video/webm",
  flac: "audio/flac",
  mp3: "audio/mpeg",
  opus: "audio/ogg",
};

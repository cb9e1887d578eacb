// What people are told of a ComfyUI beside its library: its memory, its queue, and how many model files its nodes name.
import type { Capability, WorkerReport } from "@spindle/schemas";

type Reported = NonNullable<WorkerReport["servers"]>[number];
export type ServerFacts = Pick<Reported, "version" | "memory" | "queue">;

/** A server may say anything, for instance that it has a million devices. */
const MOST_DEVICES = 16;
const MOST_LETTERS = 200;

const text = (value: unknown, most = MOST_LETTERS): string | undefined =>
  typeof value === "string" && value !== "" ? value.slice(0, most) : undefined;
const count = (value: unknown): number | undefined =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;

/** @param stats the answer to /system_stats @param prompt the answer to GET /prompt */
export function readFacts(stats: unknown, prompt: unknown): ServerFacts {
  const { system, devices } = Object(stats);
  const version = text(Object(system).comfyui_version, 64);
  const queue = count(Object(Object(prompt).exec_info).queue_remaining);
  const all = [
    ...(Array.isArray(devices) ? devices.slice(0, MOST_DEVICES) : []).map((device) => {
      const { name, type, vram_total, vram_free } = Object(device);
      // The memory of a ComfyUI on a CPU is the machine's, which is told anyhow.
      return type === "cpu" ? undefined : memoryOf(text(name) ?? "a device", vram_total, vram_free);
    }),
    memoryOf("RAM", Object(system).ram_total, Object(system).ram_free),
  ];
  const memory = all.flatMap((each) => each ?? []);
  return { ...(version ? { version } : {}), ...(queue === undefined ? {} : { queue }), memory };
}

function memoryOf(name: string, total: unknown, free: unknown): NonNullable<Reported["memory"]>[number] | undefined {
  const [all, left] = [count(total), count(free)];
  return all === undefined || left === undefined ? undefined : { name, total: all, free: Math.min(all, left) };
}

const MODEL = /\.(?:safetensors|sft|ckpt|gguf|pt|pth|bin|onnx)$/i;

/** How many model files the lists of a server's nodes offer. */
export function countModels(nodes: ReadonlyMap<string, Capability>): number {
  const found = new Set<string>();
  for (const { io } of nodes.values())
    for (const schema of Object.values((io.input.properties ?? {}) as Record<string, { enum?: unknown }>))
      if (Array.isArray(schema.enum))
        for (const choice of schema.enum) if (typeof choice === "string" && MODEL.test(choice)) found.add(choice);
  return found.size;
}

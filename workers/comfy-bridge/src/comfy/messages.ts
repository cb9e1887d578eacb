// ComfyUI's JSON WebSocket messages, as far as the bridge acts on them (its execution.py and comfy_execution/progress.py).
import { parsePythonObject } from "@spindle/schemas/python-json";

interface OfPrompt {
  prompt: string;
}

export interface NodeError {
  node: string | undefined;
  nodeType: string;
  exceptionType: string;
  message: string;
  traceback: string[];
  /** Nodes that ran before; what the cache had is in another message. */
  executed: string[];
}

export type Message =
  | { type: "features"; features: Record<string, unknown> }
  | { type: "queue"; remaining: number }
  | ({ type: "start" } & OfPrompt)
  | ({ type: "cached"; nodes: string[] } & OfPrompt)
  /** No node: the prompt is over, and its history is written. */
  | ({ type: "executing"; node: string | undefined } & OfPrompt)
  | ({ type: "progress"; node: string; value: number; max: number } & OfPrompt)
  | ({ type: "states"; nodes: { node: string; value: number; max: number; state: string }[] } & OfPrompt)
  | ({ type: "executed"; node: string; output: Record<string, unknown> } & OfPrompt)
  | ({ type: "success" } & OfPrompt)
  | ({ type: "error"; error: NodeError } & OfPrompt)
  | ({ type: "interrupted" } & OfPrompt);

type Data = Record<string, unknown>;

const text = (value: unknown): string | undefined =>
  typeof value === "string" ? value : typeof value === "number" ? String(value) : undefined;
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.flatMap((one) => text(one) ?? []) : []);
const object = (value: unknown): Data => (value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Data) : {});
const count = (value: unknown): number => (typeof value === "number" && Number.isFinite(value) ? value : 0);

/** Undefined for what is no message or says nothing to the bridge; never throws. */
export function decodeMessage(raw: string): Message | undefined {
  const { type, data } = parsePythonObject(raw) ?? {};
  return typeof type === "string" ? readMessage(type, object(data)) : undefined;
}

/** Of a pair as history keeps it. */
export function readMessage(type: string, data: Data): Message | undefined {
  if (type === "feature_flags") return { type: "features", features: data };
  if (type === "status") return { type: "queue", remaining: count(object(object(data.status).exec_info).queue_remaining) };
  const prompt = text(data.prompt_id);
  if (prompt === undefined) return undefined;
  const node = text(data.display_node) ?? text(data.node);
  switch (type) {
    case "execution_start":
      return { type: "start", prompt };
    case "execution_cached":
      return { type: "cached", prompt, nodes: texts(data.nodes) };
    case "executing":
      return { type: "executing", prompt, node };
    case "progress":
      return node === undefined ? undefined : { type: "progress", prompt, node, value: count(data.value), max: count(data.max) };
    case "progress_state":
      return { type: "states", prompt, nodes: Object.entries(object(data.nodes)).map(([id, one]) => nodeState(id, object(one))) };
    case "executed":
      return node === undefined ? undefined : { type: "executed", prompt, node, output: object(data.output) };
    case "execution_success":
      return { type: "success", prompt };
    case "execution_interrupted":
      return { type: "interrupted", prompt };
    case "execution_error":
      return { type: "error", prompt, error: readError(data) };
    default:
      return undefined;
  }
}

const nodeState = (id: string, progress: Data) => ({
  node: text(progress.display_node_id) ?? id,
  value: count(progress.value),
  max: count(progress.max),
  state: text(progress.state) ?? "",
});

const readError = (data: Data): NodeError => ({
  node: text(data.node_id),
  nodeType: text(data.node_type) ?? "",
  exceptionType: text(data.exception_type) ?? "",
  message: text(data.exception_message) ?? "",
  traceback: texts(data.traceback),
  executed: texts(data.executed),
});

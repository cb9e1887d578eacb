// What went wrong in ComfyUI, as the runtime understands it: a class that says whether another try is worth it, and the node.
import type { TaskResult } from "@spindle/schemas";
import type { PromptAnswer } from "../comfy/http.ts";
import type { NodeError } from "../comfy/messages.ts";

export type TaskError = NonNullable<TaskResult["error"]>;

const MAX_MESSAGE = 3500;
const TRACE_LINES = 2;
const SECRET = /(api|auth|access)?[_-]?(key|token|secret|password)/i;

/** A task that cannot go on; the runtime decides what follows. */
export class TaskFailure extends Error {
  constructor(readonly error: TaskError) {
    super(error.message);
  }
}

export const failure = (kind: TaskError["class"], code: string, message: string, details?: Record<string, unknown>): TaskFailure =>
  new TaskFailure({ class: kind, code, message: message.slice(0, MAX_MESSAGE), ...(details ? { details } : {}) });

/** The graph's node behind a node of the prompt: loaders, savers and expanded nodes belong to one. */
export function graphNode(id: string, prompt: Readonly<Record<string, unknown>>): string {
  const own = id.split(/[<>]/)[0] as string;
  if (own !== id || id in prompt) return own;
  for (let at = own; at.includes("."); at = at.slice(0, at.lastIndexOf("."))) if (at in prompt) return at;
  return own.split(".")[0] as string;
}

/** An exception in a node. The values it had at hand are left out: they may be keys. */
export function fromException(error: NodeError, prompt: Readonly<Record<string, unknown>>): TaskFailure {
  const { exceptionType, message, traceback, executed } = error;
  const memory = /OutOfMemoryError$/.test(exceptionType);
  return failure(memory ? "oom" : "user", memory ? "comfy.out_of_memory" : "node.exception", sentence(exceptionType, message), {
    ...(error.node ? { node: graphNode(error.node, prompt) } : {}),
    executed: [...new Set(executed.map((id) => graphNode(id, prompt)))],
    exception: exceptionType,
    traceback: traceback.slice(-TRACE_LINES).map((line) => line.slice(0, 500)),
  });
}

const sentence = (type: string, message: string): string => {
  const text = message.trim() || type || "The node failed without saying why.";
  return type && !text.includes(type) ? `${text} (${type})` : text;
};

interface ValidationError {
  type?: string;
  message?: string;
  details?: string;
  extra_info?: Record<string, unknown>;
}

/** A prompt that ComfyUI would not run, or of which it would run only a part. */
export function fromRefusal({ body }: PromptAnswer, prompt: Readonly<Record<string, unknown>>): TaskFailure {
  const errors = (body.node_errors ?? {}) as Record<string, { errors?: ValidationError[]; class_type?: string }>;
  const top = (body.error ?? {}) as ValidationError;
  const [first, ...others] = Object.entries(errors);
  const byNode = Object.fromEntries(
    Object.entries(errors).map(([id, one]) => [graphNode(id, prompt), (one.errors ?? []).map(tell).join(" ")]),
  );
  const named = (top.extra_info?.node_id as string | undefined) ?? /^Node ID '#(.+)'$/.exec(top.details ?? "")?.[1]; // ComfyUI up to 0.3 says it only in words
  const blamed = first?.[0] ?? named;
  const node = blamed === undefined ? undefined : graphNode(blamed, prompt);
  const message = first
    ? `${(first[1].errors ?? []).map(tell).join(" ")}${others.length > 0 ? ` (and ${others.length} more nodes)` : ""}`
    : tell(top);
  return failure("user", "comfy.rejected", message || "ComfyUI refused the prompt without saying why.", {
    ...(node !== undefined ? { node } : {}),
    nodes: byNode,
  });
}

function tell({ message = "", details = "", extra_info = {} }: ValidationError): string {
  const input = typeof extra_info.input_name === "string" ? extra_info.input_name : "";
  const parts = SECRET.test(input) ? [input, message] : [message, details];
  const text = parts.filter((part) => part).join(": ");
  return text && `${text}.`;
}

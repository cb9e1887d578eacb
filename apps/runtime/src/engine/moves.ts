// The changes of a node run that more than one step makes.
import type { NodeMove } from "../record/changes.ts";
import type { Earlier } from "../record/types.ts";

type Values = Record<string, unknown>;

export const skipped = (broken: boolean, message: string): NodeMove => ({
  change: "skip",
  broken,
  error: { code: "node.skipped", message },
});

export const failed = (code: string, message: string, input?: Values): NodeMove => ({
  change: "fail",
  error: { class: "user", code, message },
  ...(input ? { input } : {}),
});

export const cancelled = (message = "Cancelled."): NodeMove => ({
  change: "cancel",
  error: { class: "cancelled", code: "run.cancelled", message },
});

export const passed = (output: Values): NodeMove => ({
  change: "pass",
  output,
  why: "It is bypassed: it passes on what it takes.",
  body: { bypassed: true },
});

export const reused = ({ id, run_id, output, cache_key }: Earlier, why: string, input?: Values): NodeMove => ({
  change: "reuse",
  output,
  reusedFrom: id,
  why,
  body: { cached: { run: run_id, nodeRun: id } },
  ...(input ? { input } : {}),
  ...(cache_key ? { cacheKey: cache_key } : {}),
});

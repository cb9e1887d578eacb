// DESIGN E10: whether a failed try is worth another one, and when.
import type { TaskResultTaskError } from "@spindle/schemas";
import type { Timings } from "../config.ts";

export type TaskError = TaskResultTaskError;

const TRIES: Record<TaskError["class"], number> = { transient: 5, infra: 3, oom: 2, user: 1, installation: 1, cancelled: 1 };
const MAX_CRASHES = 2;
const MAX_DELAY_MS = 5 * 60_000;

export type Verdict = { again: true; delayMs: number } | { again: false; as: "fail" | "die" };

const MOST_RETURNED_MS = 30_000;

/**
 * When a task that a worker handed back is sent again: at once, because another worker may be there for it, and later each time.
 * @param returns how often it was sent again before without a new try
 */
export const delayOfReturned = (returns: number, { retryBaseMs }: Timings): number =>
  returns === 0 ? 0 : Math.min(retryBaseMs * 2 ** (returns - 1), MOST_RETURNED_MS);

/** @param attempt the try that failed, from 1. @param crashes of the process under the node before this one */
export function verdict(error: TaskError, attempt: number, crashes: number, timings: Timings): Verdict {
  if (error.crashed && crashes + 1 >= MAX_CRASHES) return { again: false, as: "die" };
  if (attempt >= TRIES[error.class]) return { again: false, as: "fail" };
  const ceiling = Math.min(timings.retryBaseMs * 2 ** (attempt - 1), MAX_DELAY_MS);
  return { again: true, delayMs: Math.round(Math.random() * ceiling) };
}

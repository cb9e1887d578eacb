// Times and states in the product's words.
import type { NodeState, RunView } from "../session/types";

/** A time in words: "3.2 s", "41 s", "1 min 20 s". */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  const rest = Math.round(seconds - minutes * 60);
  return rest > 0 ? `${minutes} min ${rest} s` : `${minutes} min`;
}

/** "12 s", or "12 s to 40 s" where that is not the same. */
export function range(low: number, high: number): string {
  const [least, most] = [span(low), span(high)];
  return least === most ? most : `${least} to ${most}`;
}

export function between(start: string | null, end: string | null): string {
  return start ? span((end ? Date.parse(end) : Date.now()) - Date.parse(start)) : "";
}

/** How long something took, in words; empty before it has ended. */
export const duration = ({ startedAt, finishedAt }: { startedAt: string | null; finishedAt: string | null }): string =>
  finishedAt ? between(startedAt, finishedAt) : "";

const STATES: Record<NodeState, string> = {
  queued: "Queued",
  waiting: "Waiting for you",
  dispatched: "Queued for a worker",
  running: "Running",
  succeeded: "Succeeded",
  skipped: "Skipped",
  failed: "Failed",
  cancelled: "Cancelled",
  dead: "Dead",
};
/** @param reused an earlier output stands for its own */
export const stateWord = (state: NodeState, reused = false): string => (reused ? FROM_CACHE : STATES[state]);
export const FROM_CACHE = "From cache";

/** A run that is queued waits for nothing: it was accepted, and the runtime takes it up at once. */
const RUNS = {
  queued: { word: "Starting", tone: "" },
  running: { word: "Running", tone: "live" },
  waiting: { word: STATES.waiting, tone: "warn" },
  succeeded: { word: STATES.succeeded, tone: "ok" },
  failed: { word: STATES.failed, tone: "bad" },
  cancelled: { word: STATES.cancelled, tone: "" },
} as const satisfies Record<RunView["state"], { word: string; tone: string }>;
export const runWord = (state: RunView["state"]): string => RUNS[state].word;
/** The class that a chip with the run's state has beside `chip`. */
export const runTone = (state: RunView["state"]): string => RUNS[state].tone;

const APPEARANCES = {
  queued: "queued",
  waiting: "waiting",
  dispatched: "queued",
  running: "running",
  succeeded: "done",
  skipped: "skipped",
  failed: "failed",
  cancelled: "skipped",
  dead: "failed",
} as const satisfies Record<NodeState, string>;
export type Appearance = "idle" | "reused" | (typeof APPEARANCES)[NodeState];

/** The appearance of a state on cards, boxes and bars, which their `data-state` carries. @param reused as of `stateWord` */
export function appearanceOf(state: NodeState | undefined, reused = false): Appearance {
  if (reused) return "reused";
  return state === undefined ? "idle" : APPEARANCES[state];
}

/** A size in words: "1 kB", "3.2 MB", "24 GB". */
export function sizeWords(bytes: number): string {
  if (bytes < 1e6) return `${bytes === 0 ? 0 : Math.max(1, Math.round(bytes / 1e3))} kB`;
  const [value, unit] = bytes < 1e9 ? [bytes / 1e6, "MB"] : bytes < 1e12 ? [bytes / 1e9, "GB"] : [bytes / 1e12, "TB"];
  return `${value.toFixed(value < 100 ? 1 : 0)} ${unit}`;
}

export function when(iso: string): string {
  return new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }).format(new Date(iso));
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** A moment as people say it: "just now", "5 min ago", "3 h ago", "2 days ago", and the date after a week. */
export function ago(iso: string, now = Date.now()): string {
  const age = now - Date.parse(iso);
  if (age < MINUTE) return "just now";
  if (age < HOUR) return `${Math.floor(age / MINUTE)} min ago`;
  if (age < DAY) return `${Math.floor(age / HOUR)} h ago`;
  if (age < 7 * DAY) return age < 2 * DAY ? "a day ago" : `${Math.floor(age / DAY)} days ago`;
  return new Intl.DateTimeFormat(undefined, { dateStyle: "medium" }).format(new Date(iso));
}

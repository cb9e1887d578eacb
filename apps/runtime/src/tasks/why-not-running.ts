// Why an open node run is not running (DESIGN E18). It is worked out when somebody asks, from the rows and from what was last reported;
// nothing keeps it.
import type { OpenRun, WaitingRow } from "../record/types.ts";

/** The weightiest first: those that a person can end, and last those that only say that something else comes first. */
const KINDS = [
  "person",
  "breakpoint",
  "outage",
  "owner-gone",
  "silent-worker",
  "paused",
  "no-worker",
  "wrong-version",
  "engine-not-live",
  "server-busy",
  "retry",
  "queue",
  "cancelling",
  "turn",
  "before",
] as const;
export type NotRunningKind = (typeof KINDS)[number];

/** Where a task stands among those that wait for the same devices. */
export interface QueuePosition {
  /** From 1. */
  position: number;
  /** Milliseconds until a worker takes it, from how long such tasks took; absent where none has run yet, or nobody works. */
  wait?: number;
  /** Between how many milliseconds, by what one of ten such tasks was below and above. */
  between?: [number, number];
}

export interface NotRunning {
  kind: NotRunningKind;
  /** ISO 8601: since when it waits for this. */
  since: string;
  /** A sentence. */
  text: string;
  /** What a person can do, as a sentence; null where it goes on by itself. */
  action: string | null;
  /** Where its task stands in the queue; only with `queue`, and only once that is known. */
  queue?: QueuePosition;
  /** The version with which another run would go on; only with `wrong-version`. */
  version?: string;
}

/** The engines among which one is to be chosen. */
export interface Candidates {
  /** What the engines run. */
  label: string;
  engines: readonly { plane: string; label: string; live: boolean; reason?: string | undefined }[];
  /** Whether workers of a plane answer now, and when they did last. */
  planeOf: (plane: string) => Circumstances["plane"];
  /** The version that the node asks for, where another one is offered. */
  asksFor?: string | undefined;
  /** The version that is offered. */
  version: string;
}

/** What is known besides the row. */
export interface Circumstances {
  /** Since when Redis has not answered; absent while it does. */
  redisSilentSince?: Date | undefined;
  /** Whether workers of its plane answer now, and when they did last. */
  plane: { answers: boolean; reportedAt?: Date | undefined };
  /** Its engine as its plane last reported it; absent where no worker that answers offers it. */
  engine?: { label: string; live: boolean; reason?: string | undefined } | undefined;
  /** The version that workers have which answer, where none of them has the row's; `runnable` if another run could have it. */
  offered?: { version: string; runnable: boolean } | undefined;
  /** What its ComfyUI server does first, since when, and whether that cannot be stopped. */
  busy?: { reason: string; since: string; hangs: boolean } | undefined;
  /** What could run it, where its engine is still to be chosen. */
  open?: Candidates | undefined;
  queue?: QueuePosition | undefined;
  /** Its device begins nothing new; without a name no device does. */
  paused?: { device: string | undefined; by: string; since: Date } | undefined;
  /** Since when its worker has not renewed its lease; absent while it does. */
  workerSilentSince?: Date | undefined;
  /** The titles of the nodes that must be over before it can begin, and are not. */
  before: readonly string[];
}

/** What a plane's workers are called, and how one is started. */
const PLANES: Record<string, { workers: string; start: string }> = {
  python: { workers: "Python worker", start: "Start a Python worker" },
  comfy: { workers: "bridge to ComfyUI", start: "Start the bridge to ComfyUI" },
};

const OTHERS = { workers: "worker", start: "Start one" };

const CANCELS = "or cancel the run";

/** Undefined if the node run is running, or has ended. */
export function whyNotRunning(row: WaitingRow, run: OpenRun, known: Circumstances): NotRunning | undefined {
  const because = (kind: NotRunningKind, text: string, action: string | null = null, since = row.changed_at): NotRunning => ({
    kind,
    since: new Date(Math.max(Number(since), Number(row.changed_at))).toISOString(),
    text,
    action,
  });
  if (row.held)
    return because(
      "breakpoint",
      row.held === "before" ? "It is held before it runs." : "It is held after it ran.",
      "Let it go on, or cancel the run.",
    );
  if (row.state === "waiting") {
    const left = row.answer_in === null ? "" : ` It goes on by itself in ${words(row.answer_in)}.`;
    return because("person", `It waits for a person's answer.${left}`, "Answer it.");
  }
  const isHere = row.plane === "node" || row.state === "queued";
  if (run.unowned && isHere)
    return because(
      "owner-gone",
      "No runtime drives the run: the one that did is gone.",
      "Another runtime takes the run up; if none is there, start one.",
      run.owner_until ?? run.since,
    );
  const isCancelling = run.cancel_requested || row.cancel_requested === true;
  if (row.state === "queued") return isCancelling ? because("cancelling", "It is being cancelled.") : whyQueued(known, because);
  return row.plane === "node" ? undefined : whyAtWorkers(row, isCancelling, known, because);
}

type Because = (kind: NotRunningKind, text: string, action?: string | null, since?: Date) => NotRunning;

function whyQueued({ before: [first, ...others], open }: Circumstances, because: Because): NotRunning {
  if (first !== undefined) return because("before", `It runs after ${first}${others.length > 0 ? ` and ${others.length} more` : ""}.`);
  if (open?.asksFor !== undefined) return wrongVersion(open.label, open.asksFor, open.version, because);
  if (!open || open.engines.some(({ live }) => live)) return because("turn", "Everything before it is over: it begins in its turn.");
  return whyOpen(open, because);
}

const SHOWN = 3;

/** Nobody answers who could run it, or those who answer cannot. */
function whyOpen({ label, engines, planeOf }: Candidates, because: Because): NotRunning {
  const planes = [...new Set(engines.map(({ plane }) => plane))];
  const answering = planes.filter((plane) => planeOf(plane).answers);
  const more = engines.length > SHOWN ? `, and ${engines.length - SHOWN} more` : "";
  const shown = engines.slice(0, SHOWN);
  if (engines.length === 0)
    return because("engine-not-live", `Nothing offers ${label} now.`, "Start a worker that does, or cancel the run.");
  if (answering.length === 0) {
    const reported = planes.map((plane) => planeOf(plane).reportedAt ?? new Date(0)).sort((a, b) => Number(b) - Number(a));
    const { workers, start } = PLANES[planes[0] ?? ""] ?? OTHERS;
    const names = shown.map((engine) => engine.label).join(", ");
    return because("no-worker", `No ${workers} answers. ${label} can run on ${names}${more}.`, `${start}, ${CANCELS}.`, reported[0]);
  }
  const reasons = shown.map((engine) => `${engine.label}: ${(engine.reason ?? "no worker offers it").replace(/\.$/, "")}`).join("; ");
  return because("engine-not-live", `No engine of ${label} can run now (${reasons}${more}).`, `Make one of them ready, ${CANCELS}.`);
}

/** A task never runs with another version than its run froze; a person may start another run (DESIGN W3). */
function wrongVersion(label: string, version: string, offered: string, because: Because): NotRunning {
  const text = `No worker that answers has version ${version} of ${label}; the newest has ${offered}.`;
  return { ...because("wrong-version", text, `Run with version ${offered}.`), version: offered };
}

function paused({ device, by, since }: NonNullable<Circumstances["paused"]>, because: Because): NotRunning {
  const which = device === undefined ? "Every device is paused" : `Its device is paused (${device})`;
  return because("paused", `${which}${by ? ` by ${by}` : ""}: nothing new begins.`, `Resume it on the page System, ${CANCELS}.`, since);
}

function serverBusy({ reason, since, hangs }: NonNullable<Circumstances["busy"]>, because: Because): NotRunning {
  return because("server-busy", reason, hangs ? `Start that ComfyUI again, ${CANCELS}.` : null, new Date(since));
}

function whyAtWorkers(row: WaitingRow, isCancelling: boolean, known: Circumstances, because: Because): NotRunning | undefined {
  if (known.redisSilentSince) {
    const lost = row.state === "running" ? "nothing is heard of its worker" : "its task reaches no worker";
    return because("outage", `Redis does not answer, so ${lost}.`, "Start Redis again; the run goes on then.", known.redisSilentSince);
  }
  if (row.state === "running") {
    if (!known.workerSilentSince) return known.busy && serverBusy(known.busy, because);
    return because(
      "silent-worker",
      "Its worker has gone silent. Another try begins when its lease is over.",
      `See to the worker, ${CANCELS}.`,
      known.workerSilentSince,
    );
  }
  if (isCancelling) return because("cancelling", "It is being cancelled.");
  if (known.paused) return paused(known.paused, because);
  if (known.plane.answers && known.offered) {
    if (known.offered.runnable) return wrongVersion(row.service, row.version, known.offered.version, because);
    const { workers } = PLANES[row.plane] ?? OTHERS;
    const text = `The ${workers} that answers has version ${known.offered.version} of ${row.service}, not ${row.version}.`;
    return because("wrong-version", text, `Bring the ${workers} to the runtime's release, ${CANCELS}.`);
  }
  if (row.retry_in !== null) return because("retry", `Try ${row.attempt} begins in ${words(row.retry_in)}.`);
  const { plane, engine } = known;
  const { workers, start } = PLANES[row.plane] ?? OTHERS;
  if (!plane.answers) return because("no-worker", `No ${workers} answers.`, `${start}, ${CANCELS}.`, plane.reportedAt);
  if (!engine)
    return because(
      "no-worker",
      `No ${workers} that answers offers ${row.service} on ${row.engine}.`,
      `Start a worker that does, ${CANCELS}.`,
    );
  if (!engine.live)
    return because(
      "engine-not-live",
      `${engine.label} cannot run now.${engine.reason ? ` ${engine.reason}` : ""}`,
      `Mend that, or cancel the run and choose another engine.`,
    );
  if (known.busy) return serverBusy(known.busy, because);
  if (!known.queue) return because("queue", "Queued for a worker.");
  const { position, wait } = known.queue;
  return { ...because("queue", `Queued, position ${position}${wait === undefined ? "" : `, about ${words(wait)}`}.`), queue: known.queue };
}

/** Whole seconds, or minutes. */
function words(milliseconds: number): string {
  const seconds = Math.max(1, Math.ceil(milliseconds / 1000));
  return seconds < 100 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

/**
 * Why nothing of a run is running: the weightiest reason of its node runs, of equals the oldest; undefined if one of them is running.
 * @param rows its node runs with their reasons. Those that are queued may be left out.
 */
export function whyRunIsNot(run: OpenRun, rows: readonly { row: WaitingRow; why: NotRunning | undefined }[]): NotRunning | undefined {
  const around = new Set(rows.flatMap(({ row }) => outerPaths(row.path)));
  if (rows.some(({ row, why }) => !why && row.state === "running" && !around.has(row.path))) return undefined;
  const found = weightiest(rows.flatMap(({ why }) => why ?? []));
  if (found) return found;
  const since = run.since.toISOString();
  if (run.unowned)
    return { kind: "owner-gone", since, text: "No runtime drives the run.", action: "A runtime takes it up; if none is there, start one." };
  return {
    kind: run.cancel_requested ? "cancelling" : "turn",
    since,
    text: run.cancel_requested ? "It is being cancelled." : "The runtime decides what comes next.",
    action: null,
  };
}

/** Of several reasons the one that a person is told first, of equals the oldest. */
export const weightiest = (reasons: readonly NotRunning[]): NotRunning | undefined =>
  [...reasons].sort((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || (a.since < b.since ? -1 : 1))[0];

/** The paths of the calls and maps in which a node run lies. */
export function outerPaths(path: string): string[] {
  return [...path.matchAll(/[#/]/g)].map(({ index }) => path.slice(0, index));
}

// Places where the fault harness may end a process, its own or another (tests/slow/faults.test.ts). In production there are none: the
// function is empty there, whatever the environment says.
import { existsSync, readFileSync, renameSync } from "node:fs";

/** The points in the order in which a run passes them; those from `afterTake` to `afterResult` are in the Python worker. */
export const CRASH_POINTS = [
  "afterAccept",
  "afterDispatch",
  "afterSend",
  "afterTake",
  "afterStart",
  "beforeNode",
  "afterStore",
  "afterNode",
  "afterResult",
  "beforeCommit",
  "afterCommit",
  "afterAcknowledge",
] as const;
export type CrashPoint = (typeof CRASH_POINTS)[number];

const folder = process.env.NODE_ENV === "production" ? undefined : process.env.SPINDLE_CRASH_POINTS;
const PATIENCE_MS = 5000;
const STEP_MS = 5;

/** Holds this process here, if the harness has armed this point, until the harness has done its work. */
export const crashPoint: (name: CrashPoint) => void = folder === undefined ? () => {} : (name) => hold(folder, name);

function hold(at: string, name: string): void {
  try {
    if (readFileSync(`${at}/armed`, "utf8") !== name) return;
    renameSync(`${at}/armed`, `${at}/reached`); // only one process gets the file
  } catch {
    return;
  }
  const still = new Int32Array(new SharedArrayBuffer(4));
  for (let waited = 0; waited < PATIENCE_MS && !existsSync(`${at}/go`); waited += STEP_MS) Atomics.wait(still, 0, 0, STEP_MS);
}

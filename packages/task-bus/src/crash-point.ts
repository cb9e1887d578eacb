// Places where the fault harness may end a process, its own or another (tests/slow/faults.test.ts). In production there are none: the
// function is empty there, whatever the environment says.
import { existsSync, readFileSync, renameSync } from "node:fs";

/** Steps of a run, in their order; P4 to P9 are the worker's. */
export type CrashPoint = "P1" | "P2" | "P3" | "P10" | "P11" | "P12";

const folder = process.env.NODE_ENV === "production" ? undefined : process.env.SPINDLE_CRASH_POINTS;
const PATIENCE_MS = 5000;
const STEP_MS = 5;

/** Holds this process here, if the harness has armed this point, until the harness has done its work. */
export const crashPoint: (name: CrashPoint) => void = folder === undefined ? () => {} : (name) => hold(folder, name);

function hold(at: string, name: string): void {
  try {
    if (readFileSync(`${at}/armed`, "utf8") !== name) return;
    renameSync(`${at}/armed`, `${at}/reached`); // only one process gets it
  } catch {
    return;
  }
  const still = new Int32Array(new SharedArrayBuffer(4));
  for (let waited = 0; waited < PATIENCE_MS && !existsSync(`${at}/go`); waited += STEP_MS) Atomics.wait(still, 0, 0, STEP_MS);
}

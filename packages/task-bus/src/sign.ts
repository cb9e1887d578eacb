import { createHmac, timingSafeEqual } from "node:crypto";
import type { TaskEntry } from "@spindle/schemas";

/** JSON with sorted keys and no spaces; the entry holds only ASCII strings and integers, so both languages agree on it. */
function canonical(entry: Omit<TaskEntry, "sig">): string {
  return JSON.stringify(Object.fromEntries(Object.entries(entry).sort(([a], [b]) => (a < b ? -1 : 1))));
}

export function signEntry(entry: Omit<TaskEntry, "sig">, workerKey: string): TaskEntry {
  return { ...entry, sig: createHmac("sha256", workerKey).update(canonical(entry)).digest("hex") };
}

export function isSigned({ sig, ...entry }: TaskEntry, workerKey: string): boolean {
  const expected = createHmac("sha256", workerKey).update(canonical(entry)).digest();
  const given = Buffer.from(sig, "hex");
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** DESIGN A3: what a worker shows the runtime to act for one task; both sides compute it. */
export function taskToken(task: string, workerKey: string): string {
  return createHmac("sha256", workerKey).update(`task-token:${task}`).digest("hex");
}

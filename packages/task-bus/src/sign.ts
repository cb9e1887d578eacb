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
  return isSame(sig, createHmac("sha256", workerKey).update(canonical(entry)).digest());
}

/** What a worker signs of a result: its text as it goes over the bus, letter by letter (DESIGN W6). */
export function signResult(text: string, workerKey: string): string {
  return resultDigest(text, workerKey).toString("hex");
}

export function isResultSigned(text: string, sig: string | undefined, workerKey: string): boolean {
  return isSame(sig, resultDigest(text, workerKey));
}

function resultDigest(text: string, workerKey: string): Buffer {
  return createHmac("sha256", workerKey).update(`task-result:${text}`).digest();
}

/** Compares in a time that tells nothing of where they differ. */
function isSame(hex: string | undefined, expected: Buffer): boolean {
  const given = Buffer.from(hex ?? "", "hex");
  return hex?.length === expected.length * 2 && given.length === expected.length && timingSafeEqual(given, expected);
}

/** DESIGN A3: what a worker shows the runtime to act for one task; both sides compute it. */
export function taskToken(task: string, workerKey: string): string {
  return createHmac("sha256", workerKey).update(`task-token:${task}`).digest("hex");
}

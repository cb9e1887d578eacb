/** What the launcher does and why, on standard error: standard output belongs to results. */
export function say(text: string): void {
  process.stderr.write(`spindle: ${text}\n`);
}

/** A reason that a person can act on; printed without a stack. */
export class Advice extends Error {}

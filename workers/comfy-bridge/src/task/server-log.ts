// What ComfyUI wrote on its terminal while it ran one prompt. It runs one at a time, and says when each is over.

/** A piece of what the server writes on its terminal: not always a whole line. */
export interface LogPiece {
  /** When, by the server's clock; later ones sort after earlier ones. */
  t: string;
  m: string;
}

/** The last few hundred pieces of an answer; none of one of another shape. */
export function readLog(answer: unknown): LogPiece[] {
  const { entries } = Object(answer) as { entries?: unknown };
  const isPiece = (one: unknown): one is LogPiece => typeof Object(one).t === "string" && typeof Object(one).m === "string";
  return Array.isArray(entries) ? entries.filter(isPiece) : [];
}

/** As long as a result's log may be (schemas/tasks/task-result.schema.json); of much, the end tells why. */
const MAX_LENGTH = 12_000;
const OVER = /^Prompt executed in /;
const ROUTINE = /^(got prompt|Prompt executed in .*)?$/;

/** @param since the time of the last piece before the prompt was sent; empty if there was none */
export function logOfPrompt(pieces: readonly LogPiece[], since: string): string {
  const text = pieces.flatMap(({ t, m }) => (t > since ? [m] : [])).join("");
  const lines = text.split("\n").map(shownLine);
  const last = lines.findLastIndex((line) => !ROUTINE.test(line));
  const own = lines.slice(0, last + 1);
  const start = own.findLastIndex((line) => OVER.test(line)) + 1; // what is before it belongs to the prompts that waited before
  return own
    .slice(start)
    .filter((line) => !ROUTINE.test(line))
    .join("\n")
    .slice(-MAX_LENGTH);
}

/** A bar is drawn again and again in the same line. */
const shownLine = (line: string): string => line.split("\r").findLast((part) => part.trim() !== "") ?? "";

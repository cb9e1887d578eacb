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

/** Between two readings while a prompt runs: a server that falls silent cannot be asked any more what it wrote before. */
const READ_EVERY_MS = 3000;
const SILENT = "ComfyUI did not answer when the task ended.";

/** What a server writes while it has one prompt, as far as it tells. */
export class ServerLog {
  private since = "";
  private pieces: readonly LogPiece[] = [];
  private tells = false;
  private isBehind = false;
  private timer: NodeJS.Timeout | undefined;

  /** @param ask resolves to undefined if the server does not answer, or has no such log */
  constructor(private readonly ask: () => Promise<unknown>) {}

  /** To be called before the prompt is sent. */
  async start(): Promise<void> {
    await this.read();
    this.since = this.pieces.at(-1)?.t ?? "";
  }

  /** The prompt runs: from now on what the server writes is about it. */
  watch(): void {
    this.timer ??= setInterval(() => void this.read(), READ_EVERY_MS);
  }

  async read(): Promise<void> {
    const answer = await this.ask();
    this.isBehind = answer === undefined;
    if (answer === undefined) return;
    this.tells = true;
    this.pieces = readLog(answer);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** What was read last. */
  lines(): string[] {
    return [logOfPrompt(this.pieces, this.since)].filter(Boolean);
  }

  /** The same for a prompt that was ended before it was over; nothing if it never ran, for what was written then is about others. */
  linesUntilEnded(): string[] {
    if (this.timer === undefined) return [];
    const own = this.lines();
    if (!(this.tells && this.isBehind)) return own;
    return own.length > 0 ? [`${SILENT} This is what it had written a moment before:`, ...own] : [SILENT];
  }
}

/** As long as a result's log may be (schemas/tasks/task-result.schema.json); of much, the end tells why. */
const MAX_LENGTH = 12_000;
const OVER = /^Prompt executed in /;
const STARTS_ROUTINE = /^(got prompt|Prompt executed in )/;
const ROUTINE = /^(got prompt|Prompt executed in .*)?$/;

/** @param since the time of the last piece before the prompt was sent; empty if there was none */
export function logOfPrompt(pieces: readonly LogPiece[], since: string): string {
  const text = pieces.flatMap(({ t, m }) => (t > since ? [STARTS_ROUTINE.test(m) ? `\n${m}` : m] : [])).join(""); // a bar may have left its line open
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

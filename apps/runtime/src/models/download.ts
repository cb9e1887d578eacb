// One file from its address to its place: resumed where it was cut, checked while it comes, and there only once it is whole.
import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { basename, dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import pRetry from "p-retry";
import { HEAD_BYTES, whatElseItIs, whatIsWrong, whyNotTaken } from "./formats.ts";

export interface Wanted {
  /** Where it is put; what has come of it lies beside, as `.part`. */
  place: string;
  url: string;
  bytes: number;
  /** Whether `bytes` is the exact size, and not about a tenth more or less. */
  exact: boolean;
  sha256?: string;
}

export interface Listener {
  progress(bytes: number, of: number): void;
  /** A sentence about what goes on, such as another try. */
  note(sentence: string): void;
}

export interface Patience {
  /** So many tries one after the other without a byte more than any before. */
  tries: number;
  /** Before the second try; doubled for each further one. */
  pauseMs: number;
  /** Without a byte for so long, a connection counts as cut. */
  stallMs: number;
}

const PATIENT: Patience = { tries: 6, pauseMs: 1000, stallMs: 60_000 };
const MOST_REDIRECTS = 10;
const REDIRECTS = [301, 302, 303, 307, 308];
const DEVIATION = 0.1;

/** The file cannot be had like this: its message is for the person. */
class NotFetchedError extends Error {}

/** Another try may help. */
class CutError extends Error {}

/** Whether a size is the one that is expected, as exactly as that is known. */
export const hasExpectedSize = ({ bytes, exact }: Pick<Wanted, "bytes" | "exact">, size: number): boolean =>
  exact ? size === bytes : Math.abs(size - bytes) <= bytes * DEVIATION;

/**
 * @throws Error with a sentence that says what is wrong and, where that helps, what to do; what has come of the file stays for the next time
 * unless it is wrong itself
 */
export async function download(wanted: Wanted, listener: Listener, signal: AbortSignal, patience: Patience = PATIENT): Promise<void> {
  const name = basename(wanted.place);
  const refused = whyNotTaken(name, wanted.sha256 !== undefined);
  if (refused) throw new NotFetchedError(refused);
  await mkdir(dirname(wanted.place), { recursive: true }).catch((error: Error) => {
    throw new NotFetchedError(
      `${dirname(wanted.place)} cannot be made: ${error.message}. Set another models folder, or make this one writable.`,
    );
  });
  const release = await claim(wanted);
  try {
    const part = await Part.open(wanted);
    try {
      await fill(part, wanted, listener, signal, patience);
      const wrong = await part.whatIsWrong();
      if (wrong && part.pieces > 1) {
        listener.note(`The parts of ${name} do not fit together (${wrong}). It is fetched again as a whole.`);
        await part.restart();
        await fill(part, wanted, listener, signal, patience);
      }
      const still = wrong && (await part.whatIsWrong());
      if (still) {
        await part.discard();
        throw new NotFetchedError(`${name} from ${wanted.url} is not the file that is needed: ${still}. Nothing of it was kept.`);
      }
      await part.finish();
    } finally {
      await part.close();
    }
  } finally {
    await release();
  }
}

/** Tries until the file is there. The tries are counted anew each time that more of it has come than ever before. */
async function fill(part: Part, wanted: Wanted, listener: Listener, signal: AbortSignal, patience: Patience): Promise<void> {
  let furthest = part.size;
  while (!(wanted.exact && part.size === wanted.bytes))
    try {
      return await pRetry(() => receive(part, wanted, listener, signal, patience.stallMs), {
        retries: patience.tries - 1,
        minTimeout: patience.pauseMs,
        signal,
        shouldRetry: ({ error }) => error instanceof CutError && part.size <= furthest,
        onFailedAttempt: ({ error, retriesLeft }) => {
          signal.throwIfAborted();
          if (error instanceof CutError && (retriesLeft > 0 || part.size > furthest))
            listener.note(`${basename(wanted.place)}: ${error.message}. Trying again.`);
        },
      });
    } catch (error) {
      if (!(error instanceof CutError)) throw error;
      if (part.size <= furthest)
        throw new NotFetchedError(
          `${wanted.url} could not be fetched: ${error.message}. What has come stays: the same command goes on from there.`,
        );
      furthest = part.size;
      await sleep(patience.pauseMs, undefined, { signal });
    }
}

/** One answer of the server, into the file. */
async function receive(part: Part, wanted: Wanted, listener: Listener, signal: AbortSignal, stallMs: number): Promise<void> {
  if (part.size > 0 && part.validator === undefined) await part.restart();
  const stalled = new AbortController();
  const watch = setTimeout(() => stalled.abort(), stallMs);
  try {
    const asked: Record<string, string> = part.size > 0 ? { range: `bytes=${part.size}-`, "if-range": part.validator ?? "" } : {};
    const answer = await ask(wanted.url, asked, AbortSignal.any([signal, stalled.signal]));
    try {
      const total = await begin(part, wanted, answer);
      const most = total ?? (wanted.exact ? wanted.bytes : Math.floor(wanted.bytes * (1 + DEVIATION)));
      listener.progress(part.size, most);
      for await (const chunk of (answer.body ?? []) as unknown as AsyncIterable<Uint8Array>) {
        watch.refresh();
        if (part.size + chunk.length > most) {
          await part.discard();
          throw new NotFetchedError(`${wanted.url} sends more than the ${most} bytes that the file has.`);
        }
        await part.write(chunk);
        listener.progress(part.size, most);
      }
      const least = total ?? (wanted.exact ? wanted.bytes : Math.ceil(wanted.bytes * (1 - DEVIATION)));
      if (part.size < least) throw new CutError(`the server ended after ${part.size} of ${least} bytes`);
    } finally {
      await answer.body?.cancel().catch(() => {});
    }
  } catch (error) {
    if (error instanceof NotFetchedError || error instanceof CutError) throw error;
    throw new CutError(stalled.signal.aborted ? `nothing came for ${stallMs / 1000} s` : `the connection failed (${reasonOf(error)})`);
  } finally {
    clearTimeout(watch);
  }
}

/**
 * Follows redirects by hand, so that none leads away from HTTPS.
 */
async function ask(url: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
  let at = new URL(url);
  for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
    const answer = await fetch(at, { headers: { "accept-encoding": "identity", ...headers }, redirect: "manual", signal });
    const location = answer.headers.get("location");
    if (!REDIRECTS.includes(answer.status) || location === null) return answer;
    await answer.body?.cancel();
    const to = URL.canParse(location, at.href) ? new URL(location, at) : undefined;
    if (!to || !(to.protocol === at.protocol || (at.protocol === "http:" && to.protocol === "https:")))
      throw new NotFetchedError(`${url} redirects to ${to ? `${to.protocol}//${to.host}` : "no address"}, which is not followed.`);
    at = to;
  }
  throw new NotFetchedError(`${url} redirects more than ${MOST_REDIRECTS} times.`);
}

/**
 * Reads an answer's head and makes the part ready for its body.
 * @returns the file's whole size, where the server says it
 */
async function begin(part: Part, wanted: Wanted, answer: Response): Promise<number | undefined> {
  const { status, headers } = answer;
  if (status === 416) {
    await part.restart();
    throw new CutError("the server does not have the rest of the part that is here");
  }
  if (status === 408 || status === 429 || status >= 500) throw new CutError(`the server answers ${status}`);
  if (status === 401 || status === 403)
    throw new NotFetchedError(
      `${wanted.url} is not open to everybody (${status}). Fetch it with your account there, and put it at ${wanted.place}`,
    );
  if (status !== 200 && status !== 206) throw new NotFetchedError(`${wanted.url} cannot be had: the server answers ${status}.`);
  if (/^text\/html\b/i.test(headers.get("content-type") ?? ""))
    throw new NotFetchedError(`${wanted.url} gives a web page, not a file. Open it in a browser, and put the file at ${wanted.place}`);
  const coding = headers.get("content-encoding") ?? "identity";
  if (coding !== "identity") throw new NotFetchedError(`${wanted.url} sends the file as ${coding} although that was not asked for.`);

  const etag = headers.get("etag");
  const validator = (etag && !etag.startsWith("W/") ? etag : undefined) ?? headers.get("last-modified") ?? undefined;
  let total: number | undefined;
  if (status === 206) {
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get("content-range") ?? "");
    const isChanged = validator !== undefined && part.validator !== undefined && validator !== part.validator;
    if (Number(range?.[1] ?? -1) !== part.size || isChanged) {
      await part.restart();
      throw new CutError(isChanged ? "the file has changed meanwhile" : "the server sent another part than was asked for");
    }
    total = range?.[2] === "*" ? undefined : Number(range?.[2]);
  } else {
    await part.restart();
    const length = headers.get("content-length");
    total = length === null ? undefined : Number(length);
  }
  if (total !== undefined && !hasExpectedSize(wanted, total)) {
    await part.discard();
    throw new NotFetchedError(
      `${wanted.url} is not the file that is needed: it has ${total} bytes instead of ${wanted.exact ? "" : "about "}${wanted.bytes}.`,
    );
  }
  await part.expect(validator);
  return total;
}

/** What has come of a file, its hash so far, and what the server calls this version of it. */
class Part {
  size = 0;
  validator: string | undefined;
  /** Of so many answers it is made: several may belong to different versions of the file. */
  pieces = 0;
  private hash: Hash = createHash("sha256");
  private isHeadChecked = false;

  private constructor(
    private readonly wanted: Wanted,
    private readonly file: FileHandle,
  ) {}

  static async open(wanted: Wanted): Promise<Part> {
    const path = pathOf(wanted);
    const file = await open(path, "r+").catch(() => open(path, "w+"));
    const part = new Part(wanted, file);
    const known = await readFile(notesOf(wanted), "utf8")
      .then(
        (text) => JSON.parse(text) as { url?: unknown; validator?: unknown },
        () => undefined,
      )
      .catch(() => undefined);
    if (known?.url === wanted.url && typeof known.validator === "string") {
      for await (const chunk of createReadStream(path)) part.hash.update(chunk as Buffer);
      part.size = (await file.stat()).size;
      part.validator = known.validator;
      part.pieces = part.size > 0 ? 2 : 0; // of at least two, once the rest has come
    }
    if (part.size === 0 || part.size > wanted.bytes * (1 + DEVIATION)) await part.restart();
    return part;
  }

  async restart(): Promise<void> {
    await this.file.truncate(0);
    [this.size, this.pieces, this.validator, this.isHeadChecked] = [0, 0, undefined, false];
    this.hash = createHash("sha256");
  }

  /** A body follows that goes on from here. */
  async expect(validator: string | undefined): Promise<void> {
    this.pieces += 1;
    if (this.size > 0) return;
    this.validator = validator;
    await writeFile(notesOf(this.wanted), JSON.stringify({ url: this.wanted.url, validator }));
  }

  async write(chunk: Uint8Array): Promise<void> {
    try {
      for (let done = 0; done < chunk.length; )
        done += (await this.file.write(chunk, done, chunk.length - done, this.size + done)).bytesWritten;
    } catch (error) {
      const why = (error as NodeJS.ErrnoException).code === "ENOSPC" ? "the disk is full" : (error as Error).message;
      throw new NotFetchedError(`${pathOf(this.wanted)} cannot be written: ${why}. The same command goes on from there.`);
    }
    this.hash.update(chunk);
    this.size += chunk.length;
    if (!this.isHeadChecked && this.size >= HEAD_BYTES) await this.checkHead();
  }

  /** @throws NotFetchedError if the first bytes are not those of such a file */
  private async checkHead(): Promise<void> {
    this.isHeadChecked = true;
    const { buffer, bytesRead } = await this.file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    const other = whatElseItIs(basename(this.wanted.place), buffer.subarray(0, bytesRead));
    if (!other) return;
    await this.discard();
    throw new NotFetchedError(`${this.wanted.url} gives ${other} for ${basename(this.wanted.place)}. Nothing of it was kept.`);
  }

  async whatIsWrong(): Promise<string | undefined> {
    await this.checkHead();
    const found = this.hash.copy().digest("hex");
    if (this.wanted.sha256 === undefined) return whatIsWrong(basename(this.wanted.place), pathOf(this.wanted));
    return found === this.wanted.sha256 ? undefined : `its SHA-256 is ${found} instead of ${this.wanted.sha256}`;
  }

  async finish(): Promise<void> {
    await this.file.sync();
    await rename(pathOf(this.wanted), this.wanted.place);
    await rm(notesOf(this.wanted), { force: true });
  }

  async discard(): Promise<void> {
    await this.restart();
    await this.remove();
  }

  /** What has come stays for the next time; a part without a byte is none. */
  async close(): Promise<void> {
    await this.file.close();
    if (this.size === 0) await this.remove();
  }

  private async remove(): Promise<void> {
    for (const path of [pathOf(this.wanted), notesOf(this.wanted)]) await rm(path, { force: true });
  }
}

const pathOf = ({ place }: Wanted): string => `${place}.part`;
const notesOf = ({ place }: Wanted): string => `${place}.part.json`;

/**
 * Two commands that write one file would mix their bytes. One that was killed leaves its claim behind.
 * @returns what ends the claim
 */
async function claim(wanted: Wanted): Promise<() => Promise<void>> {
  const path = `${pathOf(wanted)}.lock`;
  for (;;) {
    try {
      await writeFile(path, `${process.pid} ${hostname()}`, { flag: "wx" });
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    const [owner = "", host = ""] = (await readFile(path, "utf8").catch(() => "")).split(" ");
    const isHeld = host === hostname() ? Number(owner) !== process.pid && isRunning(Number(owner)) : await isBeingWritten(wanted);
    if (isHeld) throw new NotFetchedError(`Process ${owner} of ${host} is fetching ${basename(wanted.place)}. Wait for it.`);
    await rm(path, { force: true });
  }
}

/** The processes of another machine, or of another container on a shared volume, are not to be seen; their bytes are. */
async function isBeingWritten(wanted: Wanted): Promise<boolean> {
  const found = await stat(pathOf(wanted)).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs < 2 * PATIENT.stallMs;
}

function isRunning(id: number): boolean {
  try {
    process.kill(id, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** The innermost cause: "fetch failed" alone says nothing. */
function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: unknown };
  return cause instanceof Error ? reasonOf(cause) : (error as Error).message;
}

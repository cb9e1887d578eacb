// What ComfyUI answers that is no success, why a server lets nobody in, and when to ask again.
import { setTimeout as sleep } from "node:timers/promises";

export const MEBIBYTE = 1024 * 1024;

/** An answer of ComfyUI that is no success. */
export class ComfyAnswer extends Error {
  constructor(
    readonly status: number,
    readonly body: string,
    what: string,
  ) {
    super(`ComfyUI answers ${status} to ${what}${body.trim() ? `: ${body.slice(0, 300)}` : ", and gives no reason."}`);
  }

  /** How long it asks to wait, in ms. */
  waitMs: number | undefined;
  /** Where it sends whoever asks. */
  location: string | undefined;
}

/** Something that is no answer of ComfyUI, such as the page of a login. */
export class NoJson extends ComfyAnswer {}

/** Data that is not what ComfyUI answers. */
export class OddAnswer extends ComfyAnswer {
  constructor(what: string) {
    super(200, "", what);
    this.message = `The server answers ${what} with something else than ComfyUI does. Look at what answers there: it may be another program.`;
  }
}

/** Whoever sends a stream is not told where it should go, or by which status. */
export class Redirected extends ComfyAnswer {
  constructor() {
    super(0, "", "a file");
    this.message = "The server sends the bridge elsewhere with a file.";
  }
}

/** An answer of which no more is read. */
export class TooMuch extends ComfyAnswer {
  /** @param most in bytes */
  constructor(
    status: number,
    what: string,
    readonly most: number,
  ) {
    super(status, "", what);
    this.message = `ComfyUI answers ${what} with more than ${most / MEBIBYTE} MiB.`;
  }
}

/** The server accepted what it was asked, and took too long to answer. */
export const isOverdue = (error: unknown): boolean =>
  error instanceof Error &&
  (/^(Timeout|Abort)Error$/.test(error.name) || Object(error.cause).code === "UND_ERR_CONNECT_TIMEOUT" || error.message === LATE_HANDSHAKE);
/** What `ws` says of a socket that nobody opens. */
const LATE_HANDSHAKE = "Opening handshake has timed out";

/** Nobody listens, the connection broke, or it took too long: `fetch` has a TypeError for all of the network's errors. */
export const isSilence = (error: unknown): boolean => (error instanceof TypeError && error.message === "fetch failed") || isOverdue(error);

/**
 * What keeps the bridge from a server, and what to do; undefined for any other answer.
 * @param hasLogin whether it was asked with one
 */
export function whyNotLetIn(error: ComfyAnswer, host: string, hasLogin: boolean): string | undefined {
  const { status } = error;
  if (status === 401 && hasLogin) return `${host} does not take the login of COMFY_URL (401). Correct its user and password there.`;
  if (status === 401)
    return `${host} needs a login (401); the bridge has none. Let it in by its address, or write its login into COMFY_URL (http://user:password@host:8188).`;
  if (status === 403 && hasLogin)
    return `${host} refuses the bridge (403): the login of COMFY_URL is not enough, or it takes requests of one origin alone. The bridge is no page: let it in by its address.`;
  if (status === 403)
    return `${host} refuses the bridge (403): it needs a login, or takes requests of one origin alone. The bridge has no login and is no page: let it in by its address.`;
  if (status === 429) return `${host} gets too many requests (429). Let the bridge in without a limit by its address.`;
  if (error instanceof Redirected || (status >= 300 && status < 400))
    return `${host} sends the bridge elsewhere${status ? ` (${status}${error.location ? `, to ${error.location}` : ""})` : ""}: it has another address, or a login before it. Name the address that answers in COMFY_URL, or let the bridge in without a login.`;
  if (error instanceof NoJson)
    return `${host} answers with a page instead of data: a login may be before it. Let the bridge in by its address, or name another one in COMFY_URL.`;
  return undefined;
}

/** Without an answer that says when to ask again; it doubles. */
const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;

/**
 * Asks again for as long as the server says that it gets too many requests.
 * @param onLimited true before each wait, false once it answers again
 */
export async function unhurried<T>(ask: () => Promise<T>, signal: AbortSignal, onLimited: (isLimited: boolean) => void): Promise<T> {
  for (let [wait, isLimited] = [FIRST_WAIT_MS, false]; ; wait = Math.min(2 * wait, LONGEST_WAIT_MS)) {
    try {
      const answer = await ask();
      if (isLimited) onLimited(false);
      return answer;
    } catch (error) {
      if (!(error instanceof ComfyAnswer && error.status === 429) || signal.aborted) throw error;
      isLimited = true;
      onLimited(true);
      await sleep(Math.min(error.waitMs ?? wait, LONGEST_WAIT_MS), undefined, { signal });
    }
  }
}

// The runtime's HTTP side as a worker sees it (DESIGN A3): a task's input, its objects, the plane's manifest.
import { createHash } from "node:crypto";
import type { ArtifactRef, ObjectWish, TaskEntry } from "@spindle/schemas";
import { taskToken } from "@spindle/task-bus";
import pRetry, { AbortError } from "p-retry";
import { ComfyAnswer, Redirected } from "../comfy/answers.ts";
import { piecesOf, sendPieces } from "../comfy/http.ts";
import { failure, TaskFailure } from "./errors.ts";
import { imageSize } from "./png.ts";

const RETRIES = { retries: 4, minTimeout: 200, maxTimeout: 3000 };
const TIMEOUT_MS = 120_000;
/** Bytes of a picture in which its size is. */
const HEAD = 64;

export interface StoredObject {
  key: string;
  ref: ArtifactRef;
}

export interface RuntimeOptions {
  runtimeUrl: string;
  workerKey: string;
}

/** What one task may ask of the runtime. Calls are tried again through an outage; one that the runtime refuses is not. */
export class TaskRuntime {
  private readonly base: string;
  private readonly headers: Record<string, string>;

  constructor(
    private readonly entry: Pick<TaskEntry, "task" | "inputSha256">,
    { runtimeUrl, workerKey }: RuntimeOptions,
  ) {
    this.base = `${runtimeUrl}/tasks/${entry.task}`;
    this.headers = { authorization: `Bearer ${taskToken(entry.task, workerKey)}` };
  }

  /** @throws TaskFailure if it is not the one that was dispatched */
  async input(): Promise<unknown> {
    const body = Buffer.from(await (await call(`${this.base}/input`, { headers: this.headers })).arrayBuffer());
    if (sha256(body) !== this.entry.inputSha256)
      throw failure("transient", "task.bad_result", "The input is not the one that was dispatched.");
    return JSON.parse(body.toString("utf8"));
  }

  /** An object as it comes. @throws TaskFailure at its end if its bytes are not the ones that the reference names */
  async *read({ artifact, sha256: expected }: ArtifactRef): AsyncGenerator<Uint8Array> {
    const { url, headers } = await this.ask({ direction: "get", artifact });
    let patience = new Patience();
    const hash = createHash("sha256");
    try {
      const response = await call(url, { headers }, () => {
        patience.rest();
        patience = new Patience();
        return patience;
      });
      for await (const piece of piecesOf(response, "an input", Number.POSITIVE_INFINITY)) {
        patience.rest(); // whoever reads may be slow
        hash.update(piece);
        yield piece;
        patience.wait();
      }
    } finally {
      patience.rest();
    }
    if (hash.digest("hex") !== expected)
      throw failure("transient", "task.bad_result", "An input's bytes are not the ones its reference names.");
  }

  store(bytes: Buffer, mime: string, purpose: "output" | "preview", name?: string): Promise<StoredObject> {
    async function* pieces() {
      yield bytes;
    }
    return this.storePieces({ size: bytes.length, pieces }, mime, purpose, name);
  }

  /**
   * Stores what comes, as it comes.
   * @param object its pieces are asked for again if the store fails
   */
  async storePieces(
    { size, pieces }: { size: number; pieces: () => AsyncIterable<Uint8Array> },
    mime: string,
    purpose: "output" | "preview",
    name?: string,
  ): Promise<StoredObject> {
    const asked = await this.ask({ direction: "put", purpose, mime, size });
    const headers = { ...asked.headers, "content-length": String(size) };
    const { sha256, head } = await again(async () => {
      const patience = new Patience();
      const hash = createHash("sha256");
      let head = Buffer.alloc(0);
      async function* counted() {
        patience.rest();
        for await (const piece of pieces()) {
          hash.update(piece);
          if (head.length < HEAD) head = Buffer.concat([head, piece.subarray(0, HEAD)]);
          patience.wait();
          yield piece;
          patience.rest();
        }
        patience.wait();
      }
      try {
        await accepted(await sendPieces(asked.url, { method: "PUT", headers, signal: patience.signal }, counted()));
      } catch (error) {
        if (!(error instanceof Redirected)) throw error;
        const hint = "Set the server's S3_ENDPOINT to the address that answers, or SPINDLE_RUNTIME_URL where files are in a folder.";
        throw failure("infra", "task.refused", `The store sends the bridge elsewhere with a file. ${hint}`);
      } finally {
        patience.rest();
      }
      return { sha256: hash.digest("hex"), head };
    });
    const ref: ArtifactRef = {
      artifact: asked.artifact,
      mime,
      sha256,
      size,
      ...(name ? { name: name.slice(0, 255) } : {}),
      ...imageSize(head),
    };
    return { key: asked.key, ref };
  }

  private async ask(wish: ObjectWish) {
    const body = JSON.stringify(wish);
    const response = await call(`${this.base}/objects`, {
      method: "POST",
      headers: { ...this.headers, "content-type": "application/json" },
      body,
    });
    return (await response.json()) as { url: string; headers: Record<string, string>; artifact: string; key: string };
  }
}

/** Hands a bridge's manifest over, or which packs have which classes; the hash goes by Redis. */
export async function putDocument(
  { runtimeUrl, workerKey, worker }: RuntimeOptions & { worker: string },
  what: "manifest" | "packs",
  text: string,
): Promise<string> {
  const hash = sha256(text);
  await call(`${runtimeUrl}/workers/comfy/${what}`, {
    method: "PUT",
    headers: {
      authorization: `Bearer ${taskToken(`manifest:${hash}`, workerKey)}`,
      "content-type": "application/json",
      "x-spindle-worker": worker,
      "x-spindle-sha256": hash, // the token is checked before the body is read
    },
    body: text,
  });
  return hash;
}

export const sha256 = (bytes: string | Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** @param patience of each attempt */
const call = (url: string, init: RequestInit, patience = () => new Patience()): Promise<Response> =>
  again(async () => accepted(await fetch(url, { ...init, signal: patience().signal })));

const again = <T>(attempt: () => Promise<T>): Promise<T> =>
  pRetry(async () => {
    try {
      return await attempt();
    } catch (error) {
      throw error instanceof TaskFailure || error instanceof ComfyAnswer ? new AbortError(error) : error;
    }
  }, RETRIES).catch((error: unknown) => {
    throw error instanceof Passing ? failure("transient", "task.refused", error.message) : error;
  });

/** A server that waited for a request longer than it does. */
const TOO_SLOW = 408;

/** @throws TaskFailure for what would be refused again */
async function accepted(response: Response): Promise<Response> {
  const { ok, status } = response;
  if (ok) return response;
  const reason = (await response.text()).slice(0, 300);
  if (status === TOO_SLOW)
    throw new Passing(
      "The store waited too long for the bytes of a file (408). The connection from the bridge to it is slow, or was interrupted: check it, then run this again.",
    );
  const message = `The runtime answers ${status}${reason ? `: ${reason}` : " and gives no reason."}`;
  throw status >= 500 ? new Passing(message) : failure("infra", "task.refused", message);
}

/** A refusal of the runtime, or of its store, that may be none the next time. */
class Passing extends Error {}

/** How long the other side may do nothing. */
class Patience {
  private readonly ending = new AbortController();
  private timer: NodeJS.Timeout | undefined;

  constructor() {
    this.wait();
  }

  get signal(): AbortSignal {
    return this.ending.signal;
  }

  wait(): void {
    this.rest();
    const late = new DOMException("The runtime took too long.", "TimeoutError");
    this.timer = setTimeout(() => this.ending.abort(late), TIMEOUT_MS);
    this.timer.unref();
  }

  rest(): void {
    clearTimeout(this.timer);
  }
}

// The runtime's HTTP side as a worker sees it (DESIGN A3): a task's input, its objects, the plane's manifest.
import { createHash } from "node:crypto";
import type { ArtifactRef, ObjectWish, TaskEntry } from "@spindle/schemas";
import { taskToken } from "@spindle/task-bus";
import pRetry, { AbortError } from "p-retry";
import { failure } from "./errors.ts";
import { imageSize } from "./png.ts";

const RETRIES = { retries: 4, minTimeout: 200, maxTimeout: 3000 };
const TIMEOUT_MS = 120_000;

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

  /** @throws TaskFailure if its bytes are not the ones that the reference names */
  async read({ artifact, sha256: expected }: ArtifactRef): Promise<Buffer> {
    const { url, headers } = await this.ask({ direction: "get", artifact });
    const bytes = Buffer.from(await (await call(url, { headers })).arrayBuffer());
    if (sha256(bytes) !== expected) throw failure("transient", "task.bad_result", "An input's bytes are not the ones its reference names.");
    return bytes;
  }

  async store(bytes: Buffer, mime: string, purpose: "output" | "preview", name?: string): Promise<StoredObject> {
    const asked = await this.ask({ direction: "put", purpose, mime, size: bytes.length });
    await call(asked.url, {
      method: "PUT",
      headers: { ...asked.headers, "content-length": String(bytes.length) },
      body: bytes as BodyInit,
    });
    const ref: ArtifactRef = {
      artifact: asked.artifact,
      mime,
      sha256: sha256(bytes),
      size: bytes.length,
      ...(name ? { name: name.slice(0, 255) } : {}),
      ...imageSize(bytes),
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

function call(url: string, init: RequestInit): Promise<Response> {
  return pRetry(async () => {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (response.ok) return response;
    const message = `The runtime answers ${response.status}: ${(await response.text()).slice(0, 300)}`;
    throw response.status >= 500 ? new Error(message) : new AbortError(failure("infra", "task.refused", message));
  }, RETRIES);
}

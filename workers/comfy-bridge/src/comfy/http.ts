// ComfyUI's HTTP API, as far as the bridge uses it.
import { randomUUID } from "node:crypto";
import { parsePython } from "@spindle/schemas/python-json";
import { ComfyAnswer, MEBIBYTE, NoJson, OddAnswer, Redirected, TooMuch } from "./answers.ts";
import { type Message, readMessage } from "./messages.ts";
import { ExchangeListener, type OnSilence } from "./silence.ts";

/** Bytes of an answer that are read. The library of 12,000 classes has some 25 MiB; a file may be as large as one that the runtime keeps. */
const MOST = { library: 64 * MEBIBYTE, json: 32 * MEBIBYTE, file: 8192 * MEBIBYTE, error: MEBIBYTE } as const;

export interface FileRef {
  filename: string;
  subfolder: string;
  type: string;
}

export interface ViewedFile {
  mime: string;
  /** In bytes, where ComfyUI says it. */
  size?: number;
  pieces: AsyncIterable<Uint8Array>;
}

export interface History {
  outputs: Record<string, Record<string, unknown>>;
  messages: Message[];
}

export interface PromptAnswer {
  status: number;
  body: Record<string, unknown>;
}

const TIMEOUT_MS = 30_000;
/** How long a server that is well takes at most to say how much it has to do. */
const REMAINING_TIMEOUT_MS = 5000;
/** Nobody waits long for what is only said beside a result. */
const ASIDE_TIMEOUT_MS = 2000;
/** The queue itself has every prompt in it; this is how long it is. */
const ASIDES = { log: "/internal/logs/raw", machine: "/system_stats", queue: "/prompt" } as const;
const OBJECT_INFO_TIMEOUT_MS = 120_000;
/** Bytes a millisecond of an upload over a line that is slow, and still good enough: how far one has come is not known. */
const SLOWEST_UPLOAD = 50;

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => value !== null && typeof value === "object" && !Array.isArray(value);
/** Each with its number and its id first. */
const isQueue = (value: unknown): value is [number, string][] =>
  Array.isArray(value) && value.every((entry) => Array.isArray(entry) && typeof entry[0] === "number" && typeof entry[1] === "string");

export class ComfyHttp {
  /** Where it is, and the header with its login, which goes with whatever is asked. */
  readonly server: { url: string; login: { authorization?: string } };

  /** @param patienceMs how long an answer may take; else as long as is known of what is asked */
  constructor(
    url: string,
    private readonly patienceMs?: number,
    authorization?: string,
  ) {
    this.server = { url, login: authorization === undefined ? {} : { authorization } };
  }

  /** 200 and 400 are answers; anything else is thrown. */
  async submit(body: Json): Promise<PromptAnswer> {
    const response = await this.fetch("/prompt", json(body));
    if (response.status !== 200 && response.status !== 400) throw await answer(response, "a prompt");
    const answered = await jsonOf(response, "a prompt");
    if (!isObject(answered)) throw new OddAnswer("a prompt");
    return { status: response.status, body: answered };
  }

  async history(prompt: string): Promise<History | undefined> {
    const found = (Object(await this.json(`/history/${prompt}`)) as Json)[prompt];
    if (!isObject(found)) return undefined;
    const { messages } = Object(found.status) as Json;
    return {
      outputs: (isObject(found.outputs) ? found.outputs : {}) as History["outputs"],
      messages: (Array.isArray(messages) ? messages : []).flatMap((message: unknown) => {
        const [type, data] = Array.isArray(message) ? message : [];
        return (typeof type === "string" && isObject(data) && readMessage(type, data)) || [];
      }),
    };
  }

  /** How many prompts it has, those that run included; 0 where it does not say. */
  async remaining(): Promise<number> {
    const { queue_remaining: count } = Object(Object(await this.json("/prompt", REMAINING_TIMEOUT_MS)).exec_info) as Json;
    return typeof count === "number" ? count : 0;
  }

  /** How many prompts come before this one, those that run included: 0 if it runs; undefined if the server does not have it. */
  async placeOf(prompt: string): Promise<number | undefined> {
    const { queue_running: running, queue_pending: pending } = Object(await this.json("/queue")) as Json;
    if (!isQueue(running) || !isQueue(pending)) throw new OddAnswer("/queue");
    if (running.some(([, id]) => id === prompt)) return 0;
    const own = pending.find(([, id]) => id === prompt);
    return own && running.length + pending.filter(([number]) => number < own[0]).length;
  }

  /** Takes a prompt out of the queue, or interrupts it if it runs; one that is over is left alone. */
  async cancel(prompt: string): Promise<void> {
    const direct = await this.fetch(`/api/jobs/${prompt}/cancel`, json({}));
    if (direct.ok) return void (await direct.arrayBuffer());
    await direct.arrayBuffer();
    await this.post("/queue", { delete: [prompt] }); // deleted before it is interrupted: it may start in between
    await this.post("/interrupt", { prompt_id: prompt });
  }

  /**
   * @param size of all pieces together, in bytes
   * @param onSilence that the server does not take them, or takes them again
   * @returns the name under which nodes find the file
   */
  async upload(pieces: AsyncIterable<Uint8Array>, size: number, name: string, subfolder: string, onSilence?: OnSilence): Promise<string> {
    const listener = new ExchangeListener(onSilence);
    const boundary = `spindle-${randomUUID()}`;
    const field = (head: string, text: string) => `--${boundary}\r\nContent-Disposition: form-data; ${head}\r\n\r\n${text}`;
    const before = Buffer.from(
      `${field('name="type"', "input\r\n")}${field('name="subfolder"', `${subfolder}\r\n`)}${field(`name="image"; filename="${name}"`, "")}`,
    );
    const after = Buffer.from(`\r\n--${boundary}--\r\n`);
    async function* form() {
      yield before;
      yield* pieces;
      yield after;
    }
    /** While the next piece is fetched, the server is not waited for. */
    async function* listened() {
      listener.rest();
      for await (const piece of form()) {
        listener.wait();
        yield piece;
        listener.rest();
      }
      listener.wait();
    }
    const headers = {
      ...this.server.login,
      "content-type": `multipart/form-data; boundary=${boundary}`,
      "content-length": String(before.length + size + after.length),
    };
    const timeout = this.patienceMs ?? TIMEOUT_MS + Math.ceil(size / SLOWEST_UPLOAD);
    const init = { method: "POST", headers, signal: AbortSignal.timeout(timeout) } as const;
    listener.wait();
    try {
      const response = await sendPieces(`${this.server.url}/upload/image`, init, listened());
      if (!response.ok) throw await answer(response, `the upload of ${name}`);
      const { name: given, subfolder: under } = Object(await jsonOf(response, `the upload of ${name}`)) as Json;
      if (typeof given !== "string" || given === "") throw new OddAnswer(`the upload of ${name}`);
      return under ? `${under}/${given}` : given;
    } finally {
      listener.rest();
    }
  }

  /** A file as it comes. It may take as long as it needs, while bytes of it come, and wait for whoever reads it. */
  async view({ filename, subfolder, type }: FileRef, signal?: AbortSignal, onSilence?: OnSilence): Promise<ViewedFile> {
    const listener = new ExchangeListener(onSilence);
    const stalled = new AbortController();
    const what = `the file ${filename}`;
    const within = async <T>(waiting: Promise<T>): Promise<T> => {
      const late = setTimeout(
        () => stalled.abort(new DOMException(`ComfyUI sends no more of ${what}.`, "TimeoutError")),
        this.patienceMs ?? TIMEOUT_MS,
      );
      listener.wait();
      return waiting.finally(() => {
        clearTimeout(late);
        listener.rest();
      });
    };
    const response = await within(
      fetch(`${this.server.url}/view?${new URLSearchParams({ filename, subfolder, type })}`, {
        headers: this.server.login,
        redirect: "manual",
        signal: AbortSignal.any([stalled.signal, ...(signal ? [signal] : [])]),
      }),
    );
    if (!response.ok) throw await answer(response, what);
    const mime = (response.headers.get("content-type") ?? "application/octet-stream").split(";")[0] as string;
    const length = response.headers.has("content-encoding") ? null : response.headers.get("content-length");
    if (Number(length) > MOST.file) {
      await response.body?.cancel();
      throw new TooMuch(response.status, what, MOST.file);
    }
    return { mime, ...(length === null ? {} : { size: Number(length) }), pieces: piecesOf(response, what, MOST.file, within) };
  }

  /** What is only told beside a result; undefined from a server that does not tell it. */
  aside(what: "log" | "machine" | "queue"): Promise<unknown> {
    return this.json(ASIDES[what], ASIDE_TIMEOUT_MS).catch(() => undefined);
  }

  async free(): Promise<void> {
    await this.post("/free", { unload_models: true, free_memory: true });
  }

  async objectInfoText(): Promise<string> {
    const response = await this.fetch("/object_info", {}, OBJECT_INFO_TIMEOUT_MS);
    if (!response.ok) throw await answer(response, "/object_info");
    return (await bytesOf(response, "/object_info", MOST.library)).toString("utf8");
  }

  /** What ComfyUI-Manager knows of packs, as it came with the server; undefined where there is no Manager. */
  async packs(): Promise<unknown> {
    for (const path of ["/customnode/getmappings?mode=local", "/v2/customnode/getmappings?mode=local"]) {
      const found = await this.json(path).catch((error: unknown) => {
        if (error instanceof ComfyAnswer) return undefined;
        throw error;
      });
      if (found !== undefined) return found;
    }
    return undefined;
  }

  private async json(path: string, timeout = TIMEOUT_MS): Promise<unknown> {
    const response = await this.fetch(path, {}, timeout);
    if (!response.ok) throw await answer(response, path);
    return jsonOf(response, path);
  }

  private async post(path: string, body: Json): Promise<void> {
    const response = await this.fetch(path, json(body));
    if (!response.ok) throw await answer(response, path);
    await response.arrayBuffer();
  }

  private fetch(path: string, init: JsonRequest, timeout = TIMEOUT_MS): Promise<Response> {
    const headers = { ...init.headers, ...this.server.login };
    return fetch(`${this.server.url}${path}`, {
      redirect: "manual",
      ...init,
      headers,
      signal: AbortSignal.timeout(this.patienceMs ?? timeout),
    });
  }
}

type JsonRequest = Omit<RequestInit, "headers"> & { headers?: Record<string, string> };

const json = (body: Json): JsonRequest => ({ method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
const answer = async (response: Response, what: string) => {
  const body = await bytesOf(response, what, MOST.error).catch(() => "");
  const said = new ComfyAnswer(response.status, body.toString(), what);
  const [after, location] = [response.headers.get("retry-after"), response.headers.get("location")];
  if (after !== null && /^\d{1,6}$/.test(after)) said.waitMs = Math.max(100, Number(after) * 1000);
  if (location !== null && URL.canParse(location, response.url)) said.location = new URL(location, response.url).origin; // its query may be a secret
  return said;
};
async function jsonOf(response: Response, what: string): Promise<unknown> {
  const text = (await bytesOf(response, what, MOST.json)).toString("utf8");
  try {
    return parsePython(text);
  } catch {
    throw new NoJson(response.status, text, what);
  }
}

async function bytesOf(response: Response, what: string, most: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of piecesOf(response, what, most)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Who stops reading ends the answer. @throws TooMuch, and reads no more */
export async function* piecesOf(
  response: Response,
  what: string,
  most: number,
  within: <T>(waiting: Promise<T>) => Promise<T> = (waiting) => waiting,
): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  let bytes = 0;
  try {
    for (let read = await within(reader.read()); !read.done; read = await within(reader.read())) {
      bytes += read.value.length;
      if (bytes > most) throw new TooMuch(response.status, what, most);
      yield read.value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/**
 * Sends what comes, as it comes; of nothing nothing is sent, and on an empty piece `fetch` would never end.
 * `fetch` holds all that was sent, to send it again elsewhere, unless a redirect is an error.
 * @throws Redirected, or what the pieces throw, not that the request was ended by it
 */
export async function sendPieces(url: string, init: RequestInit, pieces: AsyncIterable<Uint8Array>): Promise<Response> {
  let broken: { error: unknown } | undefined;
  async function* guarded() {
    try {
      for await (const piece of pieces) if (piece.length > 0) yield piece;
    } catch (error) {
      broken = { error };
      throw error;
    }
  }
  try {
    return await fetch(url, { ...init, redirect: "error", body: guarded() as unknown as BodyInit, duplex: "half" } as RequestInit);
  } catch (error) {
    if (broken) throw broken.error;
    throw (error as Error).cause instanceof Error && ((error as Error).cause as Error).message === "unexpected redirect"
      ? new Redirected()
      : error;
  }
}

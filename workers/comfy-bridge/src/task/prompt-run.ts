// One prompt on one ComfyUI, from submission to its end. Its socket gives hints; the history is the truth.
import { EventEmitter, once } from "node:events";
import type { RegionInput } from "@spindle/schemas";
import { ComfyAnswer, isOverdue, unhurried } from "../comfy/answers.ts";
import type { ComfyHttp, History, PromptAnswer } from "../comfy/http.ts";
import type { Message, NodeError } from "../comfy/messages.ts";
import { SILENT_MS } from "../comfy/silence.ts";
import { ComfySocket } from "../comfy/socket.ts";
import { failure, fromException, fromRefusal } from "./errors.ts";
import type { Report } from "./report.ts";

/** After so long without a message, the server is asked. */
const QUIET_MS = 5000;
const LOOK_EVERY_MS = 1000;
const ASK_EVERY_MS = 100;
const WITHDRAW_EVERY_MS = 1000;
/** What is still there after so long hangs within one step; nobody waits for it, and the server tells when it is free again. */
const WITHDRAW_FOR_MS = 5000;
/** The history is written a moment after a prompt leaves the queue. */
const HISTORY_LAG_MS = 3000;
/** A prompt that runs and of which nothing is heard for so long is said to stand still: it may load a model, or hang. */
const STILL_MS = 60_000;
/** A server that cannot be reached for so long has lost the prompt. */
const GONE_MS = 30_000;

export interface PromptOptions {
  comfy: ComfyHttp;
  /** One after another, as far as ComfyUI knows a failed prompt by them. */
  ids: Iterator<string>;
  region: RegionInput;
  /** With references replaced by the names of uploaded files. */
  prompt: RegionInput["prompt"];
  report: Report;
  /** An output node is done: its files can be had from now on. */
  onExecuted: (shown: Record<string, unknown>, node: string) => void;
  /** Aborted when the task is cancelled or no longer this worker's. */
  signal: AbortSignal;
  /**
   * How many prompts come before it, each time that is asked: 0 while it runs.
   * @param still since when the server has reported nothing of it, though it answers and says that it runs, in ms
   */
  onPlace: (before: number, still?: number) => void;
  /** The server does not answer, or answers again. */
  onSilence: (isSilent: boolean) => void;
  /** How long that is no news; a minute where not set. */
  stillMs?: number;
  /** The server says that it gets too many requests, or takes them again. */
  onLimited: (isLimited: boolean) => void;
  /** When it is aborted, the prompt is left to run: somebody else will ask for it. */
  leaves: () => boolean;
}

export class Interrupted extends Error {
  /**
   * @param left the id of the prompt, if it was left to run
   * @param hangs whether it was left because it cannot be stopped
   */
  constructor(
    readonly left?: string,
    readonly hangs = false,
  ) {
    super("The prompt was interrupted.");
  }
}

export interface Ended extends History {
  /** False if a part of what was said on the wire may have been missed; history does not have all of it. */
  heard: boolean;
}

/** @throws TaskFailure, or Interrupted once the prompt has left the server */
export async function runPrompt(options: PromptOptions): Promise<Ended> {
  const run = new PromptRun(options);
  try {
    return await run.run();
  } finally {
    await run.close();
  }
}

class PromptRun {
  private socket: ComfySocket | undefined;
  /** Rings when there is a reason to ask the server. */
  private readonly bell = new EventEmitter<{ ring: [] }>();
  private begun = false;
  private over = false;
  private lost = false;
  /** From before it was sent, without a break. */
  private heard = true;
  private withdrawnAt = 0;
  private reachedAt = 0;
  private silent = false;
  /** When the server reported something of the prompt. */
  private movedAt = 0;
  private closed = false;
  private readonly ended = new AbortController();
  private patience: NodeJS.Timeout | undefined;
  /** Said on the wire; history leaves some out (a cycle found late, a blocked output). */
  private error: NodeError | undefined;

  private id = "";

  constructor(private readonly options: PromptOptions) {}

  async run(): Promise<Ended> {
    const { signal } = this.options;
    const onAbort = () => this.onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    try {
      const conversation = this.converse();
      if (signal.aborted) onAbort();
      return await Promise.race([conversation, this.stopped]);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
  }

  private async converse(): Promise<Ended> {
    const known = await this.find();
    if (typeof known === "object") return { ...known, heard: false };
    this.heard = known === undefined;
    if (this.options.signal.aborted) throw new Interrupted();
    await this.listen();
    if (known === undefined) await this.submit();
    return { ...this.judge(await this.untilOver()), heard: this.heard };
  }

  private stop: (why: Interrupted) => void = () => {};
  /** Rejects when nobody waits for the prompt any longer, whatever the server does. */
  private readonly stopped = new Promise<never>((_, reject) => {
    this.stop = reject;
  });

  private onAbort(): void {
    if (this.options.leaves()) {
      this.stop(new Interrupted(this.id));
      return;
    }
    this.bell.emit("ring");
    this.withdraw();
    this.patience = setTimeout(() => this.stop(new Interrupted(this.id, true)), this.silent ? 0 : WITHDRAW_FOR_MS);
  }

  async close(): Promise<void> {
    this.closed = true;
    this.ended.abort();
    clearTimeout(this.patience);
    await this.socket?.close();
  }

  /** An answer, however long it takes: a server that accepts and says nothing may come back, until the task is stopped or its time is up. */
  private async answered<T>(ask: () => Promise<T>, again?: () => Promise<T | undefined>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const listened = (): Promise<T> => {
      clearTimeout(timer); // one that says that it is asked too often is not silent
      timer = setTimeout(() => this.fallSilent(true), SILENT_MS);
      return ask().finally(() => clearTimeout(timer));
    };
    for (;;) {
      try {
        const answer = await unhurried(listened, this.ended.signal, this.options.onLimited);
        this.fallSilent(false);
        return answer;
      } catch (error) {
        if (this.closed || !isOverdue(error)) throw error;
        this.reachedAt = Date.now(); // somebody accepted it
        this.fallSilent(true);
        const known = await again?.();
        if (known !== undefined) return known;
      }
    }
  }

  private fallSilent(isSilent: boolean): void {
    if (this.silent === isSilent || this.closed) return;
    this.silent = isSilent;
    this.options.onSilence(isSilent);
  }

  /** @param before how many prompts come before it, as the server says */
  private place(before: number): void {
    if (before > 0) this.movedAt = Date.now();
    const { onPlace, stillMs = STILL_MS } = this.options;
    onPlace(before, Date.now() - this.movedAt >= stillMs ? this.movedAt : undefined);
  }

  /** What is known of the prompt already: its success, or its place while it waits or runs. A failure is followed by another prompt. */
  private async find(): Promise<History | number | undefined> {
    const { comfy, ids } = this.options;
    for (;;) {
      this.id = ids.next().value as string;
      const history = await this.answered(() => comfy.history(this.id));
      if (!history) return this.answered(() => comfy.placeOf(this.id));
      if (history.messages.some(({ type }) => type === "success") && !history.messages.some(({ type }) => type === "error")) return history;
    }
  }

  private async listen(): Promise<void> {
    const { id } = this;
    const { comfy, report } = this.options;
    await this.socket?.close();
    const socket = await this.answered(() => ComfySocket.open(comfy.server, id));
    if (this.closed) {
      await socket.close();
      throw new Interrupted();
    }
    socket.on("message", (message) => this.hear(message));
    socket.on("frame", (frame) => {
      if (frame.type === "text") report.text(frame.node, frame.text);
      else if (frame.prompt === undefined || frame.prompt === id) report.image(frame.node, frame.image, frame.mime);
    });
    socket.on("unreadable", () => report.drop("ComfyUI sent it in a form that is not known."));
    socket.on("lost", () => {
      this.lost = true;
      this.heard = this.heard && this.over;
      this.bell.emit("ring");
    });
    this.socket = socket;
    this.lost = false;
  }

  private hear(message: Message): void {
    if (!("prompt" in message) || message.prompt !== this.id) return;
    this.begun = true;
    this.fallSilent(false);
    this.movedAt = Date.now();
    this.options.onPlace(0);
    this.options.report.hear(message);
    if (message.type === "executed") this.options.onExecuted(message.output, message.node);
    if (message.type === "error") this.error = message.error;
    if (message.type !== "executing" || message.node !== undefined) return;
    this.over = true;
    this.bell.emit("ring");
  }

  private async submit(): Promise<void> {
    const { id } = this;
    const { comfy, prompt, region } = this.options;
    const body = {
      prompt,
      prompt_id: id,
      client_id: id,
      partial_execution_targets: region.sinks,
      extra_data: { preview_method: "auto" },
    };
    const answer = await this.answered(
      () => comfy.submit(body),
      () => this.whenLate(),
    );
    const refused = answer.status !== 200 || Object.keys((answer.body.node_errors ?? {}) as object).length > 0;
    const { prompt_id: own } = answer.body;
    if (!refused && (own === undefined || own === id)) return;
    if (!refused) {
      // Nobody can find again what runs under an id that only this process knows.
      await comfy.cancel(String(own)).catch(() => {});
      throw failure(
        "user",
        "comfy.rejected",
        `ComfyUI at ${new URL(comfy.server.url).host} is older than 0.3.45 (July 2025): it gives prompts ids of its own. Update it, then run this again.`,
      );
    }
    if (answer.status === 200) await this.options.comfy.cancel(id).catch(() => {}); // ComfyUI would run what is left of the prompt
    throw fromRefusal(answer, prompt);
  }

  /** What a server took that did not say so in time is not sent again. */
  private async whenLate(): Promise<PromptAnswer | undefined> {
    const { id } = this;
    const { comfy } = this.options;
    const known = (await this.answered(() => comfy.history(id))) ?? (await this.answered(() => comfy.placeOf(id)));
    return known === undefined ? undefined : { status: 200, body: {} };
  }

  private async untilOver(): Promise<History> {
    const { id } = this;
    const { comfy, signal } = this.options;
    let askedAt = Date.now();
    this.reachedAt = Date.now();
    this.movedAt = Date.now();
    let missingSince: number | undefined;
    const first = comfy.placeOf(id).catch(() => undefined); // nothing waits for it
    void first.then((place) => place !== undefined && !this.begun && this.options.onPlace(place));
    for (;;) {
      await this.rest();
      if (this.closed) throw new Interrupted();
      if (signal.aborted) this.withdraw();
      const isQuiet = Date.now() - Math.max(askedAt, this.socket?.heardAt ?? 0) >= QUIET_MS;
      if (!(this.over || this.lost || signal.aborted || isQuiet)) continue;
      askedAt = Date.now();
      try {
        const history = await this.answered(() => comfy.history(id));
        if (history) return history;
        const where = await this.answered(() => comfy.placeOf(id));
        if (where !== undefined) this.place(where);
        this.reachedAt = Date.now();
        missingSince = where !== undefined ? undefined : (missingSince ?? Date.now());
        if (this.lost && where !== undefined) await this.listen();
      } catch (error) {
        if (error instanceof ComfyAnswer && error.status < 500) throw error;
        if (Date.now() - this.reachedAt > GONE_MS) throw lostPrompt(comfy.server.url, "cannot be reached any more");
        continue;
      }
      if (missingSince === undefined || Date.now() - missingSince < HISTORY_LAG_MS) continue;
      if (signal.aborted) throw new Interrupted(); // a prompt that is taken out of the queue leaves no history
      throw lostPrompt(comfy.server.url, "does not know the prompt any more; it was started again");
    }
  }

  /** Resolves when the bell rings, and at the latest after so many milliseconds. */
  private async rest(): Promise<void> {
    const asked = this.over || this.lost || this.options.signal.aborted;
    const limit = AbortSignal.timeout(asked ? ASK_EVERY_MS : LOOK_EVERY_MS);
    await once(this.bell, "ring", { signal: limit }).catch(() => {});
  }

  /** Again and again while it is still there: what a node does between two of its steps cannot be stopped. */
  private withdraw(): void {
    if (Date.now() - this.withdrawnAt < WITHDRAW_EVERY_MS) return;
    this.withdrawnAt = Date.now();
    void this.options.comfy.cancel(this.id).catch(() => {});
  }

  /** Success is what history calls so by a message: its `status_str` says "success" after a cycle that was found too late. */
  private judge(history: History): History {
    const { prompt, signal } = this.options;
    const last = history.messages.findLast(({ type }) => type === "success" || type === "error" || type === "interrupted");
    if (last?.type === "interrupted") {
      if (signal.aborted) throw new Interrupted();
      throw failure("transient", "comfy.lost", "Somebody interrupted the prompt in ComfyUI.");
    }
    const error = history.messages.find((message) => message.type === "error")?.error ?? this.error;
    const cached = history.messages.flatMap((message) => (message.type === "cached" ? message.nodes : []));
    if (error) throw fromException({ ...error, executed: [...cached, ...error.executed] }, prompt);
    if (last?.type === "success") return history;
    throw failure("infra", "comfy.no_output", "ComfyUI ended the prompt without success and without a reason.");
  }
}

const lostPrompt = (url: string, why: string) => failure("transient", "comfy.lost", `ComfyUI at ${new URL(url).host} ${why}.`);

// One ComfyUI: what it offers, and one task at a time for it.
import { BUS, type TaskEntry, type WorkerReport } from "@spindle/schemas";
import { ComfyAnswer, isSilence, TooMuch, whyNotLetIn } from "./comfy/answers.ts";
import { ComfyHttp } from "./comfy/http.ts";
import { countModels, readFacts, type ServerFacts } from "./library/facts.ts";
import { ChangeAllowance } from "./library/handover.ts";
import { type Offers, readObjectInfo, type ServerLibrary } from "./library/merge.ts";
import { readPacks } from "./library/packs.ts";
import { runTask, type TaskParts } from "./task/run-task.ts";
import { sha256 } from "./task/runtime.ts";

const IDLE_MS = 1000;
const ORPHAN_MS = 10_000;

export interface ServerParts extends Omit<TaskParts, "comfy" | "onPlace" | "onSilence" | "onLimited"> {
  id: string;
  /** Without user and password. */
  url: string;
  /** The header with its login. */
  authorization?: string;
  /** Resolves when there may be something to take, and at the latest after so many milliseconds. */
  bell: (ms: number) => Promise<void>;
  /** How long an answer may take; else as long as is known of what is asked. */
  patienceMs?: number;
  /** The clock, in ms. */
  now?: () => number;
}

/** Why a server does not do what it is given. */
interface Busy {
  reason: string;
  /** ISO 8601. */
  since: string;
  /** It cannot be stopped. */
  hangs: boolean;
}

export class ComfyServer {
  private held: Busy | undefined;
  /** A prompt that was cancelled and goes on: whatever were sent now would wait behind it. */
  private hung: string | undefined;
  private readonly comfy: ComfyHttp;
  private hash = "";
  private offers: Offers = { nodes: new Map(), unreadable: new Map(), written: new Map() };
  private readonly readings: ChangeAllowance;
  /** What it said when it was read last is no library. */
  private isNone = false;
  /** Which packs have a class, as its Manager knows; those of its last list. */
  packs: ReadonlyMap<string, string> = new Map();
  private models = 0;
  private facts: ServerFacts = {};
  private live = false;
  private reason: string | undefined;

  constructor(private readonly parts: ServerParts) {
    this.comfy = new ComfyHttp(parts.url, parts.patienceMs, parts.authorization);
    this.readings = new ChangeAllowance(parts.now);
  }

  get library(): ServerLibrary {
    const { id, url } = this.parts;
    const { nodes, unreadable } = this.offers;
    return { id, url, nodes, unreadable, live: this.live, ...(this.reason ? { reason: this.reason } : {}) };
  }

  /** For people. */
  get report(): NonNullable<WorkerReport["servers"]>[number] {
    const { id, url } = this.parts;
    const { nodes, unreadable } = this.offers;
    return {
      id,
      address: new URL(url).origin,
      live: this.live,
      ...(this.reason ? { reason: this.reason.slice(0, 2000) } : {}),
      classes: nodes.size,
      ...(unreadable.size > 0 ? { unreadable: unreadable.size } : {}),
      models: this.models,
      ...(this.live ? this.facts : {}),
      ...(this.held ? { busy: { ...this.held } } : {}),
    };
  }

  /** Asks how it is; one that does not say is as good as any. */
  async lookAtFacts(): Promise<void> {
    if (!this.live) return;
    const [machine, queue] = await Promise.all([this.comfy.aside("machine"), this.comfy.aside("queue")]);
    this.facts = readFacts(machine, queue);
  }

  /** Undefined while it can begin at once with what it is given. */
  get busy(): Busy | undefined {
    return this.held;
  }

  /** @param reason undefined once it is free */
  private hold(reason: string | undefined, hangs = false): void {
    if (reason === undefined) this.held = undefined;
    else this.held = { reason, hangs, since: this.held && this.held.hangs === hangs ? this.held.since : new Date().toISOString() };
  }

  /** A node that loads a model and one that hangs cannot be told apart from outside. @param since in ms */
  private holdStill(since: number): void {
    const reason = `${this.named} answers, and has reported nothing of the prompt that it runs for more than a minute. It may load a model or be in a long step; if its log says nothing either, cancel the run and start that ComfyUI again.`;
    this.held = { reason, hangs: false, since: new Date(since).toISOString() };
  }

  /** Says that it has so many prompts to do first. */
  private holdFor(others: number): void {
    if (others === 0) this.hold(undefined);
    else this.hold(`${this.named} has ${others === 1 ? "another prompt" : `${others} other prompts`} to do first.`);
  }

  private holdSilent(): void {
    this.hold(`${this.named} does not answer.`, true);
  }

  private holdHung(): void {
    this.hold(`${this.named} is still in a step of a prompt that was ended, and cannot be stopped there.`, true);
  }

  private get named(): string {
    return `ComfyUI at ${new URL(this.parts.url).host}`;
  }

  /** Whether it answers, and can begin with a task once it has done what others sent. While it has no task of ours it is asked for that, too. */
  private async isFree(): Promise<boolean> {
    try {
      const others = await this.comfy.remaining();
      if (this.hung === undefined) this.holdFor(others);
    } catch (error) {
      if (isSilence(error)) {
        this.holdSilent();
        return false;
      }
      if (this.hung === undefined) this.hold(undefined); // it answers, and says nothing of its queue
    }
    return this.hung === undefined || this.isOver(this.hung);
  }

  /** Whether a prompt that could not be stopped is over, or its server has been started again. */
  private async isOver(hung: string): Promise<boolean> {
    const place = await this.comfy.placeOf(hung).catch(() => 0); // what hangs may hold it up whole
    if (place !== undefined) {
      this.holdHung();
      await this.comfy.cancel(hung).catch(() => {}); // it may never have heard of it
      return false;
    }
    this.hung = undefined;
    this.hold(undefined);
    return true;
  }

  /** Asks what it offers now. A server that does not answer keeps what it offered, marked so. */
  async refresh(): Promise<void> {
    try {
      const text = await this.comfy.objectInfoText();
      const hash = sha256(text);
      const isNew = hash !== this.hash;
      // One that changes without end is not read each time: what it says at a later reading holds.
      if (isNew && !this.readings.spend(text.length)) {
        if (!this.isNone) this.say(true, undefined);
        return;
      }
      this.isNone = true;
      if (isNew) this.offer(readObjectInfo(text, this.offers));
      this.isNone = false;
      this.hash = hash;
      this.say(true, undefined);
      if (isNew) await this.readPacks();
    } catch (error) {
      const { reason, isMistake } = reasonOf(error, this.comfy.server);
      if (isMistake && reason !== this.reason) this.parts.log(error instanceof Error ? (error.stack ?? error.message) : String(error));
      this.say(false, reason);
    }
  }

  private offer(offers: Offers): void {
    if (offers === this.offers) return;
    this.offers = offers;
    this.models = countModels(offers.nodes);
    for (const [name, why] of offers.unreadable) this.parts.log(`${this.parts.url}: ${name} cannot be read: ${why}`);
  }

  /** A server without a Manager, or whose Manager fails, is as good as any: packs are only named. */
  private async readPacks(): Promise<void> {
    const found = await this.comfy
      .packs()
      .catch((error: unknown) => void this.parts.log(`${this.parts.url}: its Manager: ${String(error)}`));
    if (found !== undefined) this.packs = readPacks(found);
  }

  private say(live: boolean, reason: string | undefined): void {
    if (live !== this.live || reason !== this.reason)
      this.parts.log(live ? `${this.parts.url} offers ${this.offers.nodes.size} nodes` : `${this.parts.url}: ${reason}`);
    this.live = live;
    this.reason = reason;
  }

  /** Takes tasks one by one until `shutdown`; none while the server is away. What it has then goes on until `over`. */
  async serve(shutdown: AbortSignal, over: AbortSignal): Promise<void> {
    const { bus, bell, log, runtime, id } = this.parts;
    while (!shutdown.aborted) {
      const mayTake = this.live && (await this.isFree());
      const entry = mayTake ? await this.claim().catch((error: unknown) => void log(`${id}: ${String(error)}`)) : undefined;
      await this.endOrphans(entry);
      if (!entry) {
        await bell(IDLE_MS);
        continue;
      }
      let isSilent = false;
      const onPlace = (before: number, still?: number) => (still === undefined ? this.holdFor(before) : this.holdStill(still));
      const onSilence = (silent: boolean) => {
        isSilent = silent;
        if (silent) this.holdSilent();
        else this.hold(undefined);
      };
      const onLimited = (isLimited: boolean) => {
        if (isLimited) this.hold(`${this.named} gets too many requests (429). What waits is asked again by itself.`);
        else this.hold(undefined);
      };
      const left = await runTask({ bus, comfy: this.comfy, runtime, log, onPlace, onSilence, onLimited }, entry, over);
      if (!left?.hangs) this.hold(undefined);
      else if (!isSilent) this.holdHung();
      if (left?.hangs) this.hung = left.id;
      else if (left) this.orphans.set(entry.nodeRun, { prompt: left.id, until: Date.now() + ORPHAN_MS });
    }
  }

  /** Prompts whose task was lost run on for a while: the next attempt goes on with them. Nobody else waits behind them. */
  private readonly orphans = new Map<string, { prompt: string; until: number }>();

  private async endOrphans(entry: TaskEntry | undefined): Promise<void> {
    for (const [nodeRun, { prompt, until }] of this.orphans) {
      if (entry ? entry.nodeRun === nodeRun : Date.now() < until) continue;
      await this.comfy.cancel(prompt).catch(() => {});
      this.orphans.delete(nodeRun);
    }
    if (entry) this.orphans.delete(entry.nodeRun);
  }

  private claim(): Promise<TaskEntry | undefined> {
    return this.parts.bus.claim([{ plane: "comfy", service: BUS.region, version: BUS.regionVersion, engine: this.parts.id }]);
  }
}

/** Why a server offers nothing new, for people; and whether that is a mistake of the bridge, which its log should explain. */
function reasonOf(error: unknown, { url, login }: ComfyHttp["server"]): { reason: string; isMistake?: true } {
  const host = new URL(url).host;
  if (error instanceof SyntaxError) return { reason: `${host} answers, but is no ComfyUI: /object_info is no JSON object.` };
  if (error instanceof TooMuch)
    return { reason: `${host}: ${error.message} Remove packs that nobody uses, or look at what answers there.` };
  if (error instanceof ComfyAnswer) {
    const { status } = error;
    const reason = whyNotLetIn(error, host, login.authorization !== undefined);
    if (reason !== undefined) return { reason };
    if (status === 404) return { reason: `${host} answers, but is no ComfyUI: it has no /object_info.` };
    return { reason: `${host} answers ${status}.` };
  }
  if (isSilence(error)) return { reason: `${host} does not answer. Start ComfyUI there, or change COMFY_URL.` };
  const message = error instanceof Error ? error.message : String(error);
  return { reason: `${host} answers, but the bridge failed on what it said (${message}). The bridge's log has more.`, isMistake: true };
}

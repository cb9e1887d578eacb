// How much the hostile suites send, and what they hold a server to: it goes on, at once, for everybody else, and keeps nothing of it.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { expect } from "vitest";
import { WebSocket } from "ws";
import { collected } from "../../infra/bench/heap.ts";
import { freePort } from "../../infra/launch/ports.ts";
import { type Random, random } from "../../packages/graph-model/src/shared-doc/random-updates.testing.ts";
import type { Spindle } from "./spindle.ts";

/** Each suite goes through so many seeds, of which each is its share of a hundredth. `npm test -- --all` asks for forty. */
export const SEEDS = Number(process.env.SEEDS ?? 4);
/** Where the seeds come from: the same in every run. Another one tries others. */
export const SEED = Number(process.env.SEED ?? 1);

/** Does something once for each seed, one after another. What fails names its number, with which `random` repeats it. */
export async function everySeed(act: (next: Random) => Promise<void>, seeds = SEEDS): Promise<void> {
  const property = fc.asyncProperty(fc.noShrink(fc.nat()), (number) => act(random(number)));
  await fc.assert(property, { numRuns: seeds, seed: SEED, endOnFailure: true });
}

export const bytesAtRandom = (next: Random, most: number): Uint8Array =>
  Uint8Array.from({ length: Math.floor(next() * most) }, () => Math.floor(next() * 256));

export const pick = <T>(next: Random, list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;

/** Bytes that this process holds after two collections: on the heap and beside it. */
export function heldHere(): number {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  collect();
  collect();
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  return heapUsed + external + arrayBuffers;
}

/** What may be held at the end, over what was held when all was warm. */
export const MOST_GROWTH = 1.2;

/** A route by which `Watched` asks the runtime what it holds. */
export async function inspected(): Promise<{ port: number; route: () => Promise<{ runtime: Record<string, string> }> }> {
  const port = await freePort();
  return {
    port,
    route: async () => ({ runtime: { NODE_OPTIONS: `--disable-warning=ExperimentalWarning --inspect=127.0.0.1:${port}` } }),
  };
}

/** Longest time for which the runtime may do one thing. */
const LONGEST_S = 1;
/** A window in which this process itself was held up says nothing of the runtime. */
const HELD_UP_NS = 250e6;
const WINDOWS = 3;

export class Watched {
  private readonly pid: number | undefined;
  private warm = 0;
  /** Windows in which the runtime's delay was measured. */
  measured = 0;
  /** How often each status was answered. */
  readonly statuses = new Map<number, number>();

  constructor(
    readonly spindle: Spindle,
    private readonly inspector: number,
  ) {
    this.pid = spindle.processes.runtime?.pid;
  }

  /** @returns the answer, whose body is read. No server may answer that the fault is its own, but that something it needs is away or full. */
  async ask(path: string, init: RequestInit = {}): Promise<{ status: number; text: string }> {
    const answer = await fetch(this.spindle.url + path, { ...init, headers: { connection: "close", ...init.headers } }).catch((error) => {
      throw new Error(`No answer to ${path}: ${error.cause ?? error}\n${this.spindle.processes.runtime?.lastLines.join("\n")}`);
    });
    // A subscription over HTTP is answered for as long as somebody listens.
    const isEndless = answer.headers.get("content-type")?.startsWith("text/event-stream") ?? false;
    if (isEndless) await answer.body?.cancel();
    const text = isEndless ? "a subscription" : await answer.text();
    this.answered(answer.status, `${init.method ?? "GET"} ${path}: ${text.slice(0, 500)}`);
    return { status: answer.status, text };
  }

  answered(status: number, of: string): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1);
    if (status >= 500 && status !== 503 && status !== 507) throw new Error(`${status}: ${of}`);
  }

  /** Every answer of a tRPC socket or batch, whatever stands around it. */
  answeredCall(error: { data?: { httpStatus?: number }; message?: string } | undefined, of: string): void {
    this.answered(error?.data?.httpStatus ?? 200, `${of}: ${error?.message}`);
  }

  /** Does something while the runtime's longest delay is measured, again where this process was held up itself. */
  async prompt(act: () => Promise<unknown>): Promise<void> {
    const own = monitorEventLoopDelay({ resolution: 10 });
    own.enable();
    for (let window = 0; window < WINDOWS; window++) {
      await this.longestDelay();
      own.reset();
      await act();
      if (own.max > HELD_UP_NS) continue;
      this.measured++;
      expect(await this.longestDelay(), "the runtime's longest delay, in seconds").toBeLessThan(LONGEST_S);
      return;
    }
  }

  /** Seconds, since it was asked last. */
  private async longestDelay(): Promise<number> {
    const metrics = await (await fetch(`${this.spindle.url}/metrics`, { headers: { connection: "close" } })).text();
    return Number(/^nodejs_eventloop_lag_max_seconds (\S+)$/m.exec(metrics)?.[1]);
  }

  /** Does once what is measured afterwards. */
  async warmUp(attack: (next: Random) => Promise<unknown>): Promise<void> {
    await attack(random(0));
    await this.isWarm();
  }

  /** From here on nothing more may be held. */
  async isWarm(): Promise<void> {
    this.warm = await collected(this.inspector);
  }

  /** Ends well: the same process answers, and holds no more than before. */
  async expectWhole(): Promise<void> {
    expect(this.spindle.processes.runtime?.pid, this.spindle.processes.runtime?.lastLines.join("\n")).toBe(this.pid);
    expect((await this.ask("/health")).status).toBe(200);
    const now = await collected(this.inspector);
    expect(now / this.warm, `${Math.round(now / 2 ** 20)} MiB, of ${Math.round(this.warm / 2 ** 20)} when it was warm`).toBeLessThan(
      MOST_GROWTH,
    );
  }
}

/** Another address than the one from which the tests' honest people come. */
export const ATTACKER = "127.0.0.2";

/** A socket of the attacker's, which is open, or was refused. */
export async function attackerSocket(url: string): Promise<WebSocket> {
  const socket = new WebSocket(url, { localAddress: ATTACKER });
  socket.on("error", () => {});
  socket.binaryType = "arraybuffer";
  await new Promise((resolve) => {
    socket.once("open", resolve);
    socket.once("close", resolve);
  });
  return socket;
}

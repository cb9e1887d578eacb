// Plays the runtime to a worker under test: a real Redis with the bus' functions, and the HTTP calls that a task may make.
import { createHash, randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { canonicalText } from "@spindle/graph-model";
import type { ArtifactRef, TaskEntry, TaskResult } from "@spindle/schemas";
import { type Junk, loadFunctions, openRedis, type Route, type RuntimeEnd, runtimeEnd, taskToken } from "@spindle/task-bus";
import type { Redis } from "ioredis";
import { startRedis } from "../../infra/launch/redis.ts";
import { until } from "./spindle.ts";

export const KEY = "k".repeat(64);

export class ConformanceBroker {
  readonly inputs = new Map<string, string>();
  readonly seen: TaskResult[] = [];
  /** What the worker wrote that is no result signed with its key, and what it refused. */
  readonly buried: Junk[] = [];
  /** Bytes by key, and by the id of an artifact that tasks may read. */
  readonly objects = new Map<string, Buffer>();
  /** What a worker handed over beside Redis. */
  manifest: { sha256: string; capabilities: unknown[] } | undefined;
  private constructor(
    readonly redis: Redis,
    readonly bus: RuntimeEnd,
    readonly env: Record<string, string>,
    private readonly ends: (() => Promise<unknown> | unknown)[],
    private readonly route: Route,
  ) {}

  static async start(route: Route): Promise<ConformanceBroker> {
    const folder = await mkdtemp(join(tmpdir(), "spindle-conformance-"));
    const service = await startRedis(join(folder, "redis"));
    const redis = openRedis(service.url);
    await loadFunctions(redis);
    const server = createServer((request, response) => void broker.answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const env = { REDIS_URL: service.url, SPINDLE_RUNTIME_URL: url, SPINDLE_WORKER_KEY: KEY, SPINDLE_HOME: folder };
    const ends = [
      () => redis.disconnect(),
      () => closed(server),
      () => service.process.stop(),
      () => rm(folder, { recursive: true, force: true }),
    ];
    const broker = new ConformanceBroker(redis, runtimeEnd(redis, KEY), env, ends, route);
    return broker;
  }

  /** The same for another capability or engine. */
  routed(route: Route): ConformanceBroker {
    const other = new ConformanceBroker(this.redis, this.bus, this.env, [], route);
    return Object.assign(other, { inputs: this.inputs, seen: this.seen, buried: this.buried, objects: this.objects });
  }

  /** A task whose input is `input`; returns its name. */
  async dispatch(input: object, more: Partial<TaskEntry> = {}, bus: RuntimeEnd = this.bus): Promise<string> {
    const nodeRun = randomUUID();
    const task = `${nodeRun}:1`;
    const text = canonicalText(input);
    this.inputs.set(task, text);
    const entry = {
      v: 1 as const,
      task,
      nodeRun,
      run: randomUUID(),
      attempt: 1,
      fence: 1,
      capability: `${this.route.service}@${this.route.version}`,
      engine: this.route.engine,
      inputSha256: createHash("sha256").update(text).digest("hex"),
      leaseMs: 1500,
      beatMs: 300,
      stallMs: 0,
      timeoutMs: 0,
      traceparent: `00-${"0".repeat(31)}1-${"0".repeat(15)}1-01`,
      ...more,
    };
    await bus.dispatch(entry, this.route);
    return task;
  }

  whereabouts(task: string) {
    return this.bus.whereabouts(task, this.route);
  }

  /** The result of a task, once the worker has settled it; taken off the bus as the runtime would. */
  result(task: string, patienceMs = 15_000): Promise<TaskResult> {
    return until(
      async () => {
        for (const message of await this.bus.results()) {
          if ("junk" in message) {
            await this.bus.bury(message.junk);
            this.buried.push(message.junk);
            continue;
          }
          this.seen.push(message.result);
          await this.bus.acknowledge(message.id);
          await this.bus.done(message.result.task, this.route);
        }
        return this.seen.find((one) => one.task === task);
      },
      patienceMs,
      `${task} is settled`,
    );
  }

  /** An image that a task may be given. */
  offer(bytes: Buffer): ArtifactRef {
    const artifact = randomUUID();
    this.objects.set(artifact, bytes);
    return { artifact, mime: "image/png", sha256: createHash("sha256").update(bytes).digest("hex"), size: bytes.length };
  }

  /** Where a task reads an artifact, or puts one. */
  private place(
    task: string,
    wish: { direction: string; artifact?: string; purpose?: string; mime?: string },
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const artifact = wish.direction === "get" ? (wish.artifact ?? "") : randomUUID();
    const key = wish.direction === "get" ? artifact : `${wish.purpose}/${task.replace(":", "/")}/${artifact}`;
    const url = `http://${request.headers.host}/store/${encodeURIComponent(key)}`;
    const headers = wish.mime ? { "content-type": wish.mime } : {};
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ artifact, key, url, headers }));
  }

  private async store(key: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === "PUT") {
      this.objects.set(key, Buffer.concat(await request.toArray()));
      return void response.writeHead(200).end();
    }
    const bytes = this.objects.get(key);
    response.writeHead(bytes ? 200 : 404).end(bytes);
  }

  async stop(): Promise<void> {
    for (const end of this.ends) await end();
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === "PUT" && request.url === "/workers/comfy/manifest") {
      const text = Buffer.concat(await request.toArray());
      const sha256 = createHash("sha256").update(text).digest("hex");
      const isNamed = request.headers["x-spindle-sha256"] === sha256;
      const allowed = isNamed && request.headers.authorization === `Bearer ${taskToken(`manifest:${sha256}`, KEY)}`;
      if (allowed) this.manifest = { sha256, capabilities: JSON.parse(text.toString("utf8")) as unknown[] };
      return void response.writeHead(allowed ? 204 : 401).end();
    }
    const [, first, name = "", what] = (request.url ?? "").split("/");
    if (first === "store") return this.store(decodeURIComponent(name), request, response);
    const task = decodeURIComponent(name);
    const input = this.inputs.get(task);
    if (request.headers.authorization !== `Bearer ${taskToken(task, KEY)}`) return void response.writeHead(401).end();
    if (what === "objects") return this.place(task, JSON.parse(await text(request)), request, response);
    if (what !== "input" || input === undefined) return void response.writeHead(404).end();
    response.writeHead(200, { "content-type": "application/json" }).end(input);
  }
}

const text = async (request: IncomingMessage): Promise<string> => Buffer.concat(await request.toArray()).toString("utf8");

const closed = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.closeAllConnections();
    server.close(() => resolve());
  });

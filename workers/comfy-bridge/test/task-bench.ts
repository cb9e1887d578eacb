// One task as the bridge runs it, beside the fake ComfyUI, with a bus and a runtime that note what they get.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { RegionInput, TaskEntry, TaskProgress, TaskResult } from "@spindle/schemas";
import { BUS } from "@spindle/schemas";
import type { WorkerEnd } from "@spindle/task-bus";
import { sha256 } from "../src/task/runtime.ts";

const WORKER_KEY = "k".repeat(32);

export class TaskBench {
  readonly results: TaskResult[] = [];
  readonly progress: TaskProgress[] = [];
  /** What the bus says of the lease. */
  answer: "ok" | "cancel" | "lost" = "ok";
  /** Purposes of objects that the runtime does not store. */
  refuses: readonly string[] = [];
  private readonly inputs = new Map<string, string>();
  private made = 0;

  private constructor(private readonly server: Server) {}

  static async start(): Promise<TaskBench> {
    const server = createServer();
    const bench = new TaskBench(server);
    server.on("request", async (request, response) => {
      const pieces: Buffer[] = [];
      for await (const piece of request) pieces.push(piece as Buffer);
      const [, , task = "", what] = (request.url ?? "").split("/");
      if (what === "input") return void response.end(bench.inputs.get(task));
      if (request.method === "PUT") return void response.end();
      const { purpose } = JSON.parse(Buffer.concat(pieces).toString("utf8")) as { purpose: string };
      if (bench.refuses.includes(purpose)) return void response.writeHead(413).end("too large");
      const artifact = `00000000-0000-4000-8000-${String(++bench.made).padStart(12, "0")}`;
      response.end(JSON.stringify({ url: `${bench.runtime.runtimeUrl}/bytes`, headers: {}, artifact, key: artifact }));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return bench;
  }

  get runtime(): { runtimeUrl: string; workerKey: string } {
    return { runtimeUrl: `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`, workerKey: WORKER_KEY };
  }

  /** @param waiting tasks that can be claimed */
  bus(waiting: TaskEntry[] = []): WorkerEnd {
    return {
      claim: async () => waiting.shift(),
      beat: async () => this.answer,
      progress: async (progress) => void this.progress.push(progress),
      settle: async (result) => void this.results.push(result),
    };
  }

  /** A task with that prompt, every node of which may be an output. */
  entry(prompt: RegionInput["prompt"], others: Partial<TaskEntry> = {}, gives: RegionInput["gives"] = []): TaskEntry {
    const task = others.task ?? `task-${this.inputs.size}`;
    const text = JSON.stringify({ prompt, sinks: Object.keys(prompt), gives } satisfies Omit<RegionInput, "sinks"> & {
      sinks: string[];
    });
    this.inputs.set(task, text);
    return {
      task,
      nodeRun: task,
      capability: `${BUS.region}@${BUS.regionVersion}`,
      inputSha256: sha256(text),
      leaseMs: 1000,
      beatMs: 20,
      stallMs: 0,
      timeoutMs: 0,
      ...others,
    } as TaskEntry;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

// Accepts runs, owns them by a lease, drives them, and takes over those whose runtime is gone (DESIGN E9).
import { randomUUID } from "node:crypto";
import { autoEngine, type Graph, type Library, nodeSettings, topology } from "@spindle/graph-model";
import type { Timings } from "../config.ts";
import type { NewNodeRun, RunRow } from "../record/record.ts";
import type { Database } from "../store/database.ts";
import { isOutage, patient } from "../store/patient.ts";
import type { LiveBoard } from "../tasks/live.ts";
import { compile } from "./compile.ts";
import { type ExecutionParts, RunExecution } from "./execution.ts";
import { runOutputs } from "./outputs.ts";

export interface EngineOptions {
  db: Database;
  owner: string;
  timings: Timings;
  live: LiveBoard;
  parts: Omit<ExecutionParts, "library">;
  library: () => Library;
  onError: (where: string, error: unknown) => void;
}

export interface RunRequest {
  revision: string;
  graph: Graph;
  graphId?: string;
  title: string;
  template?: string;
  inputs: Record<string, unknown>;
}

export class Engine {
  private readonly executions = new Map<string, RunExecution>();
  private readonly drives = new Set<Promise<void>>();
  private timer: NodeJS.Timeout | undefined;
  private stopped = false;
  private keeping: Promise<void> = Promise.resolve();

  constructor(private readonly options: EngineOptions) {}

  start(): void {
    const tick = async () => {
      await this.keep().catch((error) => isOutage(error) || this.options.onError("engine", error));
      if (!this.stopped) this.timer = setTimeout(tick, this.options.timings.runLeaseMs / 4);
    };
    void tick();
  }

  /** Freezes what the run will be made of, engines included (DESIGN M4), and accepts it. The graph has been validated. */
  async accept(request: RunRequest): Promise<string> {
    const id = randomUUID();
    const library = this.options.library();
    const nodes = request.graph.nodes.map((node): NewNodeRun => {
      const settings = nodeSettings(request.graph, node.id);
      const definition = library.find(node.plane, node.service);
      const engine = definition?.engines.find((one) => one.id === settings.engine) ?? (definition && autoEngine(definition));
      if (!definition || !engine) throw new Error(`No definition for the validated node ${node.id}.`);
      const timeoutSeconds = Math.round(settings.timeoutSeconds ?? Math.max(0, definition.timeoutSeconds));
      return {
        id: randomUUID(),
        nodeId: node.id,
        plane: engine.plane,
        service: node.service,
        version: definition.version,
        engine: engine.id,
        draft: engine.draft,
        timeoutSeconds,
      };
    });
    const { revision, graphId, title, template, inputs } = request;
    await this.options.parts.record.create({
      id,
      revision,
      ...(graphId ? { graph: graphId } : {}),
      title,
      ...(template ? { template } : {}),
      inputs,
      nodes,
    });
    void this.keep().catch((error) => isOutage(error) || this.options.onError("engine", error));
    return id;
  }

  isCancelled(run: string): boolean {
    return this.executions.get(run)?.cancelled ?? false;
  }

  /** False if the run has ended or is being cancelled. */
  async cancel(run: string): Promise<boolean> {
    const asked = await this.options.parts.record.requestCancel(run);
    await this.executions.get(run)?.cancel();
    return asked;
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    for (const execution of this.executions.values()) execution.close(new Error("The runtime stops."));
    await Promise.allSettled(this.drives);
  }

  /** One at a time: a renewal must not be judged by runs that were claimed while it was under way. */
  private keep(): Promise<void> {
    this.keeping = this.keeping.catch(() => {}).then(() => this.renewAndClaim());
    return this.keeping;
  }

  private async renewAndClaim(): Promise<void> {
    const { parts, owner, timings } = this.options;
    const held = [...this.executions.values()];
    const mine = await parts.record.renew(owner, timings.runLeaseMs);
    for (const execution of held)
      if (!mine.has(execution.run.id) && this.executions.has(execution.run.id) && !execution.finishing)
        execution.close(new Error("Another runtime owns the run."));
    if (this.stopped) return;
    for (const run of await parts.record.claim(owner, timings.runLeaseMs)) {
      const drive = this.drive(run).catch((error) => this.options.onError(`run ${run.id}`, error));
      this.drives.add(drive);
      void drive.finally(() => this.drives.delete(drive));
    }
  }

  private async drive(run: RunRow): Promise<void> {
    const { parts, db, live } = this.options;
    const revision = await patient(() => db.prisma.revision.findUniqueOrThrow({ where: { id: run.revision_id } }));
    const graph = revision.document as unknown as Graph;
    const rows = await patient(() => parts.record.nodeRuns(run.id));
    const execution = new RunExecution({ ...parts, library: this.options.library() }, run, graph, rows);
    this.executions.set(run.id, execution);
    try {
      if (run.state === "queued") await patient(() => parts.record.changeRun(run.id, ["queued"], "running"));
      run.state = "running";
      if (run.cancel_requested) await execution.cancel();
      execution.begin();
      await compile(topology(graph)).drive(execution);
      if (!execution.closed) {
        execution.finishing = true;
        await this.finish(execution);
      }
    } catch (error) {
      if (!execution.closed) throw error;
    } finally {
      this.executions.delete(run.id);
      setTimeout(() => live.forget(run.id), 5000).unref();
    }
  }

  /** Completion comes from the rows, not from LangGraph's return. */
  private async finish(execution: RunExecution): Promise<void> {
    const { record } = this.options.parts;
    const { run, graph } = execution;
    const open = ["queued", "running"] as const;
    const cancelled = execution.results().some((row) => row.state === "cancelled");
    if (cancelled)
      return void (await patient(() =>
        record.changeRun(run.id, open, "cancelled", { error: { code: "run.cancelled", message: "The run was cancelled." } }),
      ));
    const [failed] = execution.unhandled();
    const outputs = runOutputs(graph, execution.results());
    if (failed) {
      const error = { ...failed.error, node: failed.node_id };
      return void (await patient(() => record.changeRun(run.id, open, "failed", { error, outputs })));
    }
    await patient(() => record.changeRun(run.id, open, "succeeded", { outputs }));
  }
}

import {
  autoEngine,
  definer,
  type Graph,
  type Library,
  nodeSettings,
  portKind,
  type RunInput,
  runInputs,
  topology,
  whyInvalid,
} from "@spindle/graph-model";
import type { RunEvent } from "@spindle/schemas";
import { whyNoArtifact } from "../engine/check-input.ts";
import type { Engine } from "../engine/engine.ts";
import type { RunRecord } from "../record/record.ts";
import { type NodeState, type RunState, SEED_NODE_STATUS } from "../record/states.ts";
import { Refused } from "../refused.ts";
import type { Database } from "../store/database.ts";
import type { Live, LiveBoard } from "../tasks/live.ts";
import type { GraphService } from "./graph-service.ts";

export interface NodeRunView {
  node: string;
  state: NodeState;
  attempt: number;
  engine: string;
  draft: boolean;
  input: Record<string, unknown> | null;
  output: Record<string, unknown> | null;
  error: Record<string, unknown> | null;
  startedAt: string | null;
  finishedAt: string | null;
}

export interface RunView {
  id: string;
  number: number;
  graphId: string | null;
  title: string;
  template: string | null;
  state: RunState;
  cancelling: boolean;
  inputs: Record<string, unknown>;
  outputs: Record<string, unknown> | null;
  error: Record<string, unknown> | null;
  lastSeq: number;
  /** 0 to 1, by `progressWeight`. */
  progress: number;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  nodes: NodeRunView[];
  live: Live[];
}

const ENDED = new Set(["succeeded", "failed", "cancelled"]);

export class RunService {
  constructor(
    private readonly db: Database,
    private readonly record: RunRecord,
    private readonly engine: Engine,
    private readonly graphs: GraphService,
    private readonly live: LiveBoard,
    private readonly library: () => Library,
  ) {}

  /** @throws Refused 422 with the graph's issues, or with the field of an input and why it is refused */
  async start(
    graph: Graph,
    inputs: Record<string, unknown>,
    about: { title: string; graphId?: string; template?: string },
  ): Promise<string> {
    const frozen = await this.graphs.freeze(graph);
    const checked = checkInputs(runInputs(frozen.graph, definer(frozen.graph, this.library())), inputs);
    return this.engine.accept({ ...frozen, ...about, inputs: checked });
  }

  cancel(id: string): Promise<boolean> {
    return this.engine.cancel(id);
  }

  async get(id: string): Promise<RunView> {
    const run = await this.db.prisma.run.findUnique({ where: { id }, include: { revision: true } });
    if (!run) throw new Refused(404, "request.invalid", "There is no such run.");
    const rows = await this.db.prisma.nodeRun.findMany({ where: { runId: id }, include: { result: true } });
    const date = (value: Date | null) => value?.toISOString() ?? null;
    const live = ENDED.has(run.state) ? [] : this.live.of(id);
    const nodes = rows.map(
      (row): NodeRunView => ({
        node: row.nodeId,
        state: row.state as NodeState,
        attempt: row.attempt,
        engine: row.engine,
        draft: row.draft,
        input: row.input as never,
        output: (row.result?.output ?? null) as never,
        error: row.error as never,
        startedAt: date(row.startedAt),
        finishedAt: date(row.finishedAt),
      }),
    );
    return {
      id,
      number: run.number,
      graphId: run.graphId,
      title: run.title,
      template: run.template,
      state: run.state as RunState,
      cancelling: run.cancelRequested,
      inputs: run.inputs as never,
      outputs: run.outputs as never,
      error: run.error as never,
      lastSeq: run.lastSeq,
      progress: progressOf(run.revision.document as unknown as Graph, rows, live),
      createdAt: run.createdAt.toISOString(),
      startedAt: date(run.startedAt),
      finishedAt: date(run.finishedAt),
      nodes,
      live,
    };
  }

  async list(filter: { graphId?: string; template?: string } = {}, take = 50) {
    const where = { ...(filter.graphId ? { graphId: filter.graphId } : {}), ...(filter.template ? { template: filter.template } : {}) };
    const rows = await this.db.prisma.run.findMany({
      where,
      orderBy: { createdAt: "desc" },
      take,
      include: { nodeRuns: { select: { state: true, draft: true } } },
    });
    return rows.map((run) => ({
      id: run.id,
      number: run.number,
      graphId: run.graphId,
      title: run.title,
      template: run.template,
      state: run.state as RunState,
      outputs: run.outputs as Record<string, unknown> | null,
      draft: run.nodeRuns.some((one) => one.draft),
      nodes: run.nodeRuns.length,
      done: run.nodeRuns.filter((one) => one.state === "succeeded").length,
      createdAt: run.createdAt.toISOString(),
      finishedAt: run.finishedAt?.toISOString() ?? null,
    }));
  }

  /** DESIGN G9: the graph as it ran, with its state in the seed's words. */
  async graphWithState(id: string): Promise<Graph> {
    const run = await this.db.prisma.run.findUnique({ where: { id }, include: { revision: true } });
    if (!run) throw new Refused(404, "request.invalid", "There is no such run.");
    const graph = run.revision.document as unknown as Graph;
    const views = new Map((await this.get(id)).nodes.map((one) => [one.node, one]));
    const nodes = graph.nodes.map((node) => {
      const view = views.get(node.id);
      if (!view) return node;
      const error = view.error ? { ...view.error, code: String(view.error.code ?? view.state) } : undefined;
      return {
        ...node,
        status: SEED_NODE_STATUS[view.state],
        ...(view.output ? { output: view.output } : {}),
        ...(error ? { error } : {}),
        retries: { attempt: view.attempt },
      };
    });
    return { ...graph, nodes: nodes as Graph["nodes"] };
  }

  events(id: string, since: number): Promise<RunEvent[]> {
    return this.record.events(id, since);
  }

  /** Which engine `auto` is now, for each node (shown on the run button). */
  engines(graph: Graph): Record<string, { id: string; label: string; draft: boolean }> {
    const library = this.library();
    const entries = graph.nodes.flatMap((node) => {
      const definition = definer(graph, library)(node);
      const engine =
        definition?.engines.find((one) => one.id === nodeSettings(graph, node.id).engine) ?? (definition && autoEngine(definition));
      return engine ? [[node.id, { id: engine.id, label: engine.label, draft: engine.draft }] as const] : [];
    });
    return Object.fromEntries(entries);
  }
}

/** The given values, each checked against its input; defaults stand in. */
export function checkInputs(wanted: readonly RunInput[], given: Record<string, unknown>): Record<string, unknown> {
  const refuse = (field: string, why: string): never => {
    throw new Refused(422, "run.input_invalid", `${field}: ${why}`, { field });
  };
  const values = { ...given };
  for (const input of wanted) {
    const value = given[input.name] ?? input.default;
    if (value === undefined || value === null) {
      if (input.required && !("default" in input.schema)) refuse(input.name, `${input.label} is needed.`);
      continue;
    }
    const why = portKind(input.type) === "artifact" ? whyNoArtifact(value, input.type) : whyInvalid(value, input.schema);
    if (why) refuse(input.name, plain(value, input.schema) ?? why);
    values[input.name] = value;
  }
  return values;
}

/** The limit in a person's words, for the constraints people meet. */
function plain(value: unknown, schema: Record<string, unknown>): string | undefined {
  if (typeof value !== "string") return undefined;
  if (!value.trim()) return "the text is empty.";
  const most = schema.maxLength;
  return typeof most === "number" && [...value].length > most
    ? `the text has ${[...value].length} characters; the limit is ${most}.`
    : undefined;
}

interface Decided {
  nodeId: string;
  state: string;
  broken: boolean;
}

/** DESIGN E15. What was skipped for a failure is not progress. */
function progressOf(graph: Graph, nodes: readonly Decided[], live: readonly Live[]): number {
  const { node: byId } = topology(graph);
  const weight = (id: string) => byId.get(id)?.progressWeight ?? 1;
  const total = nodes.reduce((sum, one) => sum + weight(one.nodeId), 0);
  const share = (one: Decided): number => {
    if (one.state === "succeeded" || (one.state === "skipped" && !one.broken)) return 1;
    return live.find((entry) => entry.node === one.nodeId)?.progress ?? 0;
  };
  const done = nodes.reduce((sum, one) => sum + weight(one.nodeId) * share(one), 0);
  return total > 0 ? Math.min(1, done / total) : 0;
}

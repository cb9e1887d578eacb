import { createHash } from "node:crypto";
import {
  canonicalText,
  type Graph,
  isRegionId,
  type Library,
  lastVisits,
  parsePath,
  type RunInput,
  resolve,
  whyTooLarge,
  whyValueUnfit,
} from "@spindle/graph-model";
import {
  type ForkRequest,
  isEndedNodeState,
  isEndedRunState,
  type NodeRunsRequest,
  type RunEventError,
  type RunState,
  SEED_NODE_STATUS,
} from "@spindle/schemas";
import { byContent } from "../engine/cache-key.ts";
import type { RunDriver, RunRequest } from "../engine/run-driver.ts";
import type { RunRecord } from "../record/record.ts";
import type { KeyedRequest, RecordedOptions, Tally } from "../record/types.ts";
import { Refused } from "../refused.ts";
import type { Database } from "../store/database.ts";
import type { Live, LiveBoard } from "../tasks/live.ts";
import type { NotRunning } from "../tasks/why-not-running.ts";
import { assertRun, findNodeRun, findRun } from "./find-run.ts";
import type { GraphService } from "./graph-service.ts";
import { date, type NodeRunView, type StoredNodeRun, viewsOf } from "./node-run-view.ts";
import type { Waits } from "./waits.ts";

/** What a node did more than once: visits of a loop, elements of a map. */
export interface NodeCount {
  total: number;
  done: number;
  failed: number;
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
  error: RunEventError | null;
  options: RecordedOptions;
  lastSeq: number;
  /** Why nothing of it is running (DESIGN E18); null while something is, and once it has ended. */
  notRunning: NotRunning | null;
  /** 0 to 1, by `progressWeight`. */
  progress: number;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  /** One entry for each node, that of its last visit. */
  nodes: NodeRunView[];
  /** Counts by node, for nodes with several node runs. */
  counts: Record<string, NodeCount>;
  live: Live[];
}

export class RunService {
  constructor(
    private readonly db: Database,
    private readonly record: Pick<RunRecord, "nodes" | "results" | "history">,
    private readonly driver: RunDriver,
    private readonly graphs: GraphService,
    private readonly live: LiveBoard,
    private readonly waits: Pick<Waits, "of" | "ofRuns">,
    private readonly library: () => Library,
  ) {}

  /** @throws Refused 422 with the graph's issues, or with the field of an input and why it is refused */
  async start(
    graph: Graph,
    inputs: Record<string, unknown>,
    about: { title: string; graphId?: string; template?: string; options?: RecordedOptions; submitter?: string; key?: string },
  ): Promise<string> {
    const { part } = about.options ?? {};
    if (part && !graph.nodes.some((node) => node.id === part.node))
      throw new Refused(422, "run.input_invalid", `The graph has no node ${part.node}.`, { field: "part" });
    const frozen = await this.graphs.freeze(graph);
    const checked = checkInputs(resolve(frozen.graph, this.library()).root.inputs, inputs);
    const { key, ...rest } = about;
    const run = { ...frozen, ...rest, inputs: checked };
    return key === undefined ? this.driver.accept(run) : this.startOnce(run, key);
  }

  /** A request that its sender has given a key: sent again, it is answered with the run that it started. */
  private async startOnce(run: RunRequest, key: string): Promise<string> {
    const { revision, inputs, options = {}, template = null, graphId = null, submitter = "" } = run;
    const request = {
      key: hashOf([submitter, key]),
      hash: hashOf([revision, byContent(inputs), options, template, graphId]),
    };
    const known = await this.startedBy(request);
    if (known !== undefined) return known;
    try {
      return await this.driver.accept({ ...run, request });
    } catch (error) {
      const twin = await this.startedBy(request); // sent twice at once
      if (twin === undefined) throw error;
      return twin;
    }
  }

  /** @throws Refused 422 if the key was given to something else */
  private async startedBy({ key, hash }: KeyedRequest): Promise<string | undefined> {
    const run = await this.db.prisma.run.findUnique({ where: { requestKey: key }, select: { id: true, requestHash: true } });
    if (run && run.requestHash !== hash)
      throw new Refused(422, "request.key_reused", "Another request was sent with this Idempotency-Key. Each needs a key of its own.", {
        field: "Idempotency-Key",
      });
    return run?.id;
  }

  /**
   * DESIGN E17: a new run of an ended one's graph, with other parameters or outputs. What lies before them is taken from the
   * old run, byte for byte; with `node`, everything from there on runs again.
   */
  async fork(
    { id, node, params = {}, outputs = {}, versions = {}, inputs = {} }: ForkRequest,
    submitter = "",
    key?: string,
  ): Promise<string> {
    const run = await findRun(this.db, id);
    const old = run.revision.document as unknown as Graph;
    const unknown = [params, outputs, versions].flatMap(Object.keys).find((id) => !old.nodes.some((node) => node.id === id));
    if (unknown !== undefined) throw new Refused(422, "run.input_invalid", `The run's graph has no node ${unknown}.`, { field: "params" });
    for (const [field, given] of Object.entries({ params, outputs }))
      for (const [nodeId, values] of Object.entries(given)) {
        const why = whyTooLarge(values);
        if (why) throw new Refused(422, "run.input_invalid", `${nodeId}: ${why}`, { field });
      }
    const nodes = old.nodes.map((one) => (params[one.id] ? { ...one, params: { ...one.params, ...params[one.id] } } : one));
    const settings = { ...(old.metadata?.nodes as Record<string, object> | undefined) };
    for (const [nodeId, pinned] of Object.entries(outputs)) settings[nodeId] = { ...settings[nodeId], pinned, bypassed: false } as object;
    for (const [nodeId, version] of Object.entries(versions)) settings[nodeId] = { ...settings[nodeId], version } as object;
    const graph = { ...old, nodes: nodes as Graph["nodes"], metadata: { ...old.metadata, nodes: settings } };
    return this.start(
      graph,
      { ...(run.inputs as Record<string, unknown>), ...inputs },
      {
        title: `${run.title} (from run ${run.number})`,
        ...(run.graphId ? { graphId: run.graphId } : {}),
        ...(run.template ? { template: run.template } : {}),
        submitter,
        ...(key === undefined ? {} : { key }),
        options: { base: id, ...(node === undefined ? {} : { part: { of: "from" as const, node } }) },
      },
    );
  }

  /** Returns how many results no longer answer for later runs. */
  clearCache(graphId?: string): Promise<number> {
    return this.record.results.clear(graphId);
  }

  /** False if the run is over. @throws Refused 404 */
  async cancel(id: string): Promise<boolean> {
    await assertRun(this.db, id);
    return this.driver.cancel(id);
  }

  /** @throws Refused 404, or 409 if it is over */
  async cancelNode(id: string, path: string): Promise<void> {
    const row = await findNodeRun(this.db, this.record.nodes, id, path);
    if (isEndedNodeState(row.state)) throw new Refused(409, "node.over", "This node is over already.");
    await this.driver.cancelNode(row);
  }

  async get(id: string): Promise<RunView> {
    const run = await findRun(this.db, id);
    const graph = run.revision.document as unknown as Graph;
    const tallies = await this.record.history.tallies(id);
    const isOpen = !isEndedRunState(run.state);
    const live = isOpen ? this.live.of(id) : [];
    const waits = isOpen ? await this.waits.of(id) : undefined;
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
      options: run.options as RecordedOptions,
      lastSeq: run.lastSeq,
      notRunning: waits?.run ?? null,
      progress: progressOf(graph, tallies, live),
      createdAt: run.createdAt.toISOString(),
      startedAt: date(run.startedAt),
      finishedAt: date(run.finishedAt),
      nodes: withRegions(await viewsOf(this.record.history, await this.lastRuns(id, tallies), run, waits && { waits: waits.nodes }), live),
      counts: countRuns(tallies),
      live,
    };
  }

  /** What a run has come to, and how far it is; no value of it is read. @throws Refused 404 */
  async status(id: string): Promise<{ state: RunState; progress: number }> {
    const select = { state: true, revision: { select: { document: true } } } as const;
    const run = await this.db.prisma.run.findUnique({ where: { id }, select });
    if (!run) return assertRun(this.db, id) as Promise<never>;
    const live = isEndedRunState(run.state) ? [] : this.live.of(id);
    const progress = progressOf(run.revision.document as unknown as Graph, await this.record.history.tallies(id), live);
    return { state: run.state as RunState, progress };
  }

  /** The run with what went in and what came out, without its nodes. @throws Refused 404 */
  async job(id: string) {
    const { progress } = await this.status(id);
    const select = { state: true, inputs: true, outputs: true, error: true, createdAt: true, startedAt: true, finishedAt: true } as const;
    const { state, createdAt, startedAt, finishedAt, ...values } = await this.db.prisma.run.findUniqueOrThrow({ where: { id }, select });
    const dates = { createdAt: date(createdAt), startedAt: date(startedAt), finishedAt: date(finishedAt) };
    return { id, state: state as RunState, progress, ...dates, ...values };
  }

  /** Of each node the run of its last visit, in the order of their paths, without values. */
  private lastRuns(id: string, tallies: readonly Tally[]): Promise<StoredNodeRun[]> {
    const path = { in: lastVisits(tallies).map((one) => one.path) };
    return this.db.prisma.nodeRun.findMany({ where: { runId: id, path }, omit: { input: true }, orderBy: { path: "asc" } });
  }

  /** Every node run of one node, of one place, or of all: visits, elements and what ran in subgraphs. */
  async nodeRuns({ id, node, path }: NodeRunsRequest): Promise<NodeRunView[]> {
    const run = await findRun(this.db, id);
    const rows = await this.db.prisma.nodeRun.findMany({
      where: { runId: id, ...(node ? { nodeId: node } : {}), ...(path ? { path } : {}) },
      omit: { input: true },
      orderBy: { path: "asc" },
      take: 1000,
    });
    const at = (row: (typeof rows)[number]) => (row.startedAt ?? row.finishedAt ?? row.changedAt).getTime();
    const queued = await this.record.history.queuedAt(id);
    rows.sort((a, b) => at(a) - at(b)); // the sort is stable: rows of the same time stay in the order of their paths
    const { nodes: waits } = await this.waits.of(id);
    return (await viewsOf(this.record.history, rows, run, { waits })).map((nodeRun) => ({
      ...nodeRun,
      ...(queued.has(nodeRun.path) ? { queuedAt: queued.get(nodeRun.path)?.toISOString() as string } : {}),
    }));
  }

  /** @throws Refused 404 */
  async logs(id: string, path: string): Promise<{ attempt: number; text: string }[]> {
    const logs = await this.record.history.logs(id, path);
    if (logs.length === 0) await findNodeRun(this.db, this.record.nodes, id, path);
    return logs;
  }

  async list(filter: { graphId?: string; template?: string } = {}, limit = 50) {
    const where = { ...(filter.graphId ? { graphId: filter.graphId } : {}), ...(filter.template ? { template: filter.template } : {}) };
    const select = { id: true, number: true, graphId: true, title: true, template: true, state: true, createdAt: true, finishedAt: true };
    const runs = await this.db.prisma.run.findMany({ where, select, orderBy: { createdAt: "desc" }, take: limit });
    const counts = await this.record.history.countNodes(runs.map((run) => run.id));
    const open = runs.filter((run) => !isEndedRunState(run.state));
    const waits = open.length > 0 ? await this.waits.ofRuns(open.map((run) => run.id)) : new Map<string, NotRunning>();
    return runs.map((run) => ({
      id: run.id,
      number: run.number,
      graphId: run.graphId,
      title: run.title,
      template: run.template,
      state: run.state as RunState,
      notRunning: waits.get(run.id) ?? null,
      draft: counts.get(run.id)?.draft ?? false,
      nodes: counts.get(run.id)?.nodes ?? 0,
      done: counts.get(run.id)?.done ?? 0,
      createdAt: run.createdAt.toISOString(),
      finishedAt: run.finishedAt?.toISOString() ?? null,
    }));
  }

  /** DESIGN G9: the graph as it ran, with its state in the seed's words. */
  async graphWithState(id: string): Promise<Graph> {
    const run = await findRun(this.db, id);
    const graph = run.revision.document as unknown as Graph;
    const rows = await this.lastRuns(id, await this.record.history.tallies(id));
    const views = new Map((await viewsOf(this.record.history, rows, run, { withInput: false })).map((nodeRun) => [nodeRun.node, nodeRun]));
    const nodes = graph.nodes.map((node) => {
      const view = views.get(node.id);
      if (!view) return node;
      const error = view.error ? { ...view.error, code: String(view.error.code ?? view.state) } : undefined;
      return {
        ...node,
        status: SEED_NODE_STATUS[view.state],
        ...(view.output && !view.valuesLeftOut ? { output: view.output } : {}),
        ...(error ? { error } : {}),
        retries: { attempt: view.attempt },
      };
    });
    return { ...graph, nodes: nodes as Graph["nodes"] };
  }
}

/** A node of a region has no state of its own until the region is over; that it has begun it reports itself. */
function withRegions(views: readonly NodeRunView[], live: readonly Live[]): NodeRunView[] {
  const begun = new Set(live.flatMap(({ node, inRegion }) => (inRegion ? [node] : [])));
  const running = views.filter(({ node, state }) => isRegionId(node) && state === "running");
  const runs = (id: string) => running.some(({ input }) => Object.hasOwn(Object(input?.prompt), id));
  return views.map((view) => {
    if (view.state !== "queued" || !begun.has(view.node) || !runs(view.node)) return view;
    // Its server or its worker may say nothing any more.
    const notRunning = view.notRunning && BEFORE_IT_RUNS.has(view.notRunning.kind) ? null : view.notRunning;
    return { ...view, state: "running", notRunning };
  });
}

const BEFORE_IT_RUNS: ReadonlySet<string> = new Set<NotRunning["kind"]>(["before", "turn", "queue"]);

const hashOf = (value: unknown): string => createHash("sha256").update(canonicalText(value)).digest("hex");

/** The given values, each checked against its input; defaults stand in. */
export function checkInputs(wanted: readonly RunInput[], given: Record<string, unknown>): Record<string, unknown> {
  const refuse = (field: string, why: string): never => {
    throw new Refused(422, "run.input_invalid", `${field}: ${why}`, { field });
  };
  for (const [name, value] of Object.entries(given)) {
    const why = whyTooLarge(value);
    if (why) refuse(name, why);
  }
  const values = { ...given };
  for (const input of wanted) {
    const value = given[input.name] ?? input.default;
    if (value === undefined || value === null) {
      if (input.required && !("default" in input.schema)) refuse(input.name, `${input.label} is needed.`);
      continue;
    }
    const why = whyValueUnfit(value, input);
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

/** Counts the visits and elements of the graph's own nodes; what runs inside calls is counted where a person opens the call. */
function countRuns(rows: readonly Tally[]): Record<string, NodeCount> {
  const counts: Record<string, NodeCount> = {};
  const own = rows.map((row) => ({ row, path: parsePath(row.path) })).filter(({ path }) => path.calls.length === 0);
  const mapped = new Set(own.filter(({ path }) => path.element !== undefined).map(({ path }) => path.node));
  for (const { row, path } of own) {
    if (mapped.has(path.node) ? path.element === undefined : path.visits.length === 0) continue;
    const count = counts[path.node] ?? { total: 0, done: 0, failed: 0 };
    counts[path.node] = count;
    count.total += row.runs;
    if (row.state === "succeeded") count.done += row.runs;
    if (row.state === "failed" || row.state === "dead") count.failed += row.runs;
  }
  return counts;
}

/** The share of the run that is done (DESIGN E15). A node that was skipped for a failure is no progress; a map counts by its elements. */
function progressOf(graph: Graph, rows: readonly Tally[], live: readonly Live[]): number {
  const own = new Map(lastVisits(rows).map((row) => [row.nodeId, row]));
  const counts = countRuns(rows);
  const share = (id: string): number => {
    const row = own.get(id);
    if (!row) return 0;
    if (row.state === "succeeded" || (row.state === "skipped" && !row.broken)) return 1;
    const count = counts[id];
    if (count && row.state === "running" && count.total > 0) return (count.done + count.failed) / count.total;
    return live.find((entry) => entry.node === id)?.progress ?? 0;
  };
  const weigh = (of: (id: string) => number) => graph.nodes.reduce((sum, node) => sum + (node.progressWeight ?? 1) * of(node.id), 0);
  const total = weigh(() => 1);
  return total > 0 ? Math.min(1, weigh(share) / total) : 0;
}

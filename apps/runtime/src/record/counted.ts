// The record's statements, counted for Prometheus: what is counted has been committed.
import { isEndedNodeState, RUN_CHANGES } from "@spindle/schemas";
import type { LogIds } from "@spindle/task-bus";
import { metrics, routeLabels } from "../metrics.ts";
import { type NodeChange, ruleOf } from "./changes.ts";
import { type ChangedRow, ImpossibleNodeRun, type NodeRunRow } from "./node-run.ts";
import { PostgresNodeRuns } from "./postgres-node-runs.ts";
import { PostgresRuns } from "./postgres-runs.ts";
import type { NewRun } from "./types.ts";

/** What a change does not say of its node run; times in milliseconds of this process' clock. */
interface Known {
  plane: string;
  service: string;
  engine: string;
  sentAt?: number;
  startedAt?: number;
}

/** Node runs are forgotten with their end; those that end in another runtime leave when so many others have come. */
const MOST_KNOWN = 100_000;
const UNKNOWN: Known = { plane: "unknown", service: "unknown", engine: "unknown" };
const RETRIES: readonly string[] = ["retry", "retryAfterCrash", "retryHere", "redispatch", "takeOver"];

/** Knows of each open node run what ran it and since when. */
export class NodeRunCounts {
  private readonly known = new Map<string, Known>();

  /** Called with each event of a run, and of a node run that ended or is tried again, once it is committed. */
  onEvent: (type: string, ids: LogIds) => void = () => {};

  constructor(private readonly now: () => number = () => performance.now()) {}

  learn(rows: readonly (NodeRunRow | ImpossibleNodeRun | undefined)[]): void {
    for (const row of rows) {
      if (!row || row instanceof ImpossibleNodeRun || isEndedNodeState(row.state) || this.known.has(row.id)) continue;
      const [oldest] = this.known.size >= MOST_KNOWN ? this.known.keys() : [];
      if (oldest !== undefined) this.known.delete(oldest);
      this.known.set(row.id, { plane: row.plane, service: row.service, engine: row.engine });
    }
  }

  count(change: NodeChange, row: Pick<ChangedRow, "id" | "state">): void {
    const { from, event } = ruleOf(change.change);
    metrics.events.inc({ type: event });
    const known = this.known.get(row.id) ?? { ...UNKNOWN };
    if (change.route) Object.assign(known, { plane: change.route.plane, service: change.route.service, engine: change.route.engine });
    const labels = routeLabels(known);
    const { plane, capability } = labels;
    if (RETRIES.includes(change.change)) metrics.retries.inc({ plane, change: change.change });
    if ("error" in change && change.error.code === "task.lease_lost") metrics.leasesLost.inc({ plane });
    for (const { ref } of change.artifacts ?? []) metrics.artifactBytes.inc({ purpose: "output" }, ref.size);
    if (row.state === "dispatched") known.sentAt = this.now() + (change.dispatchIn ?? 0);
    if (row.state === "running") {
      if (known.sentAt !== undefined) metrics.queueWait.observe({ plane, capability }, Math.max(0, this.now() - known.sentAt) / 1000);
      delete known.sentAt;
      known.startedAt = this.now();
    }
    if (!isEndedNodeState(row.state) || from.some(isEndedNodeState)) return;
    metrics.nodeRunsEnded.inc({ ...labels, outcome: change.change === "reuse" ? "reused" : row.state });
    const took = change.tookMs ?? (known.startedAt === undefined ? undefined : this.now() - known.startedAt);
    if (took !== undefined) metrics.nodeRunSeconds.observe(labels, took / 1000);
    this.known.delete(row.id);
  }
}

export class CountedNodeRuns extends PostgresNodeRuns {
  constructor(
    private readonly counts: NodeRunCounts,
    ...of: ConstructorParameters<typeof PostgresNodeRuns>
  ) {
    super(...of);
  }

  override async change(change: NodeChange): Promise<ChangedRow | undefined> {
    const row = await super.change(change);
    if (!row) return row;
    this.counts.count(change, row);
    if (isEndedNodeState(row.state) || RETRIES.includes(change.change)) {
      const { run_id: run, id: nodeRun, node_id: node, path, attempt, error } = row;
      this.counts.onEvent(ruleOf(change.change).event, { run, nodeRun, node, path, attempt, ...(error ? { code: error.code } : {}) });
    }
    return row;
  }

  override async add(...of: Parameters<PostgresNodeRuns["add"]>): Promise<NodeRunRow[]> {
    return this.learned(await super.add(...of));
  }

  override async find(id: string): Promise<NodeRunRow | undefined> {
    const row = await super.find(id);
    this.counts.learn([row]);
    return row;
  }

  override async findAll(ids: readonly string[]): Promise<(NodeRunRow | ImpossibleNodeRun)[]> {
    return this.learned(await super.findAll(ids));
  }

  override async ofRun(run: string): Promise<NodeRunRow[]> {
    return this.learned(await super.ofRun(run));
  }

  private learned<Row extends NodeRunRow | ImpossibleNodeRun>(rows: Row[]): Row[] {
    this.counts.learn(rows);
    return rows;
  }
}

type RunChange = Parameters<PostgresRuns["change"]> extends [unknown, ...infer Change] ? Change : never;

export class CountedRuns extends PostgresRuns {
  constructor(
    private readonly counts: NodeRunCounts,
    ...of: ConstructorParameters<typeof PostgresRuns>
  ) {
    super(...of);
  }

  override async create(run: NewRun): Promise<NodeRunRow[]> {
    const rows = await super.create(run);
    metrics.runsAccepted.inc();
    this.counts.learn(rows);
    this.counts.onEvent("run.queued", { run: run.id });
    return rows;
  }

  override async change(run: Parameters<PostgresRuns["change"]>[0], ...change: RunChange): Promise<boolean> {
    const isChanged = await super.change(run, ...change);
    if (!isChanged) return false;
    const { to, event } = RUN_CHANGES[change[0]];
    metrics.events.inc({ type: event });
    this.counts.onEvent(event, { run: run.id, ...(change[1] && "error" in change[1] ? { code: change[1].error.code } : {}) });
    if (change[0] !== "start") metrics.runsEnded.inc({ outcome: to });
    return true;
  }
}

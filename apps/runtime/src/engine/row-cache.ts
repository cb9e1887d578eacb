// The rows of one run as this process knows them. Requests to the record about them go through here, so that the run knows how many are
// under way: it does not rest meanwhile, and while there are many it begins nothing new.
import { LIMITS } from "@spindle/graph-model";
import type { AnyChange, NodeChange, NodeMove } from "../record/changes.ts";
import { type ChangedRow, changedRow, type NodeRunRow, type Written } from "../record/node-run.ts";
import { whyOutputTooLarge } from "../record/output-limit.ts";
import type { NodeRunRecord } from "../record/record.ts";
import type { NewNodeRun } from "../record/types.ts";
import { patient } from "../store/patient.ts";
import type { Pace } from "./pace.ts";
import type { Activity, RunValues } from "./run-values.ts";
import type { Scope } from "./scope.ts";

export class RunTooLarge extends Error {}

export class RowCache {
  private readonly rows: Map<string, NodeRunRow>;
  /** How many rows the run has, counting those that are forgotten here. */
  private count: number;

  constructor(
    private readonly nodes: Pick<NodeRunRecord, "add" | "change" | "find">,
    private readonly run: string,
    rows: readonly NodeRunRow[],
    private readonly activity: Activity,
    private readonly pace: Pace,
    private readonly values: RunValues,
  ) {
    this.rows = new Map(rows.map((row) => [row.path, row]));
    this.count = rows.length;
  }

  at(path: string): NodeRunRow {
    return this.rows.get(path) as NodeRunRow;
  }

  /** The rows whose task a worker has, or is to get. */
  atWorkers(): NodeRunRow[] {
    return [...this.rows.values()].filter(({ plane, state }) => plane !== "node" && (state === "dispatched" || state === "running"));
  }

  /** Makes a request to the record, which ends by itself. */
  request<T>(call: () => Promise<T>): Promise<T> {
    return this.activity.work(() => this.pace.request(call));
  }

  /**
   * Makes the rows of a visit that are not there yet.
   * @throws RunTooLarge
   */
  async add(scope: Scope, nodes: readonly NewNodeRun[]): Promise<void> {
    for (const { path } of nodes) scope.within.paths.push(path);
    const missing = nodes.filter(({ path }) => !this.rows.has(path));
    if (missing.length === 0) return;
    if (this.count + missing.length > LIMITS.nodeRuns)
      throw new RunTooLarge(`The run would have more than ${LIMITS.nodeRuns.toLocaleString("en")} node runs.`);
    this.count += missing.length;
    for (const row of await this.request(() => this.nodes.add(this.run, missing))) this.rows.set(row.path, row);
  }

  /** Forgets the rows inside a call that is over, because nothing looks them up any more. */
  forget(scope: Scope): void {
    for (const path of scope.within.paths) this.rows.delete(path);
  }

  /** Changes a row; one that somebody else changed meanwhile is read again. An output that is too large fails it. */
  async change(row: NodeRunRow, move: NodeMove): Promise<NodeRunRow> {
    const change = this.fitting(row.path, { ...move, run: this.run, nodeRun: row.id, fence: row.fence });
    const moved = await this.patiently(() => this.nodes.change(change));
    return moved ? this.merge(moved, change) : this.reload(row);
  }

  /** Makes a change of a node run of the node plane, which waits out outages itself. Undefined if the row is no longer what it was. */
  async changeHere(path: string, asked: NodeChange): Promise<NodeRunRow | undefined> {
    const change = this.fitting(path, { ...asked, run: this.run });
    const moved = await this.request(() => this.nodes.change(change));
    return moved && this.merge(moved, change);
  }

  /** The change; or, if too much would be stored with its values, the one that fails the node run, or ends it as it was to be ended, without. */
  private fitting(path: string, asked: NodeChange): NodeChange {
    const { input, output, body: _, error: given, ...rest }: AnyChange = asked;
    const error = (output && whyOutputTooLarge(output)) ?? this.values.whyTooMuch(path, { input, output });
    if (!error) return asked;
    const kept = output && input && !this.values.whyTooMuch(path, { input }) ? { input } : {};
    const change = asked.change === "succeedHere" ? "failHere" : "fail";
    return { ...rest, ...(given ? { error: given } : { change, error }), ...kept } as NodeChange;
  }

  /** Keeps a row as it was read. */
  keep(row: NodeRunRow): NodeRunRow {
    this.rows.set(row.path, row);
    this.values.written(row);
    return row;
  }

  /** Keeps a row as a change has left it, which wrote these values. */
  merge(changed: ChangedRow, { input, output, reusedFrom }: Written): NodeRunRow {
    return this.keep(changedRow(this.at(changed.path), changed, { input, output, reusedFrom }));
  }

  async reload(row: NodeRunRow): Promise<NodeRunRow> {
    const fresh = await this.patiently(() => this.nodes.find(row.id));
    return fresh ? this.keep(fresh) : row;
  }

  private patiently<T>(call: () => Promise<T>): Promise<T> {
    return this.request(() => patient(call, () => this.activity.closedBy !== undefined));
  }
}

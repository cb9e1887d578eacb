// The rows of one run as this process knows them; node-step.ts changes them. Requests to the record about them go through here, so that the
// run knows how many are under way: it does not rest meanwhile, and while there are many it begins nothing new.
import { LIMITS } from "@spindle/graph-model";
import type { NewNodeRun } from "../record/frozen.ts";
import { type ChangedRow, changedRow, type NodeRunRow, type Written } from "../record/node-run.ts";
import type { NodeRunRecord } from "../record/record.ts";
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
    private readonly nodes: Pick<NodeRunRecord, "add" | "find">,
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

  /** Makes a request to the record again and again while the record cannot be reached. */
  requestPatiently<T>(call: () => Promise<T>): Promise<T> {
    return this.request(() => patient(call, () => this.activity.closedBy !== undefined));
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

  /** Keeps a row as it was read. */
  keep(row: NodeRunRow): NodeRunRow {
    this.rows.set(row.path, row);
    this.values.written(row);
    return row;
  }

  /** Keeps a row as a change has left it, which wrote these values. */
  merge(changed: ChangedRow, { input, output, reusedFrom, route }: Written): NodeRunRow {
    return this.keep(changedRow(this.at(changed.path), changed, { input, output, reusedFrom, route }));
  }

  /** Keeps what somebody else than a step of the run has changed, if the row is one that is looked up. */
  follow(changed: ChangedRow, written: Written): void {
    if (this.rows.has(changed.path)) this.merge(changed, written);
  }

  async reload(row: NodeRunRow): Promise<NodeRunRow> {
    const fresh = await this.requestPatiently(() => this.nodes.find(row.id));
    return fresh ? this.keep(fresh) : row;
  }
}

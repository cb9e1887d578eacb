// The rows of one run as this process knows them. What is asked of the record about them goes through here, so that the run knows
// what is under way: it does not rest meanwhile, and begins nothing new while it is much.
import { LIMITS } from "@spindle/graph-model";
import { isEndedNodeState } from "@spindle/schemas";
import type { AnyChange, NodeMove } from "../record/changes.ts";
import { whyOutputTooLarge } from "../record/output-limit.ts";
import type { NodeRecord } from "../record/record.ts";
import type { ChangedRow, NewNodeRun } from "../record/types.ts";
import { patient } from "../store/patient.ts";
import type { Pace } from "./pace.ts";
import type { DecidedRow, Scope } from "./scope.ts";

export class RunTooLarge extends Error {}

/** What keeps a run going in this process. */
export interface Activity {
  /** Why the run is no longer driven here; undefined while it is. */
  readonly closedBy: Error | undefined;
  /** Does something during which the run does not rest. */
  work<T>(doing: () => Promise<T>): Promise<T>;
}

export class RowCache {
  private readonly rows: Map<string, DecidedRow>;
  /** How many rows the run has, those that are forgotten here among them. */
  private count: number;

  constructor(
    private readonly record: NodeRecord,
    private readonly run: string,
    rows: readonly DecidedRow[],
    private readonly activity: Activity,
    private readonly pace: Pace,
  ) {
    this.rows = new Map(rows.map((row) => [row.path, row]));
    this.count = rows.length;
  }

  at(path: string): DecidedRow {
    return this.rows.get(path) as DecidedRow;
  }

  /** Those that a worker has, or waits for. */
  atWorkers(): DecidedRow[] {
    return [...this.rows.values()].filter(({ plane, state }) => plane !== "node" && (state === "dispatched" || state === "running"));
  }

  /** Asks the record for something that ends by itself. */
  request<T>(asking: () => Promise<T>): Promise<T> {
    return this.activity.work(() => this.pace.request(asking));
  }

  /**
   * Makes the rows of a visit that are not there yet.
   * @throws RunTooLarge
   */
  async add(scope: Scope, nodes: readonly NewNodeRun[]): Promise<void> {
    for (const { path } of nodes) scope.paths.push(path);
    const missing = nodes.filter(({ path }) => !this.rows.has(path));
    if (missing.length === 0) return;
    if (this.count + missing.length > LIMITS.nodeRuns)
      throw new RunTooLarge(`The run would have more than ${LIMITS.nodeRuns.toLocaleString("en")} node runs.`);
    this.count += missing.length;
    for (const row of await this.request(() => this.record.add(this.run, missing))) this.rows.set(row.path, row);
  }

  /** A call is over: what ran inside it is asked for by nobody any more. */
  forget(scope: Scope): void {
    for (const path of scope.paths) this.rows.delete(path);
  }

  /** Changes a row; one that somebody else changed meanwhile is read again. An output that is too large fails it. */
  async change(row: DecidedRow, move: NodeMove): Promise<DecidedRow> {
    const { input, output, reusedFrom }: Omit<AnyChange, "nodeRun" | "fence"> = move;
    const error = output && whyOutputTooLarge(output);
    if (error) return this.change(row, { change: "fail", error });
    const moved = await this.patiently(() => this.record.change({ ...move, nodeRun: row.id, fence: row.fence }));
    if (!moved) return this.reload(row);
    return this.merge(moved, {
      ...(input ? { input } : {}),
      ...(output ? { output } : {}),
      ...(reusedFrom ? { reused_from: reusedFrom } : {}),
    });
  }

  /** Takes over what became of a row. */
  merge(moved: ChangedRow | DecidedRow, more: Partial<DecidedRow> = {}): DecidedRow {
    const row = { ...this.at(moved.path), ...moved, ...more };
    this.rows.set(moved.path, row);
    return row;
  }

  async reload(row: DecidedRow): Promise<DecidedRow> {
    const fresh = await this.patiently(() => this.record.nodeRun(row.id));
    return fresh ? this.merge(fresh) : row;
  }

  /** Steps until the row is decided; each step changes it or waits for it to change. */
  async untilDecided(path: string, step: (row: DecidedRow) => Promise<unknown>): Promise<DecidedRow> {
    for (;;) {
      const row = this.at(path);
      if (isEndedNodeState(row.state)) return row;
      if (this.activity.closedBy) throw this.activity.closedBy;
      await step(row);
    }
  }

  private patiently<T>(asking: () => Promise<T>): Promise<T> {
    return this.request(() => patient(asking, () => this.activity.closedBy !== undefined));
  }
}

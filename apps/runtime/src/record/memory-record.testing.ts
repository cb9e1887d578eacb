// A record that forgets with its process: for tests of the run engine and for the bench. The same rules, nothing durable.
import { randomUUID } from "node:crypto";
import { validateRunEvent } from "@spindle/schemas";
import { type AnyChange, eventBody, type NodeChange, ruleOf } from "./changes.ts";
import type { NewNodeRun } from "./frozen.ts";
import { type ChangedRow, type NodeRunRow, nodeRunOf, type RawNodeRun, routed } from "./node-run.ts";
import type { EarlierResults, NodeRunRecord } from "./record.ts";
import type { Earlier, EventNote } from "./types.ts";

type Row = RawNodeRun & { output: Record<string, unknown> | null };

export class MemoryRecord implements Pick<NodeRunRecord, "add" | "change" | "drop" | "find" | "note">, Omit<EarlierResults, "clear"> {
  readonly rows = new Map<string, Row>();
  readonly notes: EventNote[] = [];
  private events = 0;

  async add(run: string, nodes: readonly NewNodeRun[]): Promise<NodeRunRow[]> {
    return nodes.map(({ nodeId, timeoutSeconds, stallSeconds = 0, ...frozen }) => {
      const row: Row = {
        ...frozen,
        id: randomUUID(),
        run_id: run,
        node_id: nodeId,
        timeout_seconds: timeoutSeconds,
        stall_seconds: stallSeconds,
        state: "queued",
        attempt: 0,
        fence: 0,
        crashes: 0,
        input: null,
        output: null,
        error: null,
        broken: false,
        held: null,
        passed: false,
      };
      this.rows.set(row.id, row);
      return nodeRunOf(row);
    });
  }

  async change(asked: NodeChange): Promise<ChangedRow | undefined> {
    const change: AnyChange = asked;
    const row = this.rows.get(change.nodeRun);
    const rule = ruleOf(change.change);
    if (!row || row.fence !== change.fence || !rule.from.includes(row.state)) return undefined;
    Object.assign(row, routed(row, change.route));
    if (change.choice) this.chosen(change, row);
    row.state = rule.to;
    row.fence += rule.raisesFence ? 1 : 0;
    row.attempt += rule.counts ? 1 : 0;
    row.broken = change.broken ?? false;
    row.error = change.error ?? null;
    row.held = change.held ?? null;
    row.passed ||= change.passed ?? false;
    row.input = change.input ?? row.input;
    row.output = change.output ?? row.output;
    this.check({ type: rule.event, node: row.node_id, path: row.path, attempt: row.attempt, body: eventBody(change) });
    return { ...row };
  }

  /** Every choice here is the first one of its node: one run, one process. */
  private chosen({ choice }: AnyChange, { node_id, path, engine, draft }: Row): void {
    if (this.choices.includes(`${choice?.level} ${node_id}`)) return;
    this.choices.push(`${choice?.level} ${node_id}`);
    this.check({ type: "node.engine", node: node_id, path, attempt: 0, body: { engine, draft } });
  }
  /** The nodes of which the engine was chosen, with their level. */
  readonly choices: string[] = [];

  /** Nothing waits here. */
  drop(): void {}

  /** Nothing keeps the events, but each must be one. */
  private check(event: object): void {
    const whole = { run: randomUUID(), seq: ++this.events, at: new Date().toISOString(), ...event };
    if (!validateRunEvent(whole)) throw new Error(`${JSON.stringify(whole)} breaks its schema: ${JSON.stringify(validateRunEvent.errors)}`);
  }

  async find(id: string): Promise<NodeRunRow | undefined> {
    const row = this.rows.get(id);
    return row && nodeRunOf(row);
  }

  async cached(): Promise<Earlier | undefined> {
    return undefined;
  }
  async lastOf(): Promise<undefined> {}
  async outputsOf(): Promise<Map<string, Earlier>> {
    return new Map();
  }

  async note(_run: string, event: EventNote): Promise<void> {
    if (this.notes.some(({ type, path }) => type === event.type && path === event.path)) return;
    this.check({ ...event, attempt: 0 });
    this.notes.push(event);
  }
}

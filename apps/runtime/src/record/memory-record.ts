// A record that forgets with its process: for tests of the engine and for the bench. The same rules, nothing durable.
import { randomUUID } from "node:crypto";
import { CHANGES } from "./states.ts";
import type { ChangedRow, Earlier, EngineRecord, NewNodeRun, NodeChange, NodeRunRow } from "./types.ts";

type Row = NodeRunRow & { output: Record<string, unknown> | null };

export class MemoryRecord implements EngineRecord {
  readonly rows = new Map<string, Row>();
  readonly notes: { type: string; path: string }[] = [];

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
      return row;
    });
  }

  async change(one: NodeChange): Promise<ChangedRow | undefined> {
    const row = this.rows.get(one.nodeRun);
    const rule: { from: readonly string[]; to: NodeRunRow["state"]; raisesFence?: true; counts?: string } = CHANGES[one.change];
    if (!row || row.fence !== one.fence || !rule.from.includes(row.state)) return undefined;
    row.state = rule.to;
    row.fence += rule.raisesFence ? 1 : 0;
    row.attempt += rule.counts ? 1 : 0;
    row.broken = one.broken ?? false;
    row.error = one.error ?? null;
    row.held = one.held ?? null;
    row.passed ||= one.passed ?? false;
    row.input = one.input ?? row.input;
    row.output = one.output ?? row.output;
    return { ...row };
  }

  async nodeRun(id: string): Promise<Row | undefined> {
    const row = this.rows.get(id);
    return row && { ...row };
  }

  async cached(): Promise<undefined> {}
  async lastOf(): Promise<undefined> {}
  async outputsOf(): Promise<Map<string, Earlier>> {
    return new Map();
  }

  async note(_run: string, type: string, _node: string, path: string): Promise<void> {
    if (!this.notes.some((one) => one.type === type && one.path === path)) this.notes.push({ type, path });
  }
}

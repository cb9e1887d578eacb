// Node runs in PostgreSQL. One statement (prisma/functions/change_node_runs.sql) makes a batch of changes, each of which is a fenced row with
// its event, its result and its outbox row (docs/decisions/0007).
import type { EventEmitter } from "node:events";
import { jsonBytes } from "@spindle/graph-model";
import { OPEN_NODE_STATES } from "@spindle/schemas";
import type pg from "pg";
import { storable, storableName } from "../store/storable.ts";
import { type AnyChange, eventBody, isBeginning, type NodeChange, ruleOf } from "./changes.ts";
import type { NewNodeRun } from "./frozen.ts";
import { type ChangedRow, ImpossibleNodeRun, type NodeRunRow, nodeRunOf, type RawNodeRun, type TaskRow } from "./node-run.ts";
import type { NodeRunRecord } from "./record.ts";
import type { EventNote, OpenNodeRun } from "./types.ts";

/** A change as change_node_runs.sql takes it. */
const statementOf = (change: AnyChange) => {
  const { from, to, event, raisesFence, counts } = ruleOf(change.change);
  return {
    id: change.nodeRun,
    fence: change.fence,
    from: from.join(","),
    to,
    event,
    raise: raisesFence ? 1 : 0,
    tries: counts ? 1 : 0,
    crash: counts === "crash" ? 1 : 0,
    input: change.input,
    error: change.error,
    broken: change.broken ?? false,
    body: eventBody(change),
    output: change.output,
    objects: change.artifacts?.length ? change.artifacts.map(({ key, ref }) => ({ ...ref, key })) : undefined,
    dispatch: change.dispatchIn,
    held: change.held,
    passed: change.passed ?? false,
    due: change.dueIn,
    took: change.tookMs,
    cacheKey: change.cacheKey,
    why: change.why,
    reusedFrom: change.reusedFrom,
    route: change.route,
    choice: change.choice,
  };
};

/** Adds the node runs of `$nodes` to `$run`. */
export const ADD_NODES = `INSERT INTO node_run (id, run_id, node_id, path, state, plane, service, version, engine, draft, timeout_seconds, stall_seconds)
  SELECT gen_random_uuid(), $run, n."nodeId", n.path, 'queued', n.plane, n.service, n.version, n.engine, n.draft, n."timeoutSeconds", COALESCE(n."stallSeconds", 0)
  FROM jsonb_to_recordset($nodes::jsonb) AS n(run uuid, "nodeId" text, path text, plane text, service text, version text, engine text, draft boolean, "timeoutSeconds" int, "stallSeconds" int)
  ON CONFLICT (run_id, path) DO NOTHING`;
const ADD_SQL = `${ADD_NODES.replace("$run", "n.run").replace("$nodes", "$1")} RETURNING *`;
const ADDED_SQL = `SELECT n.*, r.output FROM jsonb_to_recordset($1::jsonb) AS a(run uuid, path text)
  JOIN node_run n ON n.run_id = a.run AND n.path = a.path LEFT JOIN node_result r ON r.node_run_id = n.id`;
const NODE_RUNS = "SELECT n.*, r.output FROM node_run n LEFT JOIN node_result r ON r.node_run_id = n.id";

/** Rows that one statement adds at most. */
const ADDED_AT_ONCE = 500;
/** Bytes, as JSON, of the changes that share a statement, at most: PostgreSQL takes half a second for them, for which all others wait. */
const CHANGED_AT_ONCE = 4 * 1024 * 1024;
/** Characters above which a change may be why its statement takes too long; below that, the database is busy with something else. */
const LARGE = 1024 * 1024;
/** How often a large change is tried alone before its node run fails. */
const TRIES_ALONE = 3;
/** SQLSTATE of a statement that PostgreSQL ended for its time. */
const QUERY_CANCELED = "57014";
/** SQLSTATE of change_node_runs.sql for a choice of an engine where the run has another one. */
const CHOSEN_ALREADY = "SP001";

/** Bytes of a change in the statement; beyond what changes may share it goes alone, and is counted no further. */
const sizeOf = (change: NodeChange): number => jsonBytes(statementOf(change), CHANGED_AT_ONCE);
const nameOf = ({ nodeRun, fence, change }: NodeChange): string => `${nodeRun} ${fence} ${change}`;

export class PostgresNodeRuns implements NodeRunRecord {
  stale = 0;

  constructor(
    private readonly pool: pg.Pool,
    /** For the statements that change node runs, one after the other. */
    private readonly changes: pg.Pool,
    private readonly changed: EventEmitter,
  ) {}

  // What waits here is the values, which node runs share. They are made text for their own statement, and no earlier.
  private readonly commits = new Batches<NodeChange, ChangedRow | undefined | "dropped">((changes) => this.commit(changes), {
    keyOf: ({ nodeRun }) => nodeRun,
    queueOf: ({ run, nodeRun }) => run ?? nodeRun,
    sizeOf: (change) => (this.slow.has(nameOf(change)) ? Number.POSITIVE_INFINITY : sizeOf(change)),
    size: CHANGED_AT_ONCE,
  });

  /** How often PostgreSQL ended the statement of a large change for its time, although the change was alone in it. */
  private readonly slow = new Map<string, { tries: number; length: number }>();

  async change(change: NodeChange): Promise<ChangedRow | undefined> {
    try {
      if (!this.isTooSlow(change)) {
        const row = await this.commits.commit(change);
        if (row === "dropped") return undefined;
        if (!row) this.stale++;
        else this.changed.emit(row.run_id);
        this.slow.delete(nameOf(change));
        return row;
      }
    } catch (error) {
      if (!this.isTooSlow(change)) throw error;
    }
    await this.failUnstorable(change);
    return undefined;
  }

  drop(run: string): void {
    this.commits.drop(run, ({ change }) => isBeginning(change), "dropped");
  }

  private async commit(changes: NodeChange[]): Promise<(ChangedRow | undefined)[]> {
    const texts = changes.map((change) => storable(statementOf(change)));
    const { rows } = await this.changes
      .query<ChangedRow & { i: number }>({
        name: "node-change",
        text: "SELECT * FROM change_node_runs($1)",
        values: [`[${texts.map((text, i) => `{"i":${i},${text.slice(1)}`).join(",")}]`],
      })
      .catch((error) => {
        const [change, ...others] = changes as [NodeChange, ...NodeChange[]];
        const { length } = texts[0] as string;
        const isAtFault = others.length === 0 && length > LARGE && error?.code === QUERY_CANCELED;
        if (isAtFault) this.slow.set(nameOf(change), { tries: (this.slow.get(nameOf(change))?.tries ?? 0) + 1, length });
        if (others.length === 0 && error?.code === CHOSEN_ALREADY) return { rows: [] };
        throw error;
      });
    const answers: (ChangedRow | undefined)[] = changes.map(() => undefined);
    for (const { i, ...row } of rows) answers[i] = row;
    return answers;
  }

  private isTooSlow(change: NodeChange): boolean {
    return (this.slow.get(nameOf(change))?.tries ?? 0) >= TRIES_ALONE;
  }

  /** Fails the node run instead: all changes share one connection, and one that never goes through would hold them all up. */
  private async failUnstorable(change: NodeChange): Promise<void> {
    const { run, nodeRun, fence } = change;
    const length = this.slow.get(nameOf(change))?.length ?? LARGE;
    const message = `What the node got or gave makes ${Math.ceil(length / 1024 / 1024)} MiB to be stored, and PostgreSQL ended the statement for its time, three times. Pass large values on as files or other artifacts, or give less at once.`;
    await this.change({
      ...(run ? { run } : {}),
      nodeRun,
      fence,
      change: "fail",
      error: { class: "user", code: "node.unstorable", message },
    });
    this.slow.delete(nameOf(change));
  }

  async add(run: string, nodes: readonly NewNodeRun[]): Promise<NodeRunRow[]> {
    return Promise.all(nodes.map((node) => this.additions.commit({ run, node })));
  }

  private readonly additions = new Batches<{ run: string; node: NewNodeRun }, NodeRunRow>((added) => this.addAll(added), {
    keyOf: ({ run, node }) => `${run} ${node.path}`,
    queueOf: ({ run }) => run,
    items: ADDED_AT_ONCE,
  });

  /** Adds the node runs of many calls, and of many runs, in one statement. */
  private async addAll(nodes: readonly { run: string; node: NewNodeRun }[]): Promise<NodeRunRow[]> {
    const values = [JSON.stringify(nodes.map(({ run, node }) => ({ ...node, run })))];
    const { rows } = await this.pool.query<RawNodeRun>({ name: "node-add", text: ADD_SQL, values });
    // A node run may be there already: another runtime added it, or this one did and the answer was lost.
    const known =
      rows.length < nodes.length ? (await this.pool.query<RawNodeRun>({ name: "node-added", text: ADDED_SQL, values })).rows : [];
    const added = new Map([...known, ...rows].map((row) => [`${row.run_id} ${row.path}`, nodeRunOf(row)]));
    return nodes.map(({ run, node }) => added.get(`${run} ${node.path}`) as NodeRunRow);
  }

  async note(run: string, { type, node, path, body }: EventNote): Promise<void> {
    await this.pool.query(
      `WITH fresh AS (UPDATE run SET last_seq = last_seq + 1 WHERE id = $1
         AND NOT EXISTS (SELECT 1 FROM run_event WHERE run_id = $1 AND type = $2 AND path = $4) RETURNING id, last_seq)
       INSERT INTO run_event (run_id, seq, type, node, path, attempt, body) SELECT id, last_seq, $2, $3, $4, 0, $5::jsonb FROM fresh`,
      [run, type, node, path, storable(body)],
    );
    this.changed.emit(run);
  }

  async log(nodeRun: string, attempt: number, text: string): Promise<void> {
    await this.pool.query("INSERT INTO node_log (node_run_id, attempt, text) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING", [
      nodeRun,
      attempt,
      storableName(text),
    ]);
  }

  async find(id: string): Promise<NodeRunRow | undefined> {
    const [row] = await this.read("node-run", `${NODE_RUNS} WHERE n.id = $1`, id);
    return row && nodeRunOf(row);
  }

  async findAll(ids: readonly string[]): Promise<(NodeRunRow | ImpossibleNodeRun)[]> {
    return (await this.read("node-runs-by-id", `${NODE_RUNS} WHERE n.id = ANY($1)`, ids)).map((row) => {
      try {
        return nodeRunOf(row);
      } catch (error) {
        if (error instanceof ImpossibleNodeRun) return error;
        throw error;
      }
    });
  }

  async ofRun(run: string): Promise<NodeRunRow[]> {
    return (await this.read("node-runs", `${NODE_RUNS} WHERE n.run_id = $1`, run)).map(nodeRunOf);
  }

  private async read(name: string, text: string, value: unknown): Promise<RawNodeRun[]> {
    return (await this.pool.query<RawNodeRun>({ name, text, values: [value] })).rows;
  }

  async overdue(): Promise<Pick<TaskRow, "id" | "run_id" | "fence">[]> {
    const { rows } = await this.pool.query("SELECT id, run_id, fence FROM node_run WHERE state = 'waiting' AND due_at < now() LIMIT 100");
    return rows;
  }

  async openOf(run: string): Promise<OpenNodeRun[]> {
    const text = "SELECT id, run_id, fence, state, plane, service, version, engine FROM node_run WHERE run_id = $1 AND state = ANY($2)";
    return (await this.pool.query<OpenNodeRun>({ name: "node-runs-open", text, values: [run, OPEN_NODE_STATES] })).rows;
  }

  async moved(ids: readonly string[]): Promise<string[]> {
    const { rows } = await this.pool.query<{ id: string }>(
      `SELECT id FROM node_run WHERE id = ANY($1) AND state NOT IN ('dispatched','running','waiting') AND (held IS NULL OR passed)
       AND NOT (state = 'queued' AND engine = '' AND NOT passed)`,
      [ids],
    );
    return rows.map((row) => row.id);
  }
}

interface Request<Item, Answer> {
  item: Item;
  /** In the unit of `size`. */
  size: number;
  resolve: (answer: Answer) => void;
  reject: (error: unknown) => void;
}

interface Batching<Item> {
  /** Items of one key go into different batches, in order, because a statement changes a row once. */
  keyOf: (item: Item) => string;
  /** The queue of an item: each has a turn, however much waits in the others. */
  queueOf: (item: Item) => string;
  sizeOf?: (item: Item) => number;
  /** What one batch holds at most. An item that is larger by itself is a batch of its own. */
  items?: number;
  size?: number;
}

/**
 * Commits items in batches: those that are requested during a commit share the next one, and one that is requested alone does not wait.
 * The queues take turns; an item that is a batch of its own takes turns with the batches of all the others.
 */
export class Batches<Item, Answer> {
  /** What waits, by queue; the queue whose turn is next comes first. */
  private readonly queues = new Map<string, Request<Item, Answer>[]>();
  private busy = false;
  private wasAlone = true;
  private readonly most: { items: number; size: number };

  constructor(
    private readonly commitBatch: (items: Item[]) => Promise<Answer[]>,
    private readonly batching: Batching<Item>,
  ) {
    this.most = { items: batching.items ?? 500, size: batching.size ?? Number.POSITIVE_INFINITY };
  }

  /** @returns what the commit answers for the item */
  commit(item: Item): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { queueOf, sizeOf = () => 0 } = this.batching;
      const queue = this.queues.get(queueOf(item));
      const request = { item, size: sizeOf(item), resolve, reject };
      if (queue) queue.push(request);
      else this.queues.set(queueOf(item), [request]);
      if (!this.busy) void this.flush();
    });
  }

  /** Drops what waits in a queue and is not being committed yet, with this answer. */
  drop(name: string, isDropped: (item: Item) => boolean, answer: Answer): void {
    const queue = this.queues.get(name) ?? [];
    const kept = queue.filter(({ item }) => !isDropped(item));
    if (kept.length > 0) this.queues.set(name, kept);
    else this.queues.delete(name);
    for (const request of queue) if (!kept.includes(request)) request.resolve(answer);
  }

  private async flush(): Promise<void> {
    this.busy = true;
    while (this.queues.size > 0) {
      const batch = this.nextBatch();
      try {
        const answers = await this.commitBatch(batch.map(({ item }) => item));
        for (const [index, { resolve }] of batch.entries()) resolve(answers[index] as Answer);
      } catch (error) {
        if (batch.length === 1) batch[0]?.reject(error);
        else await this.oneByOne(batch);
      }
    }
    this.busy = false;
  }

  /** Commits the items of a batch that failed one by one, so that only the one at fault fails. */
  private async oneByOne(batch: readonly Request<Item, Answer>[]): Promise<void> {
    for (const { item, resolve, reject } of batch) {
      try {
        resolve((await this.commitBatch([item]))[0] as Answer);
      } catch (error) {
        reject(error);
      }
    }
  }

  private nextBatch(): Request<Item, Answer>[] {
    const lone = [...this.queues].find(([, [first]]) => first && first.size > this.most.size)?.[0];
    const isLoneDue = lone !== undefined && !this.wasAlone;
    const batch = isLoneDue ? [] : this.together();
    this.wasAlone = batch.length === 0;
    return batch.length > 0 ? batch : [this.takeFirst(lone as string)];
  }

  /** The next batch of items that are not batches of their own: one of each queue, then another of each. */
  private together(): Request<Item, Answer>[] {
    const batch: Request<Item, Answer>[] = [];
    const keys = new Set<string>();
    let size = 0;
    let isFull = false;
    let taken = -1;
    while (!isFull && taken < batch.length) {
      taken = batch.length;
      for (const [name, [first]] of [...this.queues]) {
        if (!first || first.size > this.most.size || keys.has(this.batching.keyOf(first.item))) continue;
        isFull ||= batch.length === this.most.items || size + first.size > this.most.size;
        if (isFull) break;
        size += first.size;
        keys.add(this.batching.keyOf(first.item));
        batch.push(this.takeFirst(name));
      }
    }
    return batch;
  }

  /** Takes the first item of a queue, whose next turn comes after those of all the others. */
  private takeFirst(name: string): Request<Item, Answer> {
    const queue = this.queues.get(name) as Request<Item, Answer>[];
    const first = queue.shift() as Request<Item, Answer>;
    this.queues.delete(name);
    if (queue.length > 0) this.queues.set(name, queue);
    return first;
  }
}

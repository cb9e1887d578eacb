// The record of runs in PostgreSQL.
import { EventEmitter } from "node:events";
import type pg from "pg";
import { CountedNodeRuns, CountedRuns, NodeRunCounts } from "./counted.ts";
import { PostgresFrozen } from "./postgres-frozen.ts";
import { PostgresHistory } from "./postgres-history.ts";
import { PostgresOrders } from "./postgres-orders.ts";
import { PostgresQueue } from "./postgres-queue.ts";
import { PostgresResults } from "./postgres-results.ts";
import { PostgresLeases } from "./postgres-runs.ts";
import type { RunRecord } from "./record.ts";

export class PostgresRecord implements RunRecord {
  readonly changed = new EventEmitter().setMaxListeners(0);
  readonly counts = new NodeRunCounts();
  readonly nodes: CountedNodeRuns;
  readonly runs: CountedRuns;
  readonly frozen: PostgresFrozen;
  readonly leases: PostgresLeases;
  readonly results: PostgresResults;
  readonly queue: PostgresQueue;
  readonly orders: PostgresOrders;
  readonly history: PostgresHistory;

  /** @param changes the pool for the statements that change node runs; it has one connection where they must be in order */
  constructor(pool: pg.Pool, changes: pg.Pool = pool) {
    this.nodes = new CountedNodeRuns(this.counts, pool, changes, this.changed);
    this.runs = new CountedRuns(this.counts, pool, this.changed);
    this.frozen = new PostgresFrozen(pool);
    this.leases = new PostgresLeases(pool);
    this.results = new PostgresResults(pool);
    this.queue = new PostgresQueue(pool);
    this.orders = new PostgresOrders(pool);
    this.history = new PostgresHistory(pool);
  }
}

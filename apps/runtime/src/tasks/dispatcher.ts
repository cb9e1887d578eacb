// Drains the outbox to the bus (DESIGN W2). Sending twice is harmless: the bus keeps one entry for each task.
import { createHash } from "node:crypto";
import { canonicalText, serverOfEngine } from "@spindle/graph-model";
import { crashPoint, type Route, type RuntimeEnd } from "@spindle/task-bus";
import type pg from "pg";
import type { Timings } from "../config.ts";
import type { NodeRunRow } from "../record/types.ts";
import { transaction } from "../store/database.ts";
import { PLACES } from "./line.ts";
import { taskName } from "./task-name.ts";

/** The bytes that `GET /tasks/:task/input` answers. */
export const inputText = (row: Pick<NodeRunRow, "input">): string => canonicalText(row.input ?? {});

export const routeOf = (row: Pick<NodeRunRow, "plane" | "service" | "engine">): Route => ({
  plane: row.plane,
  service: row.service,
  // A workflow on a server waits in the server's one queue, with everything else for it.
  engine: row.plane === "comfy" ? serverOfEngine(row.engine) : row.engine,
});

/** How many tasks of one route wait on the bus at once, where the order is fixed: short ones many, so that workers never wait for more. */
const AHEAD = { short: 32, unknown: 4, long: 1 };
const LONG_MS = 1000;

type DueRow = NodeRunRow & { outbox: string; sent_fence: number };

/**
 * The first few of each route, so that one whose workers are gone holds up no other. The node runs are locked as well: what is
 * cancelled meanwhile waits, and is then taken off the bus again.
 */
const DUE_SQL = `${PLACES}
  SELECT n.*, o.id AS outbox, o.fence AS sent_fence FROM placed p JOIN outbox o ON o.id = p.id JOIN node_run n ON n.id = o.node_run_id
  WHERE p.place <= ${AHEAD.short} AND o.sent_at IS NULL ORDER BY p.place FOR UPDATE OF o, n SKIP LOCKED`;

/** Sends what is due and has room. Returns how many rows it settled. @throws on an outage; the rows stay for the next call */
export async function drainOutbox(pool: pg.Pool, bus: RuntimeEnd, timings: Timings, durations: Durations): Promise<number> {
  return transaction(pool, async (client) => {
    const { rows } = await client.query<DueRow>({ name: "outbox-due", text: DUE_SQL });
    const [current, stale] = [rows.filter(isCurrent), rows.filter((row) => !isCurrent(row))];
    const chosen = await withRoom(current, bus, durations);
    await Promise.all(chosen.map((row) => bus.dispatch(entryOf(row, timings), routeOf(row))));
    if (chosen.length > 0) crashPoint("P3");
    const settled = [...chosen, ...stale].map((row) => row.outbox);
    if (settled.length > 0) await client.query("UPDATE outbox SET sent_at = now() WHERE id = ANY($1)", [settled]);
    return settled.length;
  });
}

/**
 * A task that nobody is before goes to its workers at once; what else is in its outbox row is the same. Should this process die
 * in between, or the bus be away, the outbox sends it, to the same entry. Returns whether it went.
 */
export async function sendAtOnce(pool: pg.Pool, bus: RuntimeEnd, timings: Timings, row: NodeRunRow): Promise<boolean> {
  const id = await bus.dispatch(entryOf(row, timings), routeOf(row), 0).catch(() => undefined);
  if (id === undefined) return false;
  crashPoint("P3");
  const { rows } = await pool.query<{ current: boolean }>({
    name: "outbox-sent",
    text: `WITH sent AS (UPDATE outbox SET sent_at = COALESCE(sent_at, now()) WHERE node_run_id = $1 AND fence = $2)
      SELECT state IN ('dispatched', 'running') AND fence = $2 AS current FROM node_run WHERE id = $1`,
    values: [row.id, row.fence],
  });
  const [known] = rows;
  if (known?.current === false) await bus.done(taskName(row.id, row.fence), routeOf(row)); // cancelled, or even over, meanwhile
  return true;
}

const isCurrent = (row: DueRow): boolean => row.fence === row.sent_fence && row.state === "dispatched";

/** Milliseconds that tasks of these kinds took, by `service\nengine`. */
type Durations = (of: readonly { service: string; engine: string }[]) => Promise<ReadonlyMap<string, number>>;

/** As many of each route as there is room for on the bus. */
async function withRoom(rows: readonly DueRow[], bus: RuntimeEnd, durations: Durations): Promise<DueRow[]> {
  if (rows.length === 0) return [];
  const routes = new Map<string, DueRow[]>();
  for (const row of rows) {
    const key = JSON.stringify(routeOf(row));
    const list = routes.get(key);
    if (list) list.push(row);
    else routes.set(key, [row]);
  }
  const took = await durations(rows);
  const chosen = await Promise.all(
    [...routes.values()].map(async (list) => {
      const [{ service, engine }] = list as [DueRow];
      const ms = took.get(`${service}\n${engine}`);
      const ahead = ms === undefined ? AHEAD.unknown : ms > LONG_MS ? AHEAD.long : AHEAD.short;
      return list.slice(0, Math.max(0, ahead - (await bus.waiting(routeOf(list[0] as DueRow)))));
    }),
  );
  return chosen.flat();
}

function entryOf(row: NodeRunRow, timings: Timings) {
  const hex = row.id.replaceAll("-", "");
  return {
    v: 1 as const,
    task: taskName(row.id, row.fence),
    nodeRun: row.id,
    run: row.run_id,
    attempt: row.attempt,
    fence: row.fence,
    capability: `${row.service}@${row.version}`,
    engine: row.engine,
    inputSha256: createHash("sha256").update(inputText(row)).digest("hex"),
    leaseMs: timings.leaseMs,
    beatMs: timings.beatMs,
    stallMs: row.stall_seconds * 1000,
    timeoutMs: row.timeout_seconds * 1000,
    traceparent: `00-${row.run_id.replaceAll("-", "")}-${hex.slice(0, 16)}-01`,
  };
}

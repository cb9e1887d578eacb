// What must hold of a run whatever died meanwhile, read from the database and the store afterwards. Each invariant answers with what
// breaks it; nothing here knows what the run was.
import { createHash } from "node:crypto";
import type pg from "pg";
import type { ObjectStore } from "../../apps/runtime/src/artifacts/store.ts";
import { isEndedNodeState, isEndedRunState } from "../../schemas/generated/index.ts";

interface Event {
  seq: number;
  type: string;
  path: string | null;
}
interface NodeRun {
  id: string;
  path: string;
  node_id: string;
  state: string;
  fence: number;
  attempt: number;
  result_fence: number | null;
}

export interface History {
  state: string;
  events: Event[];
  nodes: NodeRun[];
  edges: { from: string; to: string }[];
  /** Rows of artifacts that the run's nodes made, and what the store has for each. */
  artifacts: { key: string; node_run_id: string; sha256: string; stored: string | undefined }[];
  /** Keys of outputs below the run that no row names. */
  orphans: string[];
  /** Moments at which two processes were on one device. */
  doubles: string[];
}

export async function readHistory(db: pg.Pool, store: ObjectStore, run: string): Promise<Omit<History, "doubles">> {
  const rows = async <T extends pg.QueryResultRow>(text: string) => (await db.query<T>(text, [run])).rows;
  const [head] = await rows<{ state: string; document: { edges: History["edges"] } }>(
    "SELECT r.state, v.document FROM run r JOIN revision v ON v.id = r.revision_id WHERE r.id = $1",
  );
  const made = await rows<{ key: string; node_run_id: string; sha256: string }>(
    "SELECT a.key, a.node_run_id, a.sha256 FROM artifact a JOIN node_run n ON n.id = a.node_run_id WHERE n.run_id = $1 AND a.purpose = 'output'",
  );
  const known = new Set((await db.query<{ key: string }>("SELECT key FROM artifact")).rows.map((row) => row.key));
  return {
    state: head?.state ?? "gone",
    events: await rows<Event>("SELECT seq, type, path FROM run_event WHERE run_id = $1 ORDER BY seq"),
    nodes: await rows<NodeRun>(
      "SELECT n.id, n.path, n.node_id, n.state, n.fence, n.attempt, o.fence AS result_fence FROM node_run n LEFT JOIN node_result o ON o.node_run_id = n.id WHERE n.run_id = $1",
    ),
    edges: head?.document.edges ?? [],
    artifacts: await Promise.all(made.map(async (one) => ({ ...one, stored: await hashOf(store, one.key) }))),
    orphans: (await store.list(`output/${run}`)).filter((key) => !known.has(key)),
  };
}

async function hashOf(store: ObjectStore, key: string): Promise<string | undefined> {
  const body = await store.get(key).catch(() => undefined);
  return (
    body &&
    createHash("sha256")
      .update(Buffer.concat(await body.toArray()))
      .digest("hex")
  );
}

/**
 * I1 one commit, I2 it ends, I3 order, I4 row and object, I5 fence, I6 no gap, I7 one process on a device; and where no worker was
 * harmed, W6: what a worker handed in is not computed again.
 */
export function brokenInvariants({ state, events, nodes, edges, artifacts, orphans, doubles }: History, workersUnharmed = false): string[] {
  const broken: string[] = [];
  const first = (path: string, types: readonly string[]) => events.find((event) => event.path === path && types.includes(event.type))?.seq;
  for (const { path } of nodes) {
    const commits = events.filter((event) => event.path === path && event.type === "node.succeeded").length;
    if (commits > 1) broken.push(`I1 ${path} was committed ${commits} times`);
  }
  if (!isEndedRunState(state)) broken.push(`I2 the run is ${state}`);
  for (const nodeRun of nodes) if (!isEndedNodeState(nodeRun.state)) broken.push(`I2 ${nodeRun.path} is ${nodeRun.state}`);
  for (const { from, to } of edges) {
    const [begun, over] = [first(to, ["node.dispatched", "node.running"]), first(from, ["node.succeeded"])];
    if (begun !== undefined && (over === undefined || begun < over)) broken.push(`I3 ${to} began at ${begun}, ${from} was over at ${over}`);
  }
  for (const { key, sha256, stored } of artifacts)
    if (stored !== sha256) broken.push(`I4 ${key}: the row says ${sha256}, the store has ${stored}`);
  for (const key of orphans) {
    const [, , nodeRun, fence] = key.split("/");
    const winner = nodes.find((node) => node.id === nodeRun)?.result_fence;
    if (winner !== null && Number(fence) === winner) broken.push(`I4 ${key} lies under the fence that was committed, and no row names it`);
  }
  for (const { path, fence, result_fence } of nodes)
    if (result_fence !== null && result_fence !== fence) broken.push(`I5 ${path}: the result has fence ${result_fence}, the row ${fence}`);
  for (const { key, node_run_id: id } of artifacts) {
    const [, , made, fence] = key.split("/"); // bytes that another node run made first keep that one's key
    const winner = nodes.find((node) => node.id === id)?.result_fence;
    if (made === id && Number(fence) !== winner) broken.push(`I5 ${key} was committed under fence ${winner}`);
  }
  for (const { path, attempt } of nodes) if (workersUnharmed && attempt > 1) broken.push(`W6 ${path} was tried ${attempt} times`);
  for (const double of doubles) broken.push(`I7 ${double}`);
  events.forEach(({ seq }, index) => {
    if (seq !== index + 1) broken.push(`I6 event ${index + 1} has the number ${seq}`);
  });
  return broken;
}

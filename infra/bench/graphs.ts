// Graphs of the bench, and what it takes to run them through the API.
import type { Bench } from "./figure.ts";

interface Node {
  id: string;
  service: string;
  plane: string;
  status: "pending";
  params?: Record<string, unknown>;
}
interface Edge {
  from: string;
  to: string;
  metadata?: Record<string, unknown>;
}
export interface BenchGraph {
  schema: "langgraph.v1";
  workflowId: string;
  nodes: Node[];
  edges: Edge[];
}

/** A node that does nothing but hand its value on. */
const pass = (id: string, params?: Record<string, unknown>): Node => ({
  id,
  service: "output.preview",
  plane: "node",
  status: "pending",
  ...(params ? { params } : {}),
});
const wire = (from: string, to: string): Edge => ({ from, to, metadata: { sourcePort: "value", targetPort: "value" } });
const graph = (nodes: Node[], edges: Edge[]): BenchGraph => ({ schema: "langgraph.v1", workflowId: "bench", nodes, edges });

export function chain(length: number, first: unknown = 1): BenchGraph {
  const nodes = Array.from({ length }, (_, index) => pass(`n${index}`, index === 0 ? { value: first } : undefined));
  return graph(
    nodes,
    nodes.slice(1).map((node, index) => wire(`n${index}`, node.id)),
  );
}

/** A start, `lanes` chains of `length`, and a node after all of them. */
export function lanes(count: number, length: number): BenchGraph {
  const nodes = [pass("start", { value: 1 })];
  const edges: Edge[] = [];
  for (let lane = 0; lane < count; lane++)
    for (let step = 0; step < length; step++) {
      nodes.push(pass(`l${lane}_${step}`));
      edges.push(wire(step === 0 ? "start" : `l${lane}_${step - 1}`, `l${lane}_${step}`));
    }
  nodes.push(pass("join", { value: 1 }));
  for (let lane = 0; lane < count; lane++) edges.push({ from: `l${lane}_${length - 1}`, to: "join" });
  return graph(nodes, edges);
}

export interface Dag {
  graph: BenchGraph;
  /** Milliseconds. */
  criticalPath: number;
}

/** Thirty nodes that sleep 100 to 1,000 ms, each after up to three of the ten before it. */
export function sleepingDag(random: () => number, size = 30): Dag {
  const finish: number[] = [];
  const nodes: Node[] = [];
  const edges: Edge[] = [];
  for (let index = 0; index < size; index++) {
    const milliseconds = 100 + Math.floor(random() * 901);
    nodes.push({ id: `n${index}`, service: "control.delay", plane: "node", status: "pending", params: { milliseconds, value: 1 } });
    const before = new Set(
      Array.from({ length: Math.floor(random() * 4) }, () => index - 1 - Math.floor(random() * 10)).filter((one) => one >= 0),
    );
    for (const from of before) edges.push({ from: `n${from}`, to: `n${index}` });
    finish[index] = milliseconds + Math.max(0, ...[...before].map((one) => finish[one] as number));
  }
  return { graph: graph(nodes, edges), criticalPath: Math.max(...finish) };
}

/** @param force runs what earlier runs have results for, too */
export async function startRun({ url }: Bench, graph: BenchGraph, force = false): Promise<string> {
  const form = new FormData();
  form.set("graph", JSON.stringify(graph));
  const answer = await fetch(`${url}/api/runs${force ? "?force=1" : ""}`, { method: "POST", body: form });
  const body = (await answer.json()) as { run?: string };
  if (!body.run) throw new Error(`The run was refused: ${JSON.stringify(body).slice(0, 300)}`);
  return body.run;
}

/** Milliseconds from its start to its end, by the database's clock. @throws Error if the run failed */
export async function took({ db }: Bench, run: string, everyMs = 10): Promise<number> {
  for (;;) {
    const { rows } = await db.query<{ state: string; ms: number }>(
      "SELECT state, extract(epoch FROM finished_at - started_at) * 1000 AS ms FROM run WHERE id = $1",
      [run],
    );
    if (rows[0]?.state === "succeeded") return Number(rows[0].ms);
    if (rows[0]?.state === "failed") throw new Error("A run of the bench failed.");
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

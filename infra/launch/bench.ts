// `npm run bench`: one JSON line a figure, each over an anchor that is measured in the same run.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { buildDatabaseClient } from "./build.ts";
import { sharedFolder } from "./paths.ts";
import { freePort } from "./ports.ts";
import { startStack } from "./stack.ts";

const NODES = 50;
const ROUNDS = 5;

/** A durable chain of no-op nodes through the API, over one INSERT and one UPDATE committed per node. */
export async function bench(): Promise<number> {
  await buildDatabaseClient();
  const home = await mkdtemp(join(tmpdir(), "spindle-bench-"));
  const postgres = sharedFolder("postgres-bench");
  const stack = await startStack({ home, postgres, port: await freePort(), quiet: true, worker: false });
  try {
    const node = (index: number) => ({
      id: `n${index}`,
      service: "output.preview",
      plane: "node",
      status: "pending",
      ...(index === 0 ? { params: { value: 1 } } : {}),
    });
    const edge = (index: number) => ({ from: `n${index}`, to: `n${index + 1}`, metadata: { sourcePort: "value", targetPort: "value" } });
    const graph = {
      schema: "langgraph.v1",
      workflowId: "chain",
      nodes: Array.from({ length: NODES }, (_, index) => node(index)),
      edges: Array.from({ length: NODES - 1 }, (_, index) => edge(index)),
    };
    const ours: number[] = [];
    const floor: number[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      const [a, b] = [await chain(stack.url, graph), await commits(stack.env.DATABASE_URL as string)];
      if (round > 0) ours.push(a), floor.push(b); // the first round warms up
    }
    const [value, anchor] = [median(ours), median(floor)];
    process.stdout.write(
      `${JSON.stringify({ id: "chain50.durable", value: round(value / anchor), ours: round(value), anchor: "insert+update commits", anchorValue: round(anchor), unit: "ms", goal: null })}\n`,
    );
    return 0;
  } finally {
    await stack.stop();
    await rm(home, { recursive: true, force: true });
    await rm(postgres, { recursive: true, force: true });
  }
}

async function chain(url: string, graph: unknown): Promise<number> {
  const form = new FormData();
  form.set("graph", JSON.stringify(graph));
  const { run } = (await (await fetch(`${url}/api/runs`, { method: "POST", body: form })).json()) as { run: string };
  for (;;) {
    const view = (await (await fetch(`${url}/api/runs/${run}`)).json()) as { state: string; startedAt: string; finishedAt: string };
    if (view.state === "succeeded") return Date.parse(view.finishedAt) - Date.parse(view.startedAt);
    if (view.state === "failed") throw new Error("The chain failed.");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function commits(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("CREATE TABLE IF NOT EXISTS bench_floor (id SERIAL PRIMARY KEY, state TEXT)");
  const start = performance.now();
  for (let index = 0; index < NODES; index++) {
    const { rows } = await client.query("INSERT INTO bench_floor (state) VALUES ('running') RETURNING id");
    await client.query("UPDATE bench_floor SET state = 'succeeded' WHERE id = $1", [rows[0].id]);
  }
  const took = performance.now() - start;
  await client.end();
  return took;
}

const median = (list: number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1] as number;
const round = (value: number): number => Math.round(value * 100) / 100;

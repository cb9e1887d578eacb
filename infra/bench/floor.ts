// The anchor of everything durable: one INSERT and one UPDATE, each committed, per node; nothing else.
import pg from "pg";

export async function floorTable(db: pg.Pool): Promise<void> {
  await db.query("CREATE TABLE IF NOT EXISTS bench_floor (id BIGSERIAL PRIMARY KEY, state TEXT)");
}

export async function floorNode(db: Pick<pg.Pool, "query">): Promise<void> {
  const { rows } = await db.query<{ id: string }>({
    name: "floor-insert",
    text: "INSERT INTO bench_floor (state) VALUES ('running') RETURNING id",
  });
  await db.query({ name: "floor-update", text: "UPDATE bench_floor SET state = 'succeeded' WHERE id = $1", values: [rows[0]?.id] });
}

/** Milliseconds for so many nodes in a row, on one connection. */
export async function floorChain(url: string, nodes: number): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  const start = performance.now();
  for (let index = 0; index < nodes; index++) await floorNode(client as never);
  const ms = performance.now() - start;
  await client.end();
  return ms;
}

// What the runtimes on one database sign with. Workers know the key of tasks, and no back-up has this one.
import { randomBytes } from "node:crypto";
import type pg from "pg";

const BYTES = 32;

/** Made by the first that asks for it. */
export async function serverSecret(pool: Pick<pg.Pool, "query">): Promise<Buffer> {
  await pool.query("INSERT INTO server_secret (name, bytes) VALUES ('signing', $1) ON CONFLICT DO NOTHING", [randomBytes(BYTES)]);
  const { rows } = await pool.query<{ bytes: Buffer }>("SELECT bytes FROM server_secret WHERE name = 'signing'");
  return rows[0]?.bytes as Buffer;
}

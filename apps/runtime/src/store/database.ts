import { PrismaPg } from "@prisma/adapter-pg";
import pg from "pg";
import { PrismaClient } from "./generated/client.ts";

/** One pool serves both Prisma, which reads and lists, and the SQL statements that the meaning of a run depends on. */
export interface Database {
  prisma: PrismaClient;
  pool: pg.Pool;
  /** One connection for the statement that changes node runs, so that its plans stay warm. */
  changes: pg.Pool;
  close(): Promise<void>;
}

/** Later, PostgreSQL ends a statement; a connection whose other end is gone without a word is given up a little after that. */
const STATEMENT_MS = 10_000;

export function openDatabase(url: string): Database {
  const pool = openPool(url, 16);
  const changes = openPool(url, 1);
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  return {
    prisma,
    pool,
    changes,
    close: async () => {
      await prisma.$disconnect();
      await Promise.all([pool, changes].map((one) => one.end().catch(() => {})));
    },
  };
}

/** Runs a transaction. A connection on which something failed is not used again: it may be a dead one. */
export async function transaction<T>(pool: pg.Pool, act: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    const done = await act(client);
    await client.query("COMMIT");
    client.release();
    return done;
  } catch (error) {
    client.release(true); // ending the connection rolls the transaction back
    throw error;
  }
}

function openPool(connectionString: string, max: number): pg.Pool {
  const pool = new pg.Pool({
    connectionString,
    max,
    connectionTimeoutMillis: 5000,
    idleTimeoutMillis: 0,
    statement_timeout: STATEMENT_MS,
    query_timeout: STATEMENT_MS + 2000,
    keepAlive: true,
  });
  // A connection that PostgreSQL ended, idle or in use: the query on it fails, and the next opens another.
  pool.on("error", () => {});
  pool.on("connect", (client) => client.on("error", () => {}));
  return pool;
}

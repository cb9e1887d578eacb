// Which tables a back-up holds, and in which order they can be filled again.
import pg from "pg";

export interface Table {
  name: string;
  columns: string[];
}

/** What a database says of itself and of the processes on it: another one says this of its own. */
const OWN = ["_prisma_migrations", "function", "release", "runtime", "server_secret", "worker_manifest"];

export const { escapeIdentifier: identifier } = pg;

/** All tables with what people made, none before one that it refers to. */
export async function tablesOf(client: pg.Client): Promise<Table[]> {
  const { rows: tables } = await client.query<Table>(
    `SELECT c.relname AS name, array_agg(a.attname::text ORDER BY a.attnum) AS columns
     FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
     WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace AND c.relname <> ALL ($1)
     GROUP BY c.relname ORDER BY c.relname`,
    [OWN],
  );
  const { rows: references } = await client.query<{ from: string; to: string }>(
    `SELECT f.relname AS from, t.relname AS to FROM pg_constraint k JOIN pg_class f ON f.oid = k.conrelid JOIN pg_class t ON t.oid = k.confrelid
     WHERE k.contype = 'f' AND k.connamespace = current_schema()::regnamespace AND f.oid <> t.oid`,
  );
  const ordered: Table[] = [];
  for (let left = tables; left.length > 0; ) {
    const waiting = new Set(left.map(({ name }) => name));
    const blocked = new Set(references.filter(({ to }) => waiting.has(to)).map(({ from }) => from));
    const ready = left.filter(({ name }) => !blocked.has(name));
    if (ready.length === 0) throw new Error(`These tables refer to each other: ${[...waiting].join(", ")}.`);
    ordered.push(...ready);
    left = left.filter(({ name }) => blocked.has(name));
  }
  return ordered;
}

export async function migrationsOf(client: pg.Client): Promise<{ name: string; checksum: string }[]> {
  const { rows } = await client.query<{ name: string; checksum: string }>(
    `SELECT migration_name AS name, checksum FROM "_prisma_migrations" WHERE finished_at IS NOT NULL ORDER BY migration_name`,
  );
  return rows;
}

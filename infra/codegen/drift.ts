// Where schema.prisma, which the runtime's queries are made from, says something else than the migrations, which databases are made by.
// Prisma itself makes SQL of schema.prisma. PostgreSQL carries it out beside the migrated tables, and its catalogue is read of both.
import type pg from "pg";
import { prismaSql } from "./prisma-sql.ts";

interface Column {
  type: string;
  list: boolean;
  nullable: boolean;
  /** The expression as PostgreSQL writes it; absent if rows have to give a value. */
  fills?: string;
  generated: boolean;
}
interface Key {
  label: string;
  references: string;
  onDelete: string;
}
interface Table {
  columns: Map<string, Column>;
  /** Those over columns alone: `a, b DESC`, after `unique` where it is. */
  indexes: string[];
  keys: Key[];
}
interface Catalogue {
  tables: Map<string, Table>;
  /** The values by the enum's name. */
  enums: Map<string, string>;
}

const ADVICE = "Write the same change in prisma/schema.prisma and in a migration.";
/** No way of writing it in both places exists: Prisma would write a value into it. */
const GENERATED =
  "the migrations generate the column, which schema.prisma cannot say. Index the expression instead, or fill a plain column.";
/** Where Prisma's tables are created, for as long as the transaction lasts. */
const BESIDE = "spindle_written";

/** @param schema the text of schema.prisma @returns one line for each difference, with the table and column */
export async function driftOf(client: pg.Client, schema: string): Promise<string[]> {
  const sql = await prismaSql(schema).catch((error: Error) => error);
  if (typeof sql !== "string") return [`schema.prisma is refused by Prisma: ${sql.message.trim()}`];
  await client.query("BEGIN");
  try {
    const made = await catalogueOf(client, "public");
    await client.query(`CREATE SCHEMA ${BESIDE}; SET LOCAL search_path TO ${BESIDE}, public`);
    const failed = await client.query(sql).catch((error: Error) => error);
    if (failed instanceof Error) return [`What schema.prisma says fails on PostgreSQL: ${failed.message}. ${ADVICE}`];
    const wrong = await compare(client, await catalogueOf(client, BESIDE), made);
    return wrong.map((line) => (line.endsWith(GENERATED) ? line : `${line} ${ADVICE}`));
  } finally {
    await client.query("ROLLBACK");
  }
}

async function compare(client: pg.Client, written: Catalogue, made: Catalogue): Promise<string[]> {
  const wrong: string[] = [];
  for (const [name, values] of written.enums) {
    const others = made.enums.get(name);
    if (others === undefined) wrong.push(`schema.prisma has the enum ${name}, which no migration creates.`);
    else if (others !== values) wrong.push(`enum ${name}: schema.prisma says the values are ${values}, the migrations ${others}.`);
  }
  for (const [name, table] of written.tables) {
    const other = made.tables.get(name);
    if (!other) {
      wrong.push(`schema.prisma has the table ${name}, which no migration creates.`);
      continue;
    }
    for (const column of new Set([...table.columns.keys(), ...other.columns.keys()]))
      wrong.push(...(await columnDrift(client, `${name}.${column}`, table.columns.get(column), other.columns.get(column))));
    for (const index of without(table.indexes, other.indexes))
      wrong.push(`schema.prisma has an index of ${name} (${index}), which no migration creates.`);
    for (const { label, references, onDelete } of table.keys) {
      const key = other.keys.find((candidate) => candidate.label === label);
      if (!key) wrong.push(`schema.prisma has the relation ${name} (${label}), which no migration creates.`);
      else {
        wrong.push(...differ(`${name} (${label})`, "the other column is", references, key.references));
        // Both refuse it: one at once, the other at the end of the statement.
        const refuses = (action: string) => action === "Restrict" || action === "NoAction";
        if (!refuses(onDelete) || !refuses(key.onDelete))
          wrong.push(...differ(`${name} (${label})`, "onDelete is", onDelete, key.onDelete));
      }
    }
    for (const { label } of other.keys)
      if (!table.keys.some((key) => key.label === label))
        wrong.push(`The migrations create the foreign key ${name} (${label}), which schema.prisma lacks.`);
    for (const index of without(other.indexes, table.indexes))
      wrong.push(`The migrations create an index of ${name} (${index}), which schema.prisma lacks.`);
  }
  for (const name of made.tables.keys())
    if (!written.tables.has(name) && !name.startsWith("_"))
      wrong.push(`The migrations create the table ${name}, which schema.prisma lacks.`);
  return wrong;
}

/** What of the list is left when each of the others has been crossed out in it once. */
function without(list: readonly string[], others: readonly string[]): string[] {
  const left = [...others];
  return list.filter((item) => {
    const at = left.indexOf(item);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

async function columnDrift(client: pg.Client, place: string, written: Column | undefined, made: Column | undefined): Promise<string[]> {
  if (!made) return [`schema.prisma has the column ${place}, which no migration adds.`];
  if (!written) return [`The migrations add the column ${place}, which schema.prisma lacks.`];
  const nulls = ({ nullable }: Column) => (nullable ? "allowed" : "refused");
  const wrong = differ(place, "the type", written.type, made.type);
  if (!written.list) wrong.push(...differ(place, "NULL is", nulls(written), nulls(made))); // Prisma writes no list as NULL
  if (made.generated) wrong.push(`${place}: ${GENERATED}`);
  else if (!(await sameDefault(client, written, made)))
    wrong.push(...differ(place, "the default is", shown(written.fills), shown(made.fills)));
  return wrong;
}

const differ = (place: string, what: string, inSchema: string, inDatabase: string): string[] =>
  inSchema === inDatabase ? [] : [`${place}: schema.prisma says ${what} ${inSchema}, the migrations ${inDatabase}.`];

/** Whether both fill a row with the same: PostgreSQL computes what is written in two ways. */
async function sameDefault(client: pg.Client, written: Column, made: Column): Promise<boolean> {
  if (written.fills === undefined || made.fills === undefined || written.fills === made.fills) return written.fills === made.fills;
  if (written.type !== made.type || written.fills === COUNTED || made.fills === COUNTED) return false;
  await client.query("SAVEPOINT defaults");
  const text = (fills: string) => `((${fills})::${made.type})::text`;
  const { rows } = await client
    .query(`SELECT ${text(written.fills)} IS NOT DISTINCT FROM ${text(made.fills)} AS same`)
    .catch(() => ({ rows: [{ same: false }] }));
  await client.query("ROLLBACK TO defaults");
  return rows[0]?.same === true;
}

const COUNTED = "autoincrement()";

/** A text without its quotes, unless it would then read as no default at all or as an expression. */
function shown(fills: string | undefined): string {
  if (fills === undefined) return "none";
  const [, quoted] = /^'((?:[^']|'')*)'(?:::[\w ."]+(?:\([\d,]+\))?(?:\[\])?)?$/.exec(fills) ?? [];
  return quoted === undefined ? fills : /^$|^none$|^\s|\s$|\)$/.test(quoted) ? `'${quoted}'` : quoted.replaceAll("''", "'");
}

async function catalogueOf(client: pg.Client, schema: string): Promise<Catalogue> {
  const tables = new Map<string, Table>();
  const columns = await client.query<Column & { table: string; column: string; fills: string | null }>(
    `SELECT t.relname AS table, a.attname AS column, -- the usual size of a time may be written
            concat(CASE WHEN y.typnamespace = 'pg_catalog'::regnamespace THEN y.typname::text ELSE quote_ident(y.typname) END, CASE WHEN format_type(a.atttypid, a.atttypmod) !~ '^time.*\\(6\\)'
              THEN substring(format_type(a.atttypid, a.atttypmod) FROM '\\([^)]*\\)') END) AS type, y.typcategory = 'A' AS list,
            NOT a.attnotnull AS nullable, a.attgenerated <> '' AS generated,
            CASE WHEN a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%' THEN $3
                 ELSE replace(pg_get_expr(d.adbin, d.adrelid), $2, '') END AS fills
     FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped JOIN pg_type y ON y.oid = a.atttypid
     LEFT JOIN pg_attrdef d ON d.adrelid = t.oid AND d.adnum = a.attnum
     WHERE t.relnamespace = $1::regnamespace AND t.relkind IN ('r', 'p') AND NOT t.relispartition ORDER BY t.oid, a.attnum`,
    [schema, `${BESIDE}.`, COUNTED],
  );
  for (const { table, column, fills, ...rest } of columns.rows) {
    const known = tables.get(table) ?? { columns: new Map(), indexes: [], keys: [] };
    tables.set(table, known);
    known.columns.set(column, { ...rest, ...(fills === null ? {} : { fills }) });
  }
  // What Prisma can write: no part of a table, no expression. Columns that are only carried along (INCLUDE) do not count.
  const indexes = await client.query<{ table: string; label: string }>(
    `SELECT t.relname AS table,
            concat(CASE WHEN i.indisprimary THEN 'primary key ' WHEN i.indisunique THEN 'unique ' END,
                   string_agg(concat(a.attname, CASE WHEN NOT o.opcdefault THEN ' ' || o.opcname END,
                     CASE k.option & 3 WHEN 1 THEN ' DESC NULLS LAST' WHEN 2 THEN ' NULLS FIRST' WHEN 3 THEN ' DESC' END), ', ' ORDER BY k.at),
                   CASE WHEN m.amname <> 'btree' THEN ' USING ' || m.amname END,
                   CASE WHEN i.indnullsnotdistinct THEN ' NULLS NOT DISTINCT' END) AS label
     FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
     CROSS JOIN LATERAL unnest(i.indkey, i.indclass, i.indoption) WITH ORDINALITY AS k(attnum, class, option, at)
     JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum AND k.at <= i.indnkeyatts JOIN pg_opclass o ON o.oid = k.class
     WHERE t.relnamespace = $1::regnamespace AND i.indpred IS NULL AND i.indexprs IS NULL
     GROUP BY i.indexrelid, t.relname, i.indisprimary, i.indisunique, m.amname, i.indnullsnotdistinct ORDER BY i.indexrelid`,
    [schema],
  );
  for (const { table, label } of indexes.rows) tables.get(table)?.indexes.push(label);
  const keys = await client.query<Key & { table: string }>(
    `SELECT t.relname AS table, concat(string_agg(a.attname, ', ' ORDER BY k.at), ' -> ', o.relname) AS label,
            string_agg(b.attname, ', ' ORDER BY k.at) AS references,
            CASE c.confdeltype WHEN 'a' THEN 'NoAction' WHEN 'r' THEN 'Restrict' WHEN 'c' THEN 'Cascade' WHEN 'n' THEN 'SetNull' ELSE 'SetDefault' END AS "onDelete"
     FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class o ON o.oid = c.confrelid
     CROSS JOIN LATERAL unnest(c.conkey, c.confkey) WITH ORDINALITY AS k(attnum, other, at)
     JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum JOIN pg_attribute b ON b.attrelid = o.oid AND b.attnum = k.other
     WHERE c.contype = 'f' AND t.relnamespace = $1::regnamespace GROUP BY c.oid, t.relname, o.relname, c.confdeltype ORDER BY t.relname, label`,
    [schema],
  );
  for (const { table, ...key } of keys.rows) tables.get(table)?.keys.push(key);
  const enums = await client.query<{ name: string; values: string }>(
    `SELECT y.typname AS name, string_agg(e.enumlabel, ', ' ORDER BY e.enumlabel) AS values
     FROM pg_enum e JOIN pg_type y ON y.oid = e.enumtypid WHERE y.typnamespace = $1::regnamespace GROUP BY y.typname ORDER BY y.typname`,
    [schema],
  );
  return { tables, enums: new Map(enums.rows.map(({ name, values }) => [name, values])) };
}

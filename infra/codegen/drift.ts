// Where schema.prisma, which the runtime's queries are made from, says something else than the migrations, which databases are made by.
import type pg from "pg";

interface Column {
  /** PostgreSQL's name of the type. */
  type: string;
  isNullable: boolean;
  /** Undefined if rows have to give a value. */
  fills: string | undefined;
}
interface Table {
  columns: Map<string, Column>;
  /** The columns of each index over columns alone: `a, b`, after `unique` where it is. */
  indexes: Set<string>;
}

const TYPES: Readonly<Record<string, string>> = {
  String: "text",
  Int: "int4",
  BigInt: "int8",
  Float: "float8",
  Boolean: "bool",
  Json: "jsonb",
  DateTime: "timestamp",
  Bytes: "bytea",
  SmallInt: "int2",
};
const ADVICE = "Write the same change in prisma/schema.prisma and in a migration.";

/** @param schema the text of schema.prisma @returns one line for each difference, with the table and column */
export async function driftOf(client: pg.Client, schema: string): Promise<string[]> {
  const [written, made] = [writtenTables(schema), await madeTables(client)];
  const wrong: string[] = [];
  for (const [name, table] of written) {
    const other = made.get(name);
    if (!other) {
      wrong.push(`schema.prisma has the table ${name}, which no migration creates.`);
      continue;
    }
    for (const column of new Set([...table.columns.keys(), ...other.columns.keys()]))
      wrong.push(...columnDrift(`${name}.${column}`, table.columns.get(column), other.columns.get(column)));
    for (const index of table.indexes)
      if (!other.indexes.has(index)) wrong.push(`schema.prisma has an index of ${name} (${index}), which no migration creates.`);
    for (const index of other.indexes)
      if (!table.indexes.has(index)) wrong.push(`The migrations create an index of ${name} (${index}), which schema.prisma lacks.`);
  }
  for (const name of made.keys())
    if (!written.has(name) && !name.startsWith("_")) wrong.push(`The migrations create the table ${name}, which schema.prisma lacks.`);
  return wrong.map((line) => `${line} ${ADVICE}`);
}

function columnDrift(place: string, written: Column | undefined, made: Column | undefined): string[] {
  if (!made) return [`schema.prisma has the column ${place}, which no migration adds.`];
  if (!written) return [`The migrations add the column ${place}, which schema.prisma lacks.`];
  const differ = (what: string, inSchema: string, inDatabase: string) =>
    inSchema === inDatabase ? [] : [`${place}: schema.prisma says ${what} ${inSchema}, the migrations ${inDatabase}.`];
  return [
    ...differ("the type", written.type, made.type),
    ...differ("NULL is", written.isNullable ? "allowed" : "refused", made.isNullable ? "allowed" : "refused"),
    ...differ("the default is", written.fills ?? "none", made.fills ?? "none"),
  ];
}

function writtenTables(schema: string): Map<string, Table> {
  const tables = new Map<string, Table>();
  const models = [...schema.matchAll(/^model (\w+) \{\n([\s\S]*?)^\}/gm)].map(([, name = "", body = ""]) => ({ name, body }));
  for (const { name, body } of models) {
    const columns = new Map<string, Column>();
    const indexes = new Set<string>();
    const columnOf = new Map<string, string>();
    const attributes: string[] = [];
    for (const line of body.split("\n").map((text) => text.trim())) {
      if (line.startsWith("@@")) attributes.push(line);
      const [, field, type = "", list, optional, rest = ""] = /^(\w+)\s+(\w+)(\[\])?(\?)?(.*)$/.exec(line) ?? [];
      if (!field || !(type in TYPES) || line.startsWith("//")) continue;
      const column = /@map\("([^"]+)"\)/.exec(rest)?.[1] ?? field;
      columnOf.set(field, column);
      const native = /@db\.(\w+)/.exec(rest)?.[1];
      const base = native === undefined ? TYPES[type] : (TYPES[native] ?? native.toLowerCase());
      const fills = /@default\(((?:[^()]|\([^)]*\))*)\)/.exec(rest)?.[1];
      columns.set(column, { type: `${list ? "_" : ""}${base}`, isNullable: optional !== undefined, fills: fills && writtenDefault(fills) });
      if (/@id\b|@unique\b/.test(rest)) indexes.add(`unique ${column}`);
    }
    for (const attribute of attributes) {
      const [, kind, list = ""] = /^@@(id|unique|index)\(\[([^\]]*)\]/.exec(attribute) ?? [];
      const names = list.split(",").map((part) => part.trim().replace(/\(.*$/, ""));
      if (kind) indexes.add(`${kind === "index" ? "" : "unique "}${names.map((one) => columnOf.get(one) ?? one).join(", ")}`);
    }
    tables.set(/@@map\("([^"]+)"\)/.exec(body)?.[1] ?? name, { columns, indexes });
  }
  return tables;
}

/** `uuid()` and the like are Prisma's own: the database has no default. */
function writtenDefault(text: string): string | undefined {
  if (text === "now()" || text === "autoincrement()") return text;
  if (/^\w+\(\)$/.test(text)) return undefined;
  return text.replaceAll('"', "");
}

async function madeTables(client: pg.Client): Promise<Map<string, Table>> {
  const tables = new Map<string, Table>();
  const { rows } = await client.query<{ table: string; column: string; type: string; nullable: string; fills: string | null }>(
    `SELECT c.table_name AS table, c.column_name AS column, c.udt_name AS type, c.is_nullable AS nullable,
            CASE WHEN c.is_identity = 'YES' THEN 'nextval' ELSE c.column_default END AS fills
     FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
     WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE'`,
  );
  for (const { table, column, type, nullable, fills } of rows) {
    const known = tables.get(table) ?? { columns: new Map(), indexes: new Set() };
    tables.set(table, known);
    known.columns.set(column, { type, isNullable: nullable === "YES", fills: fills === null ? undefined : madeDefault(fills) });
  }
  // What Prisma can write: no part of a table, no expression.
  const found = await client.query<{ table: string; unique: boolean; columns: string[] }>(
    `SELECT t.relname AS table, i.indisunique AS unique,
            array_agg(a.attname::text ORDER BY k.at) AS columns
     FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
     CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, at)
     JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum
     WHERE t.relnamespace = current_schema()::regnamespace AND i.indpred IS NULL AND i.indexprs IS NULL
     GROUP BY i.indexrelid, t.relname, i.indisunique`,
  );
  for (const { table, unique, columns } of found.rows) tables.get(table)?.indexes.add(`${unique ? "unique " : ""}${columns.join(", ")}`);
  return tables;
}

function madeDefault(text: string): string {
  if (text.startsWith("nextval")) return "autoincrement()";
  if (/^(now\(\)|CURRENT_TIMESTAMP(\(\d\))?)$/.test(text)) return "now()";
  return text.replace(/::[\w ]+(\[\])?$/, "").replaceAll(/^'|'$/g, "");
}

// Where schema.prisma, which the runtime's queries are made from, says something else than the migrations, which databases are made by.
import type pg from "pg";

/** What is not said, or may be said in several ways, is compared with nothing. */
const ANYTHING = Symbol("anything");
/** A default that may be written in many ways: there has to be one. */
const SOMETHING = Symbol("something");
type Said = string | typeof ANYTHING | typeof SOMETHING;

interface Column {
  /** PostgreSQL's name of the type. */
  type: Said;
  /** `allowed` or `refused`. */
  nulls: Said;
  /** `none` if rows have to give a value. */
  fills: Said;
}
interface Table {
  columns: Map<string, Column>;
  /** The columns of each index over columns alone: `a, b`, after `unique` where it is. */
  indexes: Set<string>;
  /** What becomes of a row whose other row is deleted, by `a, b -> table`. */
  keys: Map<string, Said>;
}

/** Prisma's types, and its names of PostgreSQL's. */
const TYPES: Readonly<Record<string, string>> = {
  String: "text",
  Int: "int4",
  BigInt: "int8",
  Float: "float8",
  Decimal: "numeric",
  Boolean: "bool",
  Json: "jsonb",
  DateTime: "timestamp",
  Bytes: "bytea",
  Integer: "int4",
  SmallInt: "int2",
  Real: "float4",
  DoublePrecision: "float8",
  Timestamp: "timestamp",
  Timestamptz: "timestamptz",
  Date: "date",
  Time: "time",
  Timetz: "timetz",
  Text: "text",
  VarChar: "varchar",
  Char: "bpchar",
  Uuid: "uuid",
  JsonB: "jsonb",
  ByteA: "bytea",
  Inet: "inet",
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
    for (const [key, onDelete] of table.keys)
      if (!other.keys.has(key)) wrong.push(`schema.prisma has the relation ${name} (${key}), which no migration creates.`);
      else wrong.push(...differ(`${name} (${key})`, "onDelete is", onDelete, other.keys.get(key) as Said));
    for (const key of other.keys.keys())
      if (!table.keys.has(key)) wrong.push(`The migrations create the foreign key ${name} (${key}), which schema.prisma lacks.`);
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
  return [
    ...differ(place, "the type", written.type, made.type),
    ...differ(place, "NULL is", written.nulls, made.nulls),
    ...differ(place, "the default is", written.fills, made.fills),
  ];
}

function differ(place: string, what: string, inSchema: Said, inDatabase: Said): string[] {
  if (inSchema === SOMETHING && inDatabase === "none") return [`${place}: schema.prisma has a default, the migrations none.`];
  if (typeof inSchema !== "string" || typeof inDatabase !== "string" || inSchema === inDatabase) return [];
  if (inSchema !== "" && Number(inSchema) === Number(inDatabase)) return [];
  return [`${place}: schema.prisma says ${what} ${inSchema}, the migrations ${inDatabase}.`];
}

function writtenTables(text: string): Map<string, Table> {
  const schema = text.replaceAll("\r\n", "\n").replaceAll(/("(?:[^"\\]|\\.)*")|\/\/.*$/gm, (_, quoted = "") => quoted);
  const models = [...schema.matchAll(/^model\s+(\w+)\s*\{[ \t]*\n([\s\S]*?)^\}/gm)].map(([, name = "", body = ""]) => ({ name, body }));
  const tableOf = new Map(models.map(({ name, body }) => [name, mapped(body, "@@") ?? name]));
  return new Map(models.map(({ name, body }) => [tableOf.get(name) as string, writtenTable(body, tableOf)]));
}

const mapped = (text: string, at: "@" | "@@"): string | undefined =>
  new RegExp(`(?<!@)${at}map\\((?:name:\\s*)?"([^"]+)"\\)`).exec(text)?.[1];
const listed = (text: string | undefined): string[] => (text ?? "").split(",").map((part) => part.trim().replace(/\(.*$/, ""));

function writtenTable(body: string, tableOf: ReadonlyMap<string, string>): Table {
  const table: Table = { columns: new Map(), indexes: new Set(), keys: new Map() };
  const columnOf = new Map<string, string>();
  const lines = body.split("\n").map((line) => line.trim());
  const columnsOf = (list: string | undefined) =>
    listed(list)
      .map((field) => columnOf.get(field) ?? field)
      .join(", ");
  for (const line of lines) {
    const [, field, type = "", list, optional, rest = ""] = /^(\w+)\s+(\w+(?:\("[^"]*"\))?)(\[\])?(\?)?(.*)$/.exec(line) ?? [];
    if (!field || tableOf.has(type)) continue;
    const column = mapped(rest, "@") ?? field;
    columnOf.set(field, column);
    const [, native = type, size = native === "DateTime" ? "(3)" : native === "Decimal" ? "(65,30)" : ""] =
      /@db\.(\w+)(\([^)]*\))?/.exec(rest)?.map((part, at) => (at === 2 ? (part ?? "") : part)) ?? [];
    const base = TYPES[native];
    table.columns.set(column, {
      type: base === undefined ? ANYTHING : `${list ? "_" : ""}${base}${sized(base, size)}`,
      nulls: list ? ANYTHING : optional ? "allowed" : "refused",
      fills: rest.includes("@default(") ? writtenDefault(rest.slice(rest.indexOf("@default(") + "@default(".length)) : "none",
    });
    if (/@id\b|@unique\b/.test(rest)) table.indexes.add(`unique ${column}`);
  }
  for (const line of lines) {
    const [, kind] = /^@@(id|unique|index)\b/.exec(line) ?? [];
    if (kind) table.indexes.add(`${kind === "index" ? "" : "unique "}${columnsOf(/\[([^\]]*)\]/.exec(line)?.[1])}`);
    const [, type = ""] = /^\w+\s+(\w+)/.exec(line) ?? [];
    const fields = /\bfields:\s*\[([^\]]*)\]/.exec(line)?.[1];
    if (fields === undefined || !tableOf.has(type) || line.startsWith("@@")) continue;
    const optional = /^\w+\s+\w+\?/.test(line) ? "SetNull" : "Restrict";
    table.keys.set(`${columnsOf(fields)} -> ${tableOf.get(type)}`, /\bonDelete:\s*(\w+)/.exec(line)?.[1] ?? optional);
  }
  return table;
}

/** How long or exact a value is; that of times and of characters has a usual one, which PostgreSQL does not write. */
function sized(base: string, size: string): string {
  const bare = size.replaceAll(" ", "");
  return (base.startsWith("time") && bare === "(6)") || (base === "bpchar" && bare === "(1)") ? "" : bare;
}

/** What follows `@default(`. A plain number, word or time is compared; what Prisma fills in itself is not in the database. */
function writtenDefault(text: string): Said {
  if (/^((uuid|cuid|nanoid|ulid)\(|dbgenerated\(\))/.test(text)) return ANYTHING;
  const [, plain] = /^(now\(\)|autoincrement\(\)|-?[\d.]+|\w+|"(?!\d{4}-)[^"\\]*")\)/.exec(text) ?? [];
  return plain === undefined ? SOMETHING : plain.replaceAll('"', "");
}

async function madeTables(client: pg.Client): Promise<Map<string, Table>> {
  const tables = new Map<string, Table>();
  const { rows } = await client.query<{
    table: string;
    column: string;
    type: string;
    size: string | null;
    nullable: string;
    fills: string | null;
  }>(
    `SELECT c.table_name AS table, c.column_name AS column, c.udt_name AS type,
            substring(format_type(a.atttypid, a.atttypmod) FROM '\\([^)]*\\)') AS size, c.is_nullable AS nullable,
            CASE WHEN c.is_identity = 'YES' THEN 'nextval' ELSE c.column_default END AS fills
     FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
     JOIN pg_attribute a ON a.attrelid = format('%I', c.table_name)::regclass AND a.attname = c.column_name
     WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE'`,
  );
  for (const { table, column, type, size, nullable, fills } of rows) {
    const known = tables.get(table) ?? { columns: new Map(), indexes: new Set(), keys: new Map() };
    tables.set(table, known);
    known.columns.set(column, {
      type: `${type}${sized(type.replace(/^_/, ""), size ?? "")}`,
      nulls: nullable === "YES" ? "allowed" : "refused",
      fills: fills === null ? "none" : madeDefault(fills),
    });
  }
  // What Prisma can write: no part of a table, no expression.
  const found = await client.query<{ table: string; unique: boolean; columns: string[] }>(
    `SELECT t.relname AS table, i.indisunique AS unique,
            array_agg(a.attname::text ORDER BY k.at) AS columns
     FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
     CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, at)
     JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum AND k.at <= i.indnkeyatts
     WHERE t.relnamespace = current_schema()::regnamespace AND i.indpred IS NULL AND i.indexprs IS NULL
     GROUP BY i.indexrelid, t.relname, i.indisunique`,
  );
  for (const { table, unique, columns } of found.rows) tables.get(table)?.indexes.add(`${unique ? "unique " : ""}${columns.join(", ")}`);
  const keys = await client.query<{ table: string; columns: string[]; other: string; deletes: string }>(
    `SELECT t.relname AS table, o.relname AS other, c.confdeltype AS deletes, array_agg(a.attname::text ORDER BY k.at) AS columns
     FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_class o ON o.oid = c.confrelid
     CROSS JOIN LATERAL unnest(c.conkey) WITH ORDINALITY AS k(attnum, at)
     JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum
     WHERE c.contype = 'f' AND t.relnamespace = current_schema()::regnamespace GROUP BY c.oid, t.relname, o.relname, c.confdeltype ORDER BY t.relname, columns`,
  );
  for (const { table, columns, other, deletes } of keys.rows)
    tables.get(table)?.keys.set(`${columns.join(", ")} -> ${other}`, ON_DELETE[deletes] ?? ANYTHING);
  return tables;
}

/** PostgreSQL's letters. Without a word it does as for Restrict, at the end of the statement. */
const ON_DELETE: Readonly<Record<string, string>> = { a: "Restrict", r: "Restrict", c: "Cascade", n: "SetNull", d: "SetDefault" };

function madeDefault(text: string): string {
  if (text.startsWith("nextval")) return "autoincrement()";
  if (/^(now\(\)|CURRENT_(TIMESTAMP(\(\d\))?|DATE))$/.test(text)) return "now()";
  const bare = text.replace(/::[\w ."]+(\(\d+\))?(\[\])?$/, "");
  return /^'.*'$/s.test(bare) ? bare.slice(1, -1).replaceAll("''", "'") : bare;
}

// Holds the database's history still (docs/decisions/0017): which migrations there are, byte for byte, and what each SQL function
// takes and returns. `npm run gen` adds what is new to prisma/migrations.lock.json; it never rewrites an entry.
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "libpg-query";
import { whyBreaking } from "./compatibility.ts";

interface Signature {
  parameters: string[];
  returns: string;
}

interface Lock {
  /** sha256 by name. */
  migrations: Record<string, string>;
  functions: Record<string, Signature>;
}

/** The lock, or why it is none: people take lines out of it, and merge it. */
function readLock(text: string): Lock | string {
  try {
    return JSON.parse(text) as Lock;
  } catch (error) {
    return `prisma/migrations.lock.json is no JSON: ${(error as Error).message}. After the last line of a list there is no comma; a merge leaves marks.`;
  }
}

/** A migration is final once it has been merged, and that no file says. */
const UNMERGED =
  "While it is on your branch alone, take its line out of prisma/migrations.lock.json instead, run npm run gen, and delete the databases of yours that have it.";

/**
 * Migrations of 0.1.0, from before each had to leave the previous release working; and one that can get no comment any more, whose index
 * is over ids.
 */
const EXEMPT = new Set(["20261120000000_first", "20261121000000_engine", "20261122170000_cancelled_node_runs"]);

/**
 * @param prisma the folder of the migrations and functions
 * @param releases all of them, the oldest first; a migration of the last may drop what an earlier one stopped using
 * @returns the lock, with what is new unless there are problems, and every change that would break a database or the previous release
 */
export async function lockDatabase(
  prisma: string,
  releases: readonly string[],
): Promise<{ path: string; text: string; problems: string[] }> {
  const path = join(prisma, "migrations.lock.json");
  const stored = await readFile(path, "utf8").catch(() => '{"migrations":{},"functions":{}}');
  const locked = readLock(stored);
  if (typeof locked === "string") return { path, text: stored, problems: [locked] };
  const problems: string[] = [];

  const migrations = await readMigrations(prisma, problems);
  const hashes = new Map([...migrations].map(([name, sql]) => [name, createHash("sha256").update(sql).digest("hex")]));
  for (const [name, hash] of Object.entries(locked.migrations)) {
    if (!hashes.has(name)) problems.push(`migrations/${name} is missing. Databases have it: put it back. ${UNMERGED}`);
    else if (hashes.get(name) !== hash)
      problems.push(
        `migrations/${name} has changed. Databases that have it would miss the change: undo it, and add a new migration. ${UNMERGED}`,
      );
  }
  const newest = Object.keys(locked.migrations).sort().at(-1);
  for (const name of migrations.keys())
    if (newest !== undefined && name < newest && !(name in locked.migrations))
      problems.push(
        `migrations/${name} comes before ${newest}, which databases have: they would apply it last, and new ones first. Rename it to a later time.`,
      );
  for (const [name, sql] of migrations) if (!EXEMPT.has(name)) problems.push(...(await whyBreaking(`migrations/${name}`, sql, releases)));

  const functions = await readFunctions(prisma, problems);
  for (const [name, old] of Object.entries(locked.functions)) {
    const now = functions.get(name);
    const why = now ? whyShrunk(old, now) : "is missing";
    if (why)
      problems.push(
        `functions/${name}.sql ${why}. The previous release calls it as it was: ${why.endsWith(" DEFAULT") ? "give it one" : "keep it, and add one with another name"}.`,
      );
  }
  const grown: Lock = {
    migrations: sorted({ ...Object.fromEntries(hashes), ...locked.migrations }),
    functions: sorted({ ...locked.functions, ...Object.fromEntries(functions) }),
  };
  const lock = problems.length > 0 ? locked : grown;
  return { path, text: `${JSON.stringify(lock, null, 2)}\n`, problems };
}

const sorted = <T>(record: Record<string, T>): Record<string, T> =>
  Object.fromEntries(Object.entries(record).sort(([a], [b]) => (a < b ? -1 : 1)));

const NAME = /^\d{4}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])([01]\d|2[0-3])[0-5]\d[0-5]\d_[a-z][a-z0-9_]*$/;

async function readMigrations(prisma: string, problems: string[]): Promise<Map<string, string>> {
  const folder = join(prisma, "migrations");
  const found = new Map<string, string>();
  for (const entry of (await readdir(folder, { withFileTypes: true })).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const place = `migrations/${entry.name}`;
    const sql = entry.isDirectory() && (await readFile(join(folder, entry.name, "migration.sql"), "utf8").catch(() => undefined));
    if (typeof sql === "string") found.set(entry.name, sql);
    else if (entry.isDirectory()) problems.push(`${place} has no migration.sql, which is what is applied.`);
    else if (place.endsWith(".sql"))
      problems.push(`${place} is never applied: move it to ${place.slice(0, -".sql".length)}/migration.sql.`);
    if (typeof sql === "string" && !NAME.test(entry.name))
      problems.push(`${place} is not named YYYYMMDDhhmmss_name, and the names are the order: rename it.`);
  }
  return found;
}

async function readFunctions(prisma: string, problems: string[]): Promise<Map<string, Signature>> {
  const folder = join(prisma, "functions");
  const found = new Map<string, Signature>();
  const entries = await readdir(folder, { withFileTypes: true });
  for (const { name } of entries.filter((entry) => entry.isDirectory()))
    problems.push(`functions/${name} is never applied: a function is a file of functions itself.`);
  for (const file of entries
    .map((entry) => entry.name)
    .filter((name) => name.endsWith(".sql"))
    .sort()) {
    const name = file.slice(0, -".sql".length);
    const sql = await readFile(join(folder, file), "utf8");
    const match = (await isFunction(name, sql))
      ? /^\s*CREATE OR REPLACE FUNCTION \w+\s*\(([\s\S]*?)\)\s*RETURNS\s+([\s\S]*?)\s+(?:LANGUAGE|AS)\b/.exec(sql.replaceAll(/--.*$/gm, ""))
      : null;
    if (!match)
      problems.push(`functions/${file} is not one CREATE OR REPLACE FUNCTION ${name} (...) RETURNS ... LANGUAGE ..., and nothing else.`);
    else found.set(name, { parameters: partsOf(match[1] as string), returns: (match[2] as string).replaceAll(/\s+/g, " ") });
  }
  return found;
}

/** Whether that is all there is: a start carries out every statement of the file. */
async function isFunction(name: string, sql: string): Promise<boolean> {
  const { stmts = [] } = await parse(sql).catch(() => ({ stmts: [] }));
  const [first, second] = stmts.map(({ stmt }) => stmt);
  if (!first || second || !("CreateFunctionStmt" in first)) return false;
  const { funcname = [], is_procedure: isProcedure, replace } = first.CreateFunctionStmt;
  const names = funcname.map((part) => ("String" in part ? part.String.sval : undefined));
  return replace === true && !isProcedure && names.join() === name;
}

/** Split at the commas outside of parentheses and quotes. */
const partsOf = (list: string): string[] =>
  (list.match(/(?:\([^)]*\)|'[^']*'|[^,])+/g) ?? []).map((part) => part.trim().replaceAll(/\s+/g, " ")).filter(Boolean);

function whyShrunk(old: Signature, now: Signature): string | undefined {
  if (old.returns !== now.returns) return `returns ${now.returns} and no longer ${old.returns}`;
  const lost = old.parameters.find((parameter, index) => now.parameters[index] !== parameter);
  if (lost !== undefined) return `has lost or changed its parameter ${lost}`;
  const required = now.parameters.slice(old.parameters.length).find((parameter) => !/\bDEFAULT\b|=/i.test(parameter));
  return required && `has a new parameter ${required} without a DEFAULT`;
}

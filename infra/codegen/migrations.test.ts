import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lockDatabase } from "./migrations.ts";

let prisma: string;
beforeEach(async () => {
  prisma = await mkdtemp(join(tmpdir(), "spindle-lock-"));
  await migration("1_first", "CREATE TABLE a (b INT);");
  await write(
    "functions/f.sql",
    "-- f\nCREATE OR REPLACE FUNCTION f(a INT, b NUMERIC(3, 1) DEFAULT 1)\nRETURNS TABLE (c INT)\nLANGUAGE sql AS $$ $$;",
  );
  await accept();
});
afterEach(() => rm(prisma, { recursive: true, force: true }));

async function write(file: string, text: string): Promise<void> {
  await mkdir(dirname(join(prisma, file)), { recursive: true });
  await writeFile(join(prisma, file), text);
}
const migration = (name: string, sql: string) => write(`migrations/${name}/migration.sql`, sql);
const problems = async (release = "0.2.0") => (await lockDatabase(prisma, release)).problems;
async function accept(): Promise<void> {
  const { path, text } = await lockDatabase(prisma, "0.2.0");
  await writeFile(path, text);
}

test("what is new is added, and what is there stays", async () => {
  const before = JSON.parse(await readFile(join(prisma, "migrations.lock.json"), "utf8"));
  await migration("0_between", "CREATE TABLE c (d INT);");
  const { text, problems: found } = await lockDatabase(prisma, "0.2.0");
  expect(found).toEqual([]);
  expect(Object.keys(JSON.parse(text).migrations)).toEqual(["0_between", "1_first"]);
  expect(JSON.parse(text)).toMatchObject(before);
});

test("a migration that changed or is gone is a problem, and the lock keeps what it was", async () => {
  const { text: before } = await lockDatabase(prisma, "0.2.0");
  await migration("1_first", "CREATE TABLE a (b INT, c INT);");
  expect(await problems()).toEqual([expect.stringContaining("migrations/1_first has changed")]);
  expect((await lockDatabase(prisma, "0.2.0")).text).toBe(before);
  await rm(join(prisma, "migrations/1_first"), { recursive: true });
  expect(await problems()).toEqual([expect.stringContaining("migrations/1_first is missing")]);
});

test.each([
  "DROP TABLE a",
  "ALTER TABLE a DROP COLUMN b",
  "ALTER TABLE a RENAME COLUMN b TO c",
  "ALTER TABLE a ALTER COLUMN b TYPE TEXT",
  "ALTER TABLE a ALTER COLUMN b SET NOT NULL",
  "ALTER TABLE a ADD COLUMN c INT NOT NULL",
])("%s breaks the previous release, unless an earlier one stopped using it", async (statement) => {
  await migration("2_next", `CREATE TABLE d (e INT NOT NULL);\n${statement};`);
  expect(await problems()).toEqual([expect.stringContaining("Expand now and contract a release later")]);
  await migration("2_next", `-- contract: unused since 0.2.0\n${statement};`);
  expect(await problems()).toEqual([expect.stringContaining("the next may contract it")]);
  expect(await problems("0.3.0")).toEqual([]);
});

test("a column that is added with a default breaks nothing", async () => {
  await migration("2_next", "-- DROP TABLE is only mentioned\nALTER TABLE a ADD COLUMN c INT NOT NULL DEFAULT 1, ADD COLUMN d INT;");
  expect(await problems()).toEqual([]);
});

test.each([
  ["lost or changed its parameter b", "f(a INT)\nRETURNS TABLE (c INT)"],
  ["lost or changed its parameter a INT", "f(a BIGINT, b NUMERIC(3, 1) DEFAULT 1)\nRETURNS TABLE (c INT)"],
  ["new parameter d INT without a DEFAULT", "f(a INT, b NUMERIC(3, 1) DEFAULT 1, d INT)\nRETURNS TABLE (c INT)"],
  ["no longer TABLE (c INT)", "f(a INT, b NUMERIC(3, 1) DEFAULT 1)\nRETURNS INT"],
  ["is not one CREATE OR REPLACE FUNCTION f", "g(a INT)\nRETURNS INT"],
])("a function that %s is a problem", async (why, head) => {
  await write("functions/f.sql", `CREATE OR REPLACE FUNCTION ${head} LANGUAGE sql AS $$ $$;`);
  expect((await problems()).join("\n")).toContain(why);
});

test("a function may change its body and take a parameter more that has a default", async () => {
  await write(
    "functions/f.sql",
    "CREATE OR REPLACE FUNCTION f(a INT, b NUMERIC(3, 1) DEFAULT 1, d INT DEFAULT 2)\nRETURNS TABLE (c INT)\nLANGUAGE sql AS $$ new $$;",
  );
  expect(await problems()).toEqual([]);
  await accept();
  expect(await problems()).toEqual([]);
});

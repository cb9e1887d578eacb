import { expect, test } from "vitest";
import { whyBreaking } from "./compatibility.ts";

const CONTRACT = "-- contract: unused since 0.1.0\n";
const SAFE = "-- safe: looked at every write of it\n";
const problems = (statement: string) => whyBreaking("a", `${statement};`, ["0.1.0", "0.2.0"]);

test.each([
  "CREATE UNLOGGED TABLE f (g INT)",
  "ALTER TABLE a ADD COLUMN c TIMESTAMPTZ NOT NULL DEFAULT 'now'",
  "ALTER TABLE a ADD COLUMN c DATE DEFAULT ' Today '::date",
  "CREATE TABLE f (g INT, h TIMESTAMPTZ DEFAULT 'now')",
  "ALTER TABLE d ADD COLUMN c TIMESTAMP DEFAULT CAST('yesterday' AS TIMESTAMP)",
  "ALTER TABLE d ALTER e SET DEFAULT 'tomorrow'::date",
  "ALTER TABLE d ALTER e SET DEFAULT 'now'",
  "ALTER TABLE d ADD c TIMESTAMPTZ DEFAULT 'now()'",
  "ALTER TABLE d ADD c TIMESTAMPTZ DEFAULT 'today()'",
  "ALTER TABLE d ADD c TIMESTAMPTZ DEFAULT 'today 12:00'",
  "ALTER TABLE d ADD c TIMESTAMPTZ DEFAULT '12:00 today Europe/Berlin'",
  "ALTER TABLE d ADD c TIMESTAMPTZ[] DEFAULT '{now}'",
  "ALTER TABLE d ADD c TIMESTAMPTZ DEFAULT (coalesce(NULL, 'NOW UTC'))",
  "ALTER TABLE d ADD c TIMESTAMPTZ DEFAULT timestamptz 'now'",
  "ALTER TABLE d ADD c TEXT DEFAULT 'now'::timestamptz",
  "CREATE TABLE f (g TIMESTAMPTZ CHECK (g < 'now'))",
  "CREATE VIEW v AS SELECT b FROM a WHERE created_at < 'now'",
  "CREATE VIEW v AS SELECT 'today'::date - b FROM a",
])("%s is not what whoever writes it means", async (statement) => {
  expect(await problems(statement)).toEqual([expect.stringMatching(/^a, line 1, .*Expand now and contract a release later/)]);
  expect(await problems(`${SAFE}${statement}`)).toEqual([]);
});

test("a contraction of something that is not what it seems is none", async () => {
  for (const statement of [
    "ALTER TABLE a ALTER b SET DEFAULT 'now'::timestamptz",
    "UPDATE a SET b = 'now'::timestamptz",
    "ALTER TABLE other.a DROP b",
  ]) {
    expect(await problems(`${CONTRACT}${statement}`), statement).toEqual([
      expect.stringMatching(/, line 2, (keeps the time|uses the schema other)/),
    ]);
  }
});

test.each([
  "CREATE INDEX CONCURRENTLY e_idx ON d (e)",
  "DROP INDEX CONCURRENTLY e_idx",
  "REINDEX TABLE CONCURRENTLY d",
  "REINDEX (CONCURRENTLY) INDEX e_idx",
  "REINDEX SCHEMA public",
  "ALTER TABLE d DETACH PARTITION e CONCURRENTLY",
  "VACUUM a",
  "VACUUM",
  "CLUSTER",
  "COMMIT",
  "BEGIN",
  "ROLLBACK",
  "SAVEPOINT a",
  "PREPARE TRANSACTION 'a'",
  "CREATE DATABASE other",
  "DROP DATABASE other",
  "CREATE TABLESPACE other LOCATION '/a'",
  "DROP TABLESPACE other",
  "ALTER SYSTEM SET work_mem = '1MB'",
  "DISCARD ALL",
])("%s fails in the transaction of its migration, whatever a comment says", async (statement) => {
  for (const comment of ["", CONTRACT, SAFE]) {
    expect(await problems(`${comment}${statement}`)).toEqual([
      expect.stringMatching(/^a, line [12], (cannot run in|ends or divides) the transaction of its migration/),
    ]);
  }
});

test("what no transaction takes is refused of a migration's own table, too", async () => {
  expect(await problems("CREATE TABLE f (g INT);\nCREATE INDEX CONCURRENTLY i ON f (g);")).toEqual([
    expect.stringMatching(/^a, line 2, cannot run in the transaction of its migration/),
  ]);
});

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
const RELEASES = ["0.1.0", "0.2.0", "0.3.0"];
const upTo = (release: string) => RELEASES.slice(0, RELEASES.indexOf(release) + 1);
const problems = async (release = "0.2.0") => (await lockDatabase(prisma, upTo(release))).problems;
async function accept(): Promise<void> {
  const { path, text } = await lockDatabase(prisma, upTo("0.2.0"));
  await writeFile(path, text);
}

test("what is new is added, and what is there stays", async () => {
  const before = JSON.parse(await readFile(join(prisma, "migrations.lock.json"), "utf8"));
  await migration("0_between", "CREATE TABLE c (d INT);");
  const { text, problems: found } = await lockDatabase(prisma, upTo("0.2.0"));
  expect(found).toEqual([]);
  expect(Object.keys(JSON.parse(text).migrations)).toEqual(["0_between", "1_first"]);
  expect(JSON.parse(text)).toMatchObject(before);
});

test("a migration that changed or is gone is a problem, and the lock keeps what it was", async () => {
  const { text: before } = await lockDatabase(prisma, upTo("0.2.0"));
  await migration("1_first", "CREATE TABLE a (b INT, c INT);");
  expect(await problems()).toEqual([expect.stringContaining("migrations/1_first has changed")]);
  expect((await lockDatabase(prisma, upTo("0.2.0"))).text).toBe(before);
  await rm(join(prisma, "migrations/1_first"), { recursive: true });
  expect(await problems()).toEqual([expect.stringContaining("migrations/1_first is missing")]);
});

test.each([
  "DROP TABLE a",
  "DROP SCHEMA public CASCADE",
  "DROP INDEX a_b_idx",
  "TRUNCATE a",
  "DELETE FROM a",
  "UPDATE a SET b = 1",
  "INSERT INTO a VALUES (1)",
  "ALTER TABLE a DROP COLUMN b",
  "ALTER TABLE a DROP b",
  "ALTER TABLE a DROP CONSTRAINT c",
  "ALTER TABLE a RENAME COLUMN b TO c",
  "ALTER TABLE a RENAME b TO c",
  "ALTER TABLE a RENAME TO c",
  "ALTER INDEX a_b_idx RENAME TO c",
  "ALTER TYPE t RENAME VALUE 'a' TO 'b'",
  "ALTER TYPE t ADD VALUE 'b'",
  "ALTER TABLE a SET SCHEMA other",
  "ALTER TABLE a ALTER COLUMN b TYPE TEXT",
  "ALTER TABLE a ALTER b TYPE TEXT",
  "ALTER TABLE a ALTER b SET NOT NULL",
  "ALTER TABLE a ALTER COLUMN b SET DEFAULT 2",
  "ALTER TABLE a ALTER COLUMN b DROP DEFAULT",
  "ALTER TABLE a ADD COLUMN c INT NOT NULL",
  "ALTER TABLE a ADD c INT NOT NULL",
  "ALTER TABLE a ADD COLUMN c INT NOT NULL DEFAULT NULL",
  "ALTER TABLE a ADD COLUMN c NUMERIC(3, 1) NOT NULL",
  "ALTER TABLE a ADD COLUMN IF NOT EXISTS c INT",
  "ALTER TABLE a ADD COLUMN c INT DEFAULT 1 UNIQUE",
  "ALTER TABLE a ADD COLUMN c INT CHECK (c IS NOT NULL)",
  "ALTER TABLE a ADD COLUMN c INT REFERENCES a(b)",
  "ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0)",
  "ALTER TABLE a ADD CONSTRAINT c FOREIGN KEY (b) REFERENCES d(e) ON DELETE CASCADE",
  "CREATE UNIQUE INDEX a_b_key ON a (b)",
  "CREATE INDEX a_key ON a ((b::int))",
  "CREATE INDEX a_key ON a (b) WHERE 1 / b > 0",
  "ALTER TABLE a ADD COLUMN c INT NOT NULL DEFAULT NULL::int",
  "ALTER TABLE a ADD COLUMN c INT DEFAULT fails()",
  "ALTER TABLE a ADD COLUMN c BIGSERIAL REFERENCES a(b) ON DELETE CASCADE",
  "CREATE SCHEMA s CREATE TABLE t (c INT REFERENCES public.a(b))",
  "CREATE TABLE f (g INT REFERENCES a(b))",
  "CREATE TABLE f (g INT NOT NULL REFERENCES a(b) ON DELETE SET NULL)",
  "ALTER TABLE d ADD CONSTRAINT f FOREIGN KEY (e) REFERENCES a(b) ON DELETE RESTRICT",
  "ALTER TABLE d ADD CONSTRAINT f FOREIGN KEY (e) REFERENCES a(b) ON DELETE SET NULL",
  "ALTER TABLE d ADD COLUMN c INT REFERENCES a(b)",
  "ALTER TABLE d INHERIT a",
  "ALTER TABLE d ATTACH PARTITION a FOR VALUES IN (1)",
  "CREATE TABLE f PARTITION OF a FOR VALUES IN (1)",
  "CREATE OR REPLACE VIEW v AS SELECT 1",
  "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f()",
  "WITH gone AS (DELETE FROM a RETURNING b) INSERT INTO d SELECT b FROM gone",
  "DO $$ BEGIN DROP TABLE a; END $$",
  "CREATE TABLE f (g INT REFERENCES d(e))",
  "CREATE TABLE f (id INT PRIMARY KEY, g INT REFERENCES f(id))",
  "CREATE TABLE f (g INT REFERENCES a(b) ON DELETE SET NULL, h INT, PRIMARY KEY (g, h))",
  "CREATE TABLE f (g SERIAL REFERENCES a(b) ON DELETE SET NULL)",
  "CREATE TABLE f (g INT REFERENCES a(b) ON DELETE SET NULL, CHECK (g IS NOT NULL))",
  "CREATE TABLE f (g INT REFERENCES a(b) ON DELETE CASCADE)",
  "CREATE TABLE IF NOT EXISTS a (b INT)",
  "CREATE FUNCTION f(a INT) RETURNS INT LANGUAGE sql AS $$ SELECT a $$",
  "CREATE INDEX a_b_idx ON a (b)",
  "INSERT INTO d SELECT tidy()",
  "ALTER TABLE a ADD COLUMN c CHAR(32) DEFAULT gen_random_uuid()",
  "ALTER TABLE a ADD COLUMN c TIMESTAMPTZ DEFAULT now(1)",
  "ALTER TABLE a ADD COLUMN c INT DEFAULT CURRENT_TIMESTAMP",
  "SELECT set_config('search_path', 'other', false)",
  "SET search_path = other",
])("%s breaks the previous release, unless an earlier one stopped using it", async (statement) => {
  const after = "CREATE TABLE d (e INT NOT NULL);";
  await migration("2_next", `${after} -- contract: unused since 0.1.0\n${statement};`);
  expect(await problems()).toEqual([expect.stringMatching(/^migrations\/2_next, line 2, .*Expand now and contract a release later/)]);
  await migration("2_next", `${after}\n-- safe: looked at every write of it\n${statement};`);
  expect(await problems()).toEqual([]);
  const because = (release: string) => migration("2_next", `${after}\n-- ü\n-- contract: unused since ${release}\n${statement};`);
  await because("0.2.0");
  expect(await problems()).toEqual([expect.stringContaining("the next may contract it")]);
  expect(await problems("0.3.0")).toEqual([]);
  await because("9.9.9");
  expect(await problems()).toEqual([expect.stringContaining("9.9.9 is no release before 0.2.0: name the one that stopped using it")]);
});

test("what earlier statements of the migration did counts", async () => {
  for (const statements of [
    "CREATE TABLE f (g INT REFERENCES a(id) ON DELETE SET NULL);\nALTER TABLE f ALTER COLUMN g SET NOT NULL",
    "ALTER TABLE a ADD COLUMN c INT; UPDATE a SET c = b;\nCREATE UNIQUE INDEX a_key ON a (b, c)",
    "ALTER TABLE a ADD COLUMN c INT; CREATE UNIQUE INDEX a_key ON a (b, c);\nUPDATE a SET c = 1",
    "ALTER TABLE a ADD COLUMN c INT REFERENCES d(id) ON DELETE CASCADE;\nUPDATE a SET c = 1",
    "ALTER TABLE a ADD COLUMN c INT;\nCREATE UNIQUE INDEX a_key ON a (b, c) NULLS NOT DISTINCT",
    "ALTER TABLE a ADD COLUMN c INT;\nUPDATE a SET c = tidy()",
    "CREATE TABLE d (e INT);\nALTER TABLE a ADD COLUMN c INT, ADD FOREIGN KEY (b, c) REFERENCES a(b, d) MATCH FULL ON DELETE CASCADE",
    "CREATE TABLE d (e INT);\nALTER TABLE a ADD COLUMN c INT, ALTER b SET NOT NULL",
  ]) {
    await migration("2_next", `${statements};`);
    expect(await problems(), statements).toEqual([expect.stringMatching(/^migrations\/2_next, line 2, /)]);
  }
});

test("a comment permits the one statement right below it, of which it says enough", async () => {
  for (const text of [
    "/*\n-- contract: unused since 0.1.0\n*/\nDROP TABLE a",
    "-- contract: unused since 0.1.0\n-- and another comment\nDROP TABLE a",
    "-- contract: unused since 0.0.7\nDROP TABLE a",
    "-- contract: unused since 0.1.0\nALTER TABLE a DROP b, DROP c",
    "-- contract: unused since 0.1.0\nDROP TABLE a, d",
    "-- safe: it is\nDROP TABLE a",
  ]) {
    await migration("2_next", `${text};`);
    expect(await problems(), text).toHaveLength(1);
  }
});

test.each([
  "-- DROP TABLE is only mentioned\nALTER TABLE a ADD COLUMN c INT NOT NULL DEFAULT 1, ADD COLUMN d INT",
  "ALTER TABLE a ADD COLUMN c INT NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE",
  "ALTER TABLE a ADD COLUMN c INT; UPDATE a SET c = b",
  "ALTER TABLE a ADD COLUMN c INT; CREATE UNIQUE INDEX a_key ON a (b, c); CREATE INDEX c_idx ON a (c)",
  "ALTER TABLE a ADD COLUMN c INT UNIQUE REFERENCES a(id) ON DELETE SET NULL",
  "CREATE TABLE f (g INT REFERENCES a ON DELETE SET NULL); ALTER TABLE f ADD COLUMN h INT REFERENCES a(b) ON DELETE CASCADE ON UPDATE CASCADE",
  "ALTER TABLE a ADD COLUMN c TIMESTAMPTZ NOT NULL DEFAULT now(), ADD COLUMN d JSONB NOT NULL DEFAULT '{}'::jsonb",
  "ALTER TABLE a ADD z TEXT[] NOT NULL DEFAULT ARRAY[]::TEXT[], ADD y INT; CREATE INDEX y_idx ON a (y DESC) WHERE b > 0 AND c IN ('x', 'y') AND s = 'q'::text AND e IS FALSE; COMMENT ON TABLE a IS 'DROP TABLE a; TRUNCATE a'",
  "CREATE TABLE f (g INT REFERENCES a(id) ON DELETE CASCADE); ALTER TABLE f ALTER g SET NOT NULL; INSERT INTO f SELECT b FROM a",
])("%s breaks nothing", async (statements) => {
  await migration("2_next", `${statements};`);
  expect(await problems()).toEqual([]);
});

test("a migration that PostgreSQL cannot read is a problem", async () => {
  await migration("2_next", "ALTER TABEL a ADD COLUMN c INT;");
  expect(await problems()).toEqual(['migrations/2_next is no SQL that PostgreSQL reads: syntax error at or near "TABEL".']);
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

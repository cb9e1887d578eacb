import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lockDatabase } from "./migrations.ts";

let prisma: string;
beforeEach(async () => {
  prisma = await mkdtemp(join(tmpdir(), "spindle-lock-"));
  await migration("20300101000000_first", "CREATE TABLE a (b INT);");
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
  await migration("20300102000000_next", "CREATE TABLE c (d INT);");
  const { text, problems: found } = await lockDatabase(prisma, upTo("0.2.0"));
  expect(found).toEqual([]);
  expect(Object.keys(JSON.parse(text).migrations)).toEqual(["20300101000000_first", "20300102000000_next"]);
  expect(JSON.parse(text)).toMatchObject(before);
});

test("a new migration comes after all that databases have", async () => {
  await migration("20291231000000_between", "CREATE TABLE c (d INT);");
  expect(await problems()).toEqual([
    expect.stringMatching(/^migrations\/20291231000000_between comes before 20300101000000_first, .* Rename it/),
  ]);
});

test("while a migration is refused, the lock stays as it is", async () => {
  const before = await readFile(join(prisma, "migrations.lock.json"), "utf8");
  await migration("20300102000000_next", "DROP TABLE a;");
  await migration("20300103000000_good", "CREATE TABLE c (d INT);");
  const { text, problems: found } = await lockDatabase(prisma, upTo("0.2.0"));
  expect([text, found]).toEqual([before, [expect.stringMatching(/^migrations\/20300102000000_next, line 1, drops/)]]);
});

test("a migration that changed or is gone is a problem, and the lock keeps what it was", async () => {
  const { text: before } = await lockDatabase(prisma, upTo("0.2.0"));
  await migration("20300101000000_first", "CREATE TABLE a (b INT, c INT);");
  expect(await problems()).toEqual([expect.stringContaining("migrations/20300101000000_first has changed")]);
  expect((await lockDatabase(prisma, upTo("0.2.0"))).text).toBe(before);
  await rm(join(prisma, "migrations/20300101000000_first"), { recursive: true });
  expect(await problems()).toEqual([expect.stringContaining("migrations/20300101000000_first is missing")]);
});

const AFTER = "CREATE TABLE d (id INT PRIMARY KEY, e INT NOT NULL);";

async function expectRefused(statement: string): Promise<void> {
  await migration("20300102000000_next", `${AFTER}\n${statement};`);
  expect(await problems()).toEqual([
    expect.stringMatching(/^migrations\/20300102000000_next, line 2, .*Expand now and contract a release later/),
  ]);
  await migration("20300102000000_next", `${AFTER}\n-- safe: looked at every write of it\n${statement};`);
  expect(await problems()).toEqual([]);
}

const CONTRACTIONS = [
  "DROP TABLE a",
  "DROP INDEX a_b_idx",
  "TRUNCATE a",
  "DELETE FROM a",
  "UPDATE a SET b = 1",
  "ALTER TABLE a DROP COLUMN b",
  "ALTER TABLE a DROP b",
  "ALTER TABLE a DROP CONSTRAINT c",
  "ALTER TABLE a RENAME COLUMN b TO c",
  "ALTER TABLE a RENAME b TO c",
  "ALTER TABLE a RENAME TO c",
  "ALTER INDEX a_b_idx RENAME TO c",
  "ALTER TABLE a ALTER COLUMN b TYPE TEXT",
  "ALTER TABLE a ALTER b TYPE TEXT",
  "ALTER TABLE a ALTER b SET NOT NULL",
  "ALTER TABLE a ALTER COLUMN b SET DEFAULT 2",
  "ALTER TABLE a ALTER COLUMN b DROP DEFAULT",
];

test.each(CONTRACTIONS)("%s breaks the previous release, unless an earlier one stopped using it", async (statement) => {
  await expectRefused(statement);
  await migration("20300102000000_next", `${AFTER} -- contract: unused since 0.1.0\n${statement};`);
  expect(await problems()).toEqual([
    expect.stringMatching(/^migrations\/20300102000000_next, line 2, .*Expand now and contract a release later/),
  ]);
  const because = (release: string) =>
    migration("20300102000000_next", `${AFTER}\n-- ü\n-- contract: unused since ${release}\n${statement};`);
  await because("0.2.0");
  expect(await problems()).toEqual([expect.stringContaining("the next may contract it")]);
  expect(await problems("0.3.0")).toEqual([]);
  await because("9.9.9");
  expect(await problems()).toEqual([expect.stringContaining("9.9.9 is no release before 0.2.0: name the one that stopped using it")]);
});

test.each([
  "DROP SCHEMA public CASCADE",
  "INSERT INTO a VALUES (1)",
  "INSERT INTO d SELECT a.tidy FROM a", // a function of the table, in another spelling
  "ALTER TYPE t RENAME VALUE 'a' TO 'b'",
  "ALTER TYPE t ADD VALUE 'b'",
  "ALTER TYPE t ADD ATTRIBUTE b INT",
  "ALTER TABLE a SET SCHEMA other",
  "ALTER TABLE a ADD COLUMN c INT NOT NULL",
  "ALTER TABLE a ADD c INT NOT NULL",
  "ALTER TABLE a ADD COLUMN c INT NOT NULL DEFAULT NULL",
  "ALTER TABLE a ADD COLUMN c NUMERIC(3, 1) NOT NULL",
  "ALTER TABLE a ADD COLUMN c INT PRIMARY KEY",
  "ALTER TABLE a ADD COLUMN c BIGSERIAL PRIMARY KEY",
  "ALTER TABLE a ADD COLUMN c SERIAL",
  "ALTER TABLE a ADD COLUMN c INT GENERATED ALWAYS AS IDENTITY",
  "ALTER TABLE a ADD COLUMN c BIGINT GENERATED ALWAYS AS IDENTITY (MAXVALUE 3)",
  "ALTER TABLE a ADD COLUMN c INT GENERATED ALWAYS AS (1 / b) STORED",
  "ALTER TABLE a ADD COLUMN c short_text",
  "ALTER TABLE a ADD COLUMN c public.short_text",
  "ALTER TABLE a ADD COLUMN c TEXT DEFAULT 'x'::short_text",
  "ALTER TABLE a ADD COLUMN c TIMESTAMPTZ DEFAULT public.now()",
  "ALTER TABLE a ADD COLUMN IF NOT EXISTS c INT",
  "ALTER TABLE a ADD COLUMN c INT DEFAULT 1 UNIQUE",
  "ALTER TABLE a ADD COLUMN c INT UNIQUE NULLS NOT DISTINCT",
  "ALTER TABLE a ADD COLUMN c INT CHECK (c IS NOT NULL)",
  "ALTER TABLE a ADD COLUMN c INT REFERENCES a(b)",
  "ALTER TABLE a ADD COLUMN c INT REFERENCES d(id) ON DELETE CASCADE",
  "ALTER TABLE a ADD COLUMN c INT, ADD FOREIGN KEY (b, c) REFERENCES d(id, e) MATCH FULL ON DELETE CASCADE",
  "ALTER TABLE a ADD COLUMN c INT, ADD UNIQUE (b, c)",
  "ALTER TABLE a ADD COLUMN c INT, ADD UNIQUE (c) INCLUDE (b)",
  "ALTER TABLE a ADD COLUMN c INT, ADD UNIQUE NULLS NOT DISTINCT (c)",
  "ALTER TABLE a ADD COLUMN c INT, ADD PRIMARY KEY (c)",
  "ALTER TABLE a ADD COLUMN c INT, ALTER b SET NOT NULL",
  "ALTER TABLE a ADD UNIQUE USING INDEX a_b_idx",
  "ALTER TABLE a ADD PRIMARY KEY USING INDEX a_b_idx",
  "ALTER TABLE a ADD CONSTRAINT c CHECK (b > 0)",
  "ALTER TABLE a ADD CONSTRAINT c FOREIGN KEY (b) REFERENCES d(e) ON DELETE CASCADE",
  "CREATE UNIQUE INDEX a_b_key ON a (b)",
  "CREATE INDEX a_key ON a ((b::int))",
  "CREATE INDEX a_key ON a (b) WHERE 1 / b > 0",
  "ALTER TABLE a ADD COLUMN c INT NOT NULL DEFAULT NULL::int",
  "ALTER TABLE a ADD COLUMN c INT DEFAULT fails()",
  "ALTER TABLE a ADD COLUMN c BIGSERIAL REFERENCES a(b) ON DELETE CASCADE",
  "CREATE SCHEMA s",
  "CREATE SCHEMA spindle",
  "CREATE SCHEMA s CREATE TABLE t (c INT REFERENCES public.a(b))",
  "CREATE TABLE spindle.run (id INT)",
  "CREATE VIEW spindle.run AS SELECT 1",
  "CREATE SEQUENCE spindle.run",
  "CREATE TYPE spindle.run AS ENUM ('a')",
  "CREATE TABLE f (g spindle.state)",
  "CREATE VIEW v AS SELECT * FROM spindle.run",
  "CREATE TEMP TABLE run (id INT)",
  "CREATE TEMP VIEW run AS SELECT 1",
  "CREATE EXTENSION citext",
  "CREATE TABLE f (LIKE a INCLUDING ALL)",
  "CREATE TABLE f OF t",
  "CREATE TABLE f (g INT REFERENCES a(b))",
  "CREATE TABLE f (g INT REFERENCES a(id) ON DELETE SET NULL)",
  "CREATE TABLE f (g INT UNIQUE NULLS NOT DISTINCT REFERENCES a(id) ON DELETE SET NULL)",
  "CREATE TABLE f (g INT REFERENCES a(id) ON DELETE SET NULL, h INT CHECK (g > 0))",
  "CREATE TABLE f (g INT REFERENCES a(id) ON DELETE SET NULL, h INT GENERATED ALWAYS AS (1 / coalesce(g, 0)) STORED)",
  "CREATE TABLE f (g INT REFERENCES a(id) ON DELETE SET DEFAULT)",
  "CREATE TABLE f (g INT NOT NULL REFERENCES a(id) ON DELETE SET NULL)",
  "ALTER TABLE d ADD CONSTRAINT f FOREIGN KEY (e) REFERENCES a(id) ON DELETE RESTRICT",
  "ALTER TABLE d ADD CONSTRAINT f FOREIGN KEY (e) REFERENCES a(id) ON DELETE SET NULL",
  "ALTER TABLE d ADD COLUMN c INT REFERENCES a(b)",
  "ALTER TABLE d INHERIT a",
  "ALTER TABLE d ATTACH PARTITION a FOR VALUES IN (1)",
  "CREATE TABLE f PARTITION OF a FOR VALUES IN (1)",
  "CREATE OR REPLACE VIEW v AS SELECT 1",
  "CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f()",
  "WITH gone AS (DELETE FROM a RETURNING b) INSERT INTO d SELECT b FROM gone",
  "WITH gone AS (DELETE FROM a RETURNING b) DELETE FROM d",
  "UPDATE a SET b = tidy()",
  "DO $$ BEGIN DROP TABLE a; END $$",
  "CREATE TABLE f (g INT REFERENCES d(id))",
  "CREATE TABLE f (id INT PRIMARY KEY, g INT REFERENCES f(id))",
  "CREATE TABLE f (g INT REFERENCES a(b) ON DELETE CASCADE)",
  "CREATE TABLE f (g INT REFERENCES a ON DELETE CASCADE)",
  "CREATE TABLE IF NOT EXISTS a (b INT)",
  "CREATE FUNCTION f(a INT) RETURNS INT LANGUAGE sql AS $$ SELECT a $$",
  "CREATE INDEX a_b_idx ON a (b)",
  "INSERT INTO d SELECT tidy()",
  "ALTER TABLE a ADD COLUMN c CHAR(32) DEFAULT gen_random_uuid()",
  "ALTER TABLE a ADD COLUMN c TIMESTAMPTZ DEFAULT now(1)",
  "ALTER TABLE a ADD COLUMN c INT DEFAULT CURRENT_TIMESTAMP",
  "SELECT set_config('search_path', 'other', false)",
  "SET search_path = other",
])("%s may break the previous release, and is no contraction", async (statement) => {
  await expectRefused(statement);
  await migration("20300102000000_next", `${AFTER}\n-- contract: unused since 0.1.0\n${statement};`);
  expect(await problems()).toEqual([
    expect.stringMatching(/^migrations\/20300102000000_next, line 3, .*(more than the contraction|several things)/),
  ]);
});

const SAFE = "-- safe: somebody has looked at each of its writes\n";

test("what earlier statements of the migration did counts", async () => {
  for (const statements of [
    "ALTER TABLE a ADD COLUMN c INT;\nCREATE UNIQUE INDEX a_key ON a (b, c)",
    "ALTER TABLE a ADD COLUMN c INT;\nCREATE UNIQUE INDEX a_key ON a (c) INCLUDE (b)",
    "ALTER TABLE a ADD COLUMN c INT;\nCREATE INDEX a_key ON a (c) INCLUDE (b)",
    "ALTER TABLE a ADD COLUMN c INT;\nCREATE INDEX a_key ON a (c) WHERE b > 0",
    "ALTER TABLE a ADD COLUMN c TEXT;\nCREATE INDEX a_key ON a (c own_ops)",
    "ALTER TABLE a ADD COLUMN c TEXT;\nCREATE INDEX a_key ON a USING gin (c)",
    "ALTER TABLE a ADD COLUMN c INT DEFAULT 1;\nCREATE UNIQUE INDEX a_key ON a (c)",
    "ALTER TABLE a ADD COLUMN c INT;\nCREATE UNIQUE INDEX a_key ON a (c) NULLS NOT DISTINCT",
    "ALTER TABLE a ADD COLUMN c INT;\nUPDATE a SET c = b",
    `ALTER TABLE a ADD COLUMN c INT; ${AFTER}\nCREATE UNIQUE INDEX a_key ON a (b, c)`,
  ]) {
    await migration("20300102000000_next", `${statements};`);
    expect(await problems(), statements).toEqual([expect.stringMatching(/^migrations\/20300102000000_next, line 2, /)]);
  }
});

test("what a person permits may be anything, so nothing that was known before it counts", async () => {
  for (const statements of [
    `CREATE TABLE f (g INT);\n${SAFE}ALTER TABLE f RENAME TO h;\nALTER TABLE f ALTER g SET NOT NULL`,
    `ALTER TABLE a ADD COLUMN c INT;\n${SAFE}ALTER TABLE a ALTER c SET DEFAULT 1;\nCREATE UNIQUE INDEX a_key ON a (c)`,
    `ALTER TABLE a ADD COLUMN c INT;\n${SAFE}UPDATE a SET c = b;\nCREATE UNIQUE INDEX a_key ON a (c)`,
    `ALTER TABLE a ADD COLUMN c INT;\n${SAFE}INSERT INTO a (b, c) SELECT b, b FROM a;\nALTER TABLE a ADD UNIQUE (c)`,
    `ALTER TABLE a ADD COLUMN c INT;\n${SAFE}WITH d AS (UPDATE a SET c = b) DELETE FROM a;\nCREATE INDEX a_key ON a (c)`,
    `CREATE TABLE f (g INT);\n${SAFE}INSERT INTO f SELECT b FROM a;\nCREATE UNIQUE INDEX f_key ON f (g)`,
    `CREATE TABLE f (g INT);\n${SAFE}INSERT INTO f SELECT b FROM a;\nALTER TABLE f ALTER g SET NOT NULL`,
    `CREATE TABLE f (g INT);\n${SAFE}CREATE INDEX a_idx ON a (tidy(b));\nALTER TABLE f ALTER g SET NOT NULL`,
    `CREATE TABLE d (e INT);\n${SAFE}CREATE TABLE f (g INT REFERENCES a(id) ON DELETE SET NULL);\nALTER TABLE f ALTER g SET NOT NULL`,
    `CREATE TABLE d (e INT);\n${SAFE}CREATE TABLE f (g INT REFERENCES a(id) ON DELETE SET NULL);\nCREATE UNIQUE INDEX f_key ON f (coalesce(g, 0))`,
    `CREATE TABLE d (e INT);\n${SAFE}CREATE TABLE f (g INT REFERENCES a(id) ON DELETE SET NULL);\nALTER TABLE f ADD PRIMARY KEY USING INDEX f_key`,
    `CREATE TABLE d (e INT);\n${SAFE}CREATE TABLE f (g INT REFERENCES a(id) ON DELETE SET NULL);\nALTER TABLE f ALTER g TYPE some_domain`,
  ]) {
    await migration("20300102000000_next", `${statements};`);
    expect(await problems(), statements).toEqual([expect.stringMatching(/^migrations\/20300102000000_next, line 4, /)]);
  }
});

test("a comment permits the one statement right below it, of which it says enough", async () => {
  for (const text of [
    "/*\n-- contract: unused since 0.1.0\n*/\nDROP TABLE a",
    "-- contract: unused since 0.1.0\n-- and another comment\nDROP TABLE a",
    "-- contract: unused since 0.1.0\n\nDROP TABLE a",
    "-- contract: unused since 0.0.7\nDROP TABLE a",
    "-- contract: unused since 0.1.0\nALTER TABLE a DROP b, DROP c",
    "-- contract: unused since 0.1.0\nDROP TABLE a, d",
    "-- contract: unused since 0.1.0\nDROP TABLE a CASCADE",
    "-- contract: unused since 0.1.0\nALTER TABLE a DROP b CASCADE",
    "-- contract: unused since 0.1.0\nTRUNCATE a, d",
    "-- contract: unused since 0.1.0\nTRUNCATE a CASCADE",
    "-- contract: unused since 0.1.0\nALTER SCHEMA s RENAME TO t",
    "-- safe: somebody has looked at each write\n\nDROP TABLE a",
    "/*\n-- safe: somebody has looked at each write\n*/ DROP TABLE a",
    "-- safe: it is\nDROP TABLE a",
    "-- safe: no row of it is lef\nDROP TABLE a", // 19 characters
    `-- safe: ${"a".repeat(40)}\nDROP TABLE a`,
    `-- safe: ${"a ".repeat(40)}\nDROP TABLE a`,
    `-- safe: ${"safe ".repeat(10)}\nDROP TABLE a`,
    "-- safe: aaaa bbbb cccc dddd eeee ffff\nDROP TABLE a",
    "-- safe: 1234 5678 9012 3456 7890 1234\nDROP TABLE a",
    "-- safe: because everybody-knows\nDROP TABLE a",
  ]) {
    await migration("20300102000000_next", `${text};`);
    expect(await problems(), text).toHaveLength(1);
  }
  await migration("20300102000000_next", "-- safe: no row of it is left\n  DROP TABLE a;"); // exactly 20 characters
  expect(await problems()).toEqual([]);
});

test.each([
  "-- DROP TABLE is only mentioned\nALTER TABLE a ADD COLUMN c INT NOT NULL DEFAULT 1, ADD COLUMN d INT",
  "ALTER TABLE a ADD COLUMN c BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE, ADD COLUMN d BIGSERIAL",
  "ALTER TABLE a ADD COLUMN c INT; CREATE UNIQUE INDEX a_key ON a (c); CREATE INDEX c_idx ON public.a (c)",
  "ALTER TABLE a ADD COLUMN c INT, ADD COLUMN d TEXT, ADD UNIQUE (c, d); CREATE INDEX c_idx ON a (c) INCLUDE (d)",
  "ALTER TABLE a ADD COLUMN c INT UNIQUE",
  "CREATE TABLE f (g INT REFERENCES a(id) ON DELETE CASCADE); ALTER TABLE f ADD COLUMN h INT REFERENCES a(id) ON DELETE CASCADE ON UPDATE CASCADE",
  "ALTER TABLE a ADD COLUMN c TIMESTAMPTZ NOT NULL DEFAULT now(), ADD COLUMN d JSONB NOT NULL DEFAULT '{}'::jsonb",
  "ALTER TABLE a ADD z TEXT[] NOT NULL DEFAULT ARRAY[]::TEXT[], ADD y INT; CREATE INDEX y_idx ON a (y DESC); COMMENT ON TABLE a IS 'DROP TABLE a; TRUNCATE a'",
  "CREATE TABLE f (g INT REFERENCES a(id) ON DELETE CASCADE); ALTER TABLE f ALTER g SET NOT NULL, ADD CHECK (g > 0), ADD UNIQUE NULLS NOT DISTINCT (g)",
  "CREATE TABLE public.f (g state DEFAULT fails(), h INT UNIQUE); CREATE UNIQUE INDEX f_key ON f ((h + 1)) WHERE h > 0",
  "CREATE TABLE f (g TEXT DEFAULT 'now', k TEXT[] DEFAULT '{now}', l TEXT CHECK (l IN ('now'::text, 'snow', 'now_and_then')), h TIMESTAMPTZ DEFAULT now()); ALTER TABLE a ADD COLUMN c TEXT DEFAULT 'today'",
  "COMMENT ON TABLE a IS 'now'; CREATE TYPE state AS ENUM ('now'); CREATE TABLE g (h TIMESTAMPTZ DEFAULT 'now'::text::timestamptz)",
  "CREATE TYPE state AS ENUM ('a'); CREATE SEQUENCE s; CREATE VIEW v AS SELECT 1",
])("%s breaks nothing", async (statements) => {
  await migration("20300102000000_next", `${statements};`);
  expect(await problems()).toEqual([]);
});

test.each(["next", "2_next", "20300102000000", "20300102000000-next", "20300102000000_Next", "20301302000000_next"])(
  "a migration called %s is a problem, as it is applied in the order of the names",
  async (name) => {
    await migration(name, "CREATE TABLE c (d INT);");
    expect(await problems()).toEqual([`migrations/${name} is not named YYYYMMDDhhmmss_name, and the names are the order: rename it.`]);
  },
);

test("a file that no start would apply is a problem", async () => {
  await write("migrations/20300102000000_next.sql", "CREATE TABLE c (d INT);");
  await write("migrations/20300102000000_next/migrations.sql", "CREATE TABLE c (d INT);");
  await write("migrations/README.md", "# Migrations");
  await write("functions/deep/g.sql", "SELECT 1;");
  expect(await problems()).toEqual([
    "migrations/20300102000000_next has no migration.sql, which is what is applied.",
    "migrations/20300102000000_next.sql is never applied: move it to migrations/20300102000000_next/migration.sql.",
    "functions/deep is never applied: a function is a file of functions itself.",
  ]);
});

test("a migration that PostgreSQL cannot read is a problem", async () => {
  await migration("20300102000000_next", "ALTER TABEL a ADD COLUMN c INT;");
  expect(await problems()).toEqual(['migrations/20300102000000_next is no SQL that PostgreSQL reads: syntax error at or near "TABEL".']);
});

test.each([
  ["lost or changed its parameter b", "f(a INT)\nRETURNS TABLE (c INT)"],
  ["lost or changed its parameter a INT", "f(a BIGINT, b NUMERIC(3, 1) DEFAULT 1)\nRETURNS TABLE (c INT)"],
  [
    "new parameter d INT without a DEFAULT. The previous release calls it as it was: give it one.",
    "f(a INT, b NUMERIC(3, 1) DEFAULT 1, d INT)\nRETURNS TABLE (c INT)",
  ],
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

const FUNCTION = "CREATE OR REPLACE FUNCTION f(a INT, b NUMERIC(3, 1) DEFAULT 1)\nRETURNS TABLE (c INT)\nLANGUAGE sql AS $$ $$;";

test.each([
  ["a removal after it", `${FUNCTION}\nDROP TABLE a;`],
  ["a removal before it", `DROP TABLE a;\n${FUNCTION}`],
  ["a deletion after it", `${FUNCTION}\nDELETE FROM a;`],
  ["a second function", `${FUNCTION}\n${FUNCTION.replace(" f(", " g(")}`],
  ["a second function that replaces nothing", `${FUNCTION}\n${FUNCTION.replace(" OR REPLACE", "").replace(" f(", " g(")}`],
  ["a procedure after it", `${FUNCTION}\nCREATE OR REPLACE PROCEDURE g() LANGUAGE sql AS $$ $$;`],
  ["a procedure in its place", "CREATE OR REPLACE PROCEDURE f(a INT) LANGUAGE sql AS $$ $$;"],
  ["no OR REPLACE", FUNCTION.replace(" OR REPLACE", "")],
  ["another schema", FUNCTION.replace(" f(", " other.f(")],
  ["nothing in it", "-- nothing\n"],
  ["what PostgreSQL cannot read", FUNCTION.replace("LANGUAGE sql", "LANGUAGE")],
])("the file of a function with %s is a problem", async (_, text) => {
  await write("functions/f.sql", text);
  expect(await problems()).toContainEqual(expect.stringContaining("functions/f.sql is not one CREATE OR REPLACE FUNCTION f"));
});

test("what a function's body says is not read", async () => {
  const body = "CREATE FUNCTION inner(); DROP TABLE a; SELECT 1";
  await write(
    "functions/f.sql",
    FUNCTION.replace("$$ $$", () => `$$ ${body} $$`),
  );
  expect(await problems()).toEqual([]);
});

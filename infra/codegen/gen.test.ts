import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { Advice } from "../launch/say.ts";
import { whyMigrationsFail } from "./attempt.ts";
import { lockMigrations, makeStale, type Part, verify } from "./gen.ts";

const DATASOURCE = 'datasource db {\n  provider = "postgresql"\n}\n';

test("a part is made again when its sources or its own files have changed, and no program is brought before that", async () => {
  const base = await mkdtemp(join(tmpdir(), "spindle-gen-"));
  const made: string[] = [];
  let prepared = 0;
  const part = (name: string): Part => ({
    name,
    files: [`${name}.source`, `${name}.out`],
    make: async () => {
      made.push(name);
      return new Map([[join(base, `${name}.out`), `made from ${await readFile(join(base, `${name}.source`), "utf8")}`]]);
    },
  });
  const means = { prepare: async () => `python ${++prepared}`, say: () => {} };
  const make = () => makeStale([part("a"), part("b")], base, means);
  try {
    for (const name of ["a", "b"]) await writeFile(join(base, `${name}.source`), "1");
    expect(await make()).toEqual(["a.out", "b.out"]);
    expect(await make()).toEqual([]);
    expect([made, prepared]).toEqual([["a", "b"], 1]);
    await writeFile(join(base, "b.source"), "2");
    expect(await make()).toEqual(["b.out"]);
    await writeFile(join(base, "a.out"), "edited by hand");
    expect(await make()).toEqual(["a.out"]);
    expect(made).toEqual(["a", "b", "b", "a"]);
  } finally {
    await rm(base, { recursive: true });
  }
});

test("a migration is locked if the check takes it; otherwise nothing is, and the person reads why", async () => {
  const base = await mkdtemp(join(tmpdir(), "spindle-gen-"));
  const write = async (file: string, text: string) => {
    await mkdir(dirname(join(base, file)), { recursive: true });
    await writeFile(join(base, file), text);
  };
  const LOCK = "apps/runtime/prisma/migrations.lock.json";
  const migration = (name: string, sql: string) => write(`apps/runtime/prisma/migrations/${name}/migration.sql`, sql);
  try {
    await write("apps/runtime/src/store/release.ts", 'export const RELEASES = ["0.1.0", "0.2.0"];');
    await mkdir(join(base, "apps/runtime/prisma/functions"), { recursive: true });
    const schema = (text: string) => write("apps/runtime/prisma/schema.prisma", text);
    const FIRST = `${DATASOURCE}model A {\n  id Int @id\n  b Int?\n\n  @@map("a")\n}\n`;
    await schema(FIRST);
    await migration("20300101000000_first", "CREATE TABLE a (id INT PRIMARY KEY, b INT);");
    expect(await lockMigrations(base)).toEqual([LOCK]);
    expect(await lockMigrations(base)).toEqual([]);
    const locked = await readFile(join(base, LOCK), "utf8");
    await migration("20300102000000_second", "CREATE TABLE c (d INT PRIMARY KEY);");
    await migration("20300103000000_third", "ALTER TABLE a DROP COLUMN b;");
    const whyNot = async () => ((await lockMigrations(base).catch((error: unknown) => error)) as Advice).message;
    const part: Part = { name: "a", files: [], make: async () => new Map([[join(base, "a.out"), "a"]]) };
    const { stale, problems } = await verify("python", [part], base);
    expect([stale, problems]).toEqual([["a.out"], [expect.stringMatching(/^migrations\/20300103000000_third, line 1, drops/)]]);
    const refused = await lockMigrations(base).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(Advice);
    expect((refused as Advice).message).toMatch(
      /^migrations\/20300103000000_third, line 1, drops something the previous release uses\. Expand/m,
    );
    expect(await readFile(join(base, LOCK), "utf8")).toBe(locked);
    await migration("20300103000000_third", "ALTER TABLE a ADD COLUMN e INT,\n  ADD COLUMN f INT DEFAULT 'abc';");
    expect(await whyNot()).toMatch(
      /^migrations\/20300103000000_third.* fails on PostgreSQL: invalid input syntax for type integer: "abc"\.$/m,
    );
    await migration("20300103000000_third", "ALTER TABLE a\n  ADD COLUMN f INT, ADD b INT;");
    expect(await whyNot()).toMatch(
      /^migrations\/20300103000000_third.* fails on PostgreSQL: column "b" of relation "a" already exists\.$/m,
    );
    expect(await readFile(join(base, LOCK), "utf8")).toBe(locked);
    await migration("20300103000000_third", "ALTER TABLE a ADD COLUMN f INT DEFAULT 1;");
    expect(await whyNot()).toMatch(/^The migrations add the column a\.f, which schema\.prisma lacks\./m);
    await schema(`${FIRST.replace("  b Int?\n", "  b Int?\n  f Int? @default(1)\n")}model C {\n  d Int @id\n\n  @@map("c")\n}\n`);
    expect(await lockMigrations(base)).toEqual([LOCK]);
    await migration("20300103000000_third", "ALTER TABLE a ADD COLUMN f INT DEFAULT 2;");
    expect(await whyNot()).toMatch(/third has changed.* take its line out of prisma\/migrations\.lock\.json/);
    await rm(join(base, "apps/runtime/prisma/migrations/20300103000000_third"), { recursive: true });
    expect(await whyNot()).toMatch(/third is missing.* take its line out of prisma\/migrations\.lock\.json/);
    const whole = await readFile(join(base, LOCK), "utf8");
    await writeFile(join(base, LOCK), whole.replace(/"20300103000000_third": "\w+"/, ""));
    expect(await whyNot()).toMatch(/^prisma\/migrations\.lock\.json is no JSON: .* there is no comma/m);
    await writeFile(join(base, LOCK), whole.replace(/,\s*"20300103000000_third": "\w+"/, ""));
    await schema(`${FIRST}model C {\n  d Int @id\n\n  @@map("c")\n}\n`);
    expect(await lockMigrations(base)).toEqual([]);
  } finally {
    await rm(base, { recursive: true });
  }
});

test("a function that a start could not apply is refused by its text, and schema.prisma says what the migrations make", async () => {
  const base = await mkdtemp(join(tmpdir(), "spindle-gen-"));
  const write = async (file: string, text: string) => {
    await mkdir(dirname(join(base, file)), { recursive: true });
    await writeFile(join(base, file), text);
  };
  const add = (value: string) =>
    write(
      "apps/runtime/prisma/functions/add.sql",
      `CREATE OR REPLACE FUNCTION add(a INT) RETURNS INT LANGUAGE plpgsql AS $$\nBEGIN\n  RETURN a + ${value}\nEND $$;`,
    );
  const schema = (...lines: string[]) =>
    write(
      "apps/runtime/prisma/schema.prisma",
      `${DATASOURCE}model Made {\n${lines.map((line) => `  ${line}\n`).join("")}  @@map("made")\n}\n`,
    );
  const SAME = ["id String @id @db.Uuid", "size Int @default(2)", 'madeAt DateTime @default(now()) @map("made_at") @db.Timestamptz(3)'];
  const why = async () => (await verify("python", [], base)).problems;
  try {
    await write("apps/runtime/src/store/release.ts", 'export const RELEASES = ["0.1.0", "0.2.0"];');
    const sql = "CREATE TABLE made (id UUID PRIMARY KEY, size INT NOT NULL DEFAULT 2, made_at TIMESTAMPTZ(3) NOT NULL DEFAULT now());";
    await write("apps/runtime/prisma/migrations/20300101000000_first/migration.sql", `${sql} CREATE INDEX ON made (size, made_at);`);
    await add("1;");
    await schema(...SAME, "@@index([size, madeAt])");
    await lockMigrations(base);
    expect(await why()).toEqual([]);
    await add("1");
    expect(await why()).toEqual([expect.stringMatching(/^functions\/add\.sql, line \d+, fails on PostgreSQL: .*syntax error/)]);
    await expect(lockMigrations(base)).rejects.toThrow("functions/add.sql");
    await add("1;");
    await schema(...SAME);
    expect(await why()).toEqual([
      expect.stringMatching(/^The migrations create an index of made \(size, made_at\), which schema\.prisma lacks\./),
    ]);
    await schema("id String @id", "size Int? @default(3)", "note String", "@@index([size, note])");
    expect((await why()).map((line) => line.replace(/ Write the same.*/, ""))).toEqual([
      "made.id: schema.prisma says the type text, the migrations uuid.",
      "made.size: schema.prisma says NULL is allowed, the migrations refused.",
      "made.size: schema.prisma says the default is 3, the migrations 2.",
      "schema.prisma has the column made.note, which no migration adds.",
      "The migrations add the column made.made_at, which schema.prisma lacks.",
      "schema.prisma has an index of made (size, note), which no migration creates.",
      "The migrations create an index of made (size, made_at), which schema.prisma lacks.",
    ]);
  } finally {
    await rm(base, { recursive: true });
  }
});

test("whatever way the same is written, schema.prisma and the migrations agree; tables and relations are compared, too", async () => {
  const prisma = await mkdtemp(join(tmpdir(), "spindle-prisma-"));
  const MODELS = `${DATASOURCE}enum Kind {
  A
}
// model Gone { id Int @id }
model Other { // of things
  id    String @id @default(dbgenerated("gen_random_uuid()")) @db.Uuid
  key   String @unique // not @default("x")
  things Thing[]
  maybes Thing[] @relation("maybe")
  @@map("other")
}
model Thing{
  id      String   @id @default(uuid(7))
  kind    Kind     @default(A)
  cost    Decimal? @db.Decimal(10, 2)
  words   String[] @default([])
  more    Json     @default("{\\"a\\": 1}")
  quoted  String   @default("it's :)")
  share   Float    @default(1.0)
  real    Float?   @db.Real
  kept    String   @default("text/plain") @db.VarChar(20)
  day     DateTime @default(now()) @db.Date
  later   DateTime? @db.Timestamptz
  maybeId String?  @map("maybe_id") @db.Uuid
  maybe   Other?   @relation("maybe", fields: [maybeId], references: [id])
  code    String?  @db.Char(2)
  shape   Unsupported("point")?
  otherId String   @map("other_id") @db.Uuid
  other   Other    @relation(fields: [otherId], references: [id], onDelete: Cascade)
  at      DateTime @default(now()) @db.Timestamptz(3)

  @@index(map: "by_cost", [cost, otherId(sort: Desc)])
  @@unique(fields: [kind, code])
  @@map("thing")
}
`;
  const SQL = `CREATE TYPE "Kind" AS ENUM ('A');
CREATE TABLE other (id UUID PRIMARY KEY DEFAULT gen_random_uuid(), key TEXT NOT NULL UNIQUE);
CREATE TABLE thing (id TEXT PRIMARY KEY, kind "Kind" NOT NULL DEFAULT 'A', cost DECIMAL(10, 2), words TEXT[] DEFAULT ARRAY[]::TEXT[],
  more JSONB NOT NULL DEFAULT '{"a":1}', quoted TEXT NOT NULL DEFAULT 'it''s :)', share DOUBLE PRECISION NOT NULL DEFAULT 1, real REAL,
  kept VARCHAR(20) NOT NULL DEFAULT 'text/plain', day DATE NOT NULL DEFAULT CURRENT_DATE, later TIMESTAMPTZ, maybe_id UUID REFERENCES other (id) ON DELETE SET NULL,
  code CHAR(2), shape POINT, other_id UUID NOT NULL REFERENCES other (id) ON DELETE CASCADE, at TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP);
CREATE INDEX by_cost ON thing (cost, other_id DESC) INCLUDE (share);
CREATE UNIQUE INDEX ON thing (kind, code);
CREATE INDEX ON thing (share) WHERE share > 1;
CREATE INDEX ON thing (lower(quoted));
CREATE VIEW seen AS SELECT id FROM thing;`;
  const drift = async (models: string) => {
    await writeFile(join(prisma, "schema.prisma"), models);
    return (await whyMigrationsFail(prisma)).map((line) => line.replace(/ Write the same.*/, ""));
  };
  try {
    await mkdir(join(prisma, "migrations/20300101000000_first"), { recursive: true });
    await mkdir(join(prisma, "functions"));
    await writeFile(join(prisma, "migrations/20300101000000_first/migration.sql"), SQL);
    expect(await drift(MODELS.replaceAll("\n", "\r\n"))).toEqual([]);
    const other = MODELS.replace("onDelete: Cascade", "onDelete: SetNull")
      .replace(" @unique //", " //")
      .replace('@@map("thing")\n}', '@@map("thing")\n}\nmodel More {\n  id Int @id\n}');
    expect(await drift(other)).toEqual([
      "The migrations create an index of other (unique key), which schema.prisma lacks.",
      "thing (other_id -> other): schema.prisma says onDelete is SetNull, the migrations Cascade.",
      "schema.prisma has the table More, which no migration creates.",
    ]);
    const slips = MODELS.replace('@default("{\\"a\\": 1}")', "")
      .replace("@db.VarChar(20)", "@db.VarChar(30)")
      .replace("@default(now()) @db.Timestamptz(3)", "@default(now()) @db.Timestamptz")
      .replace('"text/plain"', '"text/html"')
      .replace(", onDelete: Cascade", "")
      .replace("code    String?", "code    String? @default(dbgenerated(\"lower('A')\"))");
    expect(await drift(slips)).toEqual([
      'thing.more: schema.prisma says the default is none, the migrations {"a": 1}.',
      "thing.kept: schema.prisma says the type varchar(30), the migrations varchar(20).",
      "thing.kept: schema.prisma says the default is text/html, the migrations text/plain.",
      "thing.code: schema.prisma says the default is lower('A'::text), the migrations none.",
      "thing.at: schema.prisma says the type timestamptz, the migrations timestamptz(3).",
      "thing (other_id -> other): schema.prisma says onDelete is Restrict, the migrations Cascade.",
    ]);
    const alone = MODELS.replace(/^model Other \{[^}]*\}/m, "").replaceAll(/ {2}(other|maybe) .*\n/g, "");
    expect(await drift(alone)).toEqual([
      "The migrations create the foreign key thing (maybe_id -> other), which schema.prisma lacks.",
      "The migrations create the foreign key thing (other_id -> other), which schema.prisma lacks.",
      "The migrations create the table other, which schema.prisma lacks.",
    ]);
    expect(await drift(MODELS.replaceAll("otherId", "noId").replace("other_id", "no_id"))).toContain(
      "schema.prisma has the relation thing (no_id -> other), which no migration creates.",
    );
  } finally {
    await rm(prisma, { recursive: true });
  }
});

test("what reads alike and is not the same is a difference; what Prisma can write in any form is none", async () => {
  const prisma = await mkdtemp(join(tmpdir(), "spindle-prisma-"));
  const drift = async (models: string, sql: string) => {
    await writeFile(join(prisma, "schema.prisma"), DATASOURCE + models);
    await writeFile(join(prisma, "migrations/20300101000000_first/migration.sql"), sql);
    return (await whyMigrationsFail(prisma)).map((line) => line.replace(/ Write the same.*/, ""));
  };
  const MODELS = `enum Mood {
  a
  b
}
/* model Old {
  id Int @id
} */
  model A {
    id     String @id
    one    String @default("1.0")
    word   String? @default("none")
    none   String?
    call   String @default("now()")
    mood   Mood
    text   Mood?
    spaced Int @default( 3 )
    named  String? @map( "renamed" )
    made   String?
    note   String @default("@id")
    seen   String @default("see @unique ")
    bytes  Bytes @default("aGk=")
    day    DateTime? @db.Time(6)
    bId    String @map("b_id")
    b      B @relation(fields: [bId], references: [id], onDelete: NoAction)

    @@index([one(ops: raw("text_pattern_ops"), sort: Desc), word])
    @@index([note(sort: Desc)])
    @@index([seen], type: Hash)
  }
model B {
  id String @id
  as A[]
}
`;
  const SQL = `CREATE TYPE "Mood" AS ENUM ('a', 'b');
CREATE TABLE "B" (id TEXT PRIMARY KEY);
CREATE TABLE "A" (id TEXT PRIMARY KEY, one TEXT NOT NULL DEFAULT '1.0', word TEXT DEFAULT 'none', none TEXT, call TEXT NOT NULL DEFAULT 'now()',
  mood "Mood" NOT NULL, text "Mood", spaced INT NOT NULL DEFAULT 3, renamed TEXT, made TEXT, note TEXT NOT NULL DEFAULT '@id',
  seen TEXT NOT NULL DEFAULT 'see @unique ', bytes BYTEA NOT NULL DEFAULT '\\x6869', day TIME, b_id TEXT NOT NULL REFERENCES "B" (id) ON DELETE NO ACTION);
CREATE INDEX ON "A" (one text_pattern_ops DESC, word);
CREATE INDEX ON "A" (note DESC);
CREATE INDEX ON "A" USING hash (seen);
CREATE TABLE _parts (at INT) PARTITION BY RANGE (at);
CREATE TABLE part PARTITION OF _parts DEFAULT;`;
  try {
    await mkdir(join(prisma, "migrations/20300101000000_first"), { recursive: true });
    await mkdir(join(prisma, "functions"));
    expect(await drift(MODELS, SQL)).toEqual([]);
    const slips = SQL.replace("('a', 'b')", "('a', 'c')")
      .replace("'1.0'", "'1'")
      .replace("word TEXT DEFAULT 'none', none TEXT", "word TEXT, none TEXT DEFAULT 'none'")
      .replace("'now()'", "now()")
      .replace('text "Mood"', "text TEXT")
      .replace("DEFAULT 3", "DEFAULT 4")
      .replace("made TEXT", "made TEXT GENERATED ALWAYS AS (id) STORED")
      .replace("x6869", "x6870")
      .replace("(note DESC)", "(note)")
      .replace("USING hash (seen)", "(seen)")
      .replace('"B" (id TEXT PRIMARY KEY)', '"B" (id TEXT NOT NULL UNIQUE)')
      .replace("NO ACTION", "CASCADE");
    expect(await drift(MODELS, slips)).toEqual([
      "enum Mood: schema.prisma says the values are a, b, the migrations a, c.",
      "A.one: schema.prisma says the default is 1.0, the migrations 1.",
      "A.word: schema.prisma says the default is 'none', the migrations none.",
      "A.none: schema.prisma says the default is none, the migrations 'none'.",
      "A.call: schema.prisma says the default is 'now()', the migrations now().",
      'A.text: schema.prisma says the type "Mood", the migrations text.',
      "A.spaced: schema.prisma says the default is 3, the migrations 4.",
      "A.made: the migrations generate the column, which schema.prisma cannot say. Index the expression instead, or fill a plain column.",
      "A.bytes: schema.prisma says the default is \\x6869, the migrations \\x6870.",
      "schema.prisma has an index of A (note DESC), which no migration creates.",
      "schema.prisma has an index of A (seen USING hash), which no migration creates.",
      "A (b_id -> B): schema.prisma says onDelete is NoAction, the migrations Cascade.",
      "The migrations create an index of A (note), which schema.prisma lacks.",
      "The migrations create an index of A (seen), which schema.prisma lacks.",
      "schema.prisma has an index of B (primary key id), which no migration creates.",
      "The migrations create an index of B (unique id), which schema.prisma lacks.",
    ]);
    const related = "model A {\n  id String @id\n  bId String\n  b B @relation(fields: [bId], references: [id])\n}\n";
    const sql = `CREATE TABLE "B" (id TEXT PRIMARY KEY, code TEXT NOT NULL); CREATE UNIQUE INDEX ON "B" (code) NULLS NOT DISTINCT;
      CREATE TABLE "A" (id TEXT PRIMARY KEY, "bId" TEXT NOT NULL REFERENCES "B" (code) ON UPDATE CASCADE);`;
    expect(await drift(`${related}model B {\n  id String @id\n  code String @unique\n  as A[]\n}\n`, sql)).toEqual([
      "A (bId -> B): schema.prisma says the other column is id, the migrations code.",
      "schema.prisma has an index of B (unique code), which no migration creates.",
      "The migrations create an index of B (unique code NULLS NOT DISTINCT), which schema.prisma lacks.",
    ]);
    expect(await drift("model A {\n  id Int?\n}\n", SQL)).toEqual([
      expect.stringMatching(/^schema\.prisma is refused by Prisma: .*unique criteria/s),
    ]);
  } finally {
    await rm(prisma, { recursive: true });
  }
});

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { Advice } from "../launch/say.ts";
import { lockMigrations, makeStale, type Part, verify } from "./gen.ts";

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
    const FIRST = 'model A {\n  b Int?\n\n  @@map("a")\n}\n';
    await schema(FIRST);
    await migration("20300101000000_first", "CREATE TABLE a (b INT);");
    expect(await lockMigrations(base)).toEqual([LOCK]);
    expect(await lockMigrations(base)).toEqual([]);
    const locked = await readFile(join(base, LOCK), "utf8");
    await migration("20300102000000_second", "CREATE TABLE c (d INT);");
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
    await schema(`${FIRST.replace("}", "  f Int? @default(1)\n}")}model C {\n  d Int?\n\n  @@map("c")\n}\n`);
    expect(await lockMigrations(base)).toEqual([LOCK]);
    await migration("20300103000000_third", "ALTER TABLE a ADD COLUMN f INT DEFAULT 2;");
    expect(await whyNot()).toMatch(/third has changed.* take its line out of prisma\/migrations\.lock\.json/);
    await rm(join(base, "apps/runtime/prisma/migrations/20300103000000_third"), { recursive: true });
    expect(await whyNot()).toMatch(/third is missing.* take its line out of prisma\/migrations\.lock\.json/);
    const whole = await readFile(join(base, LOCK), "utf8");
    await writeFile(join(base, LOCK), whole.replace(/"20300103000000_third": "\w+"/, ""));
    expect(await whyNot()).toMatch(/^prisma\/migrations\.lock\.json is no JSON: .* there is no comma/m);
    await writeFile(join(base, LOCK), whole.replace(/,\s*"20300103000000_third": "\w+"/, ""));
    await schema(`${FIRST}model C {\n  d Int?\n\n  @@map("c")\n}\n`);
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
    write("apps/runtime/prisma/schema.prisma", `model Made {\n${lines.map((line) => `  ${line}\n`).join("")}  @@map("made")\n}\n`);
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
    await schema("id String @id", "size Int? @default(3)", "note String", "@@index([size, madeAt])");
    expect((await why()).map((line) => line.replace(/ Write the same.*/, ""))).toEqual([
      "made.id: schema.prisma says the type text, the migrations uuid.",
      "made.size: schema.prisma says NULL is allowed, the migrations refused.",
      "made.size: schema.prisma says the default is 3, the migrations 2.",
      "schema.prisma has the column made.note, which no migration adds.",
      "The migrations add the column made.made_at, which schema.prisma lacks.",
      "schema.prisma has an index of made (size, madeAt), which no migration creates.",
      "The migrations create an index of made (size, made_at), which schema.prisma lacks.",
    ]);
  } finally {
    await rm(base, { recursive: true });
  }
});

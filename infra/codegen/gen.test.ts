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
    expect(await lockMigrations(base)).toEqual([LOCK]);
    await migration("20300103000000_third", "ALTER TABLE a ADD COLUMN f INT DEFAULT 2;");
    expect(await whyNot()).toMatch(/third has changed.* take its line out of prisma\/migrations\.lock\.json/);
    await rm(join(base, "apps/runtime/prisma/migrations/20300103000000_third"), { recursive: true });
    expect(await whyNot()).toMatch(/third is missing.* take its line out of prisma\/migrations\.lock\.json/);
    const whole = await readFile(join(base, LOCK), "utf8");
    await writeFile(join(base, LOCK), whole.replace(/"20300103000000_third": "\w+"/, ""));
    expect(await whyNot()).toMatch(/^prisma\/migrations\.lock\.json is no JSON: .* there is no comma/m);
    await writeFile(join(base, LOCK), whole.replace(/,\s*"20300103000000_third": "\w+"/, ""));
    expect(await lockMigrations(base)).toEqual([]);
  } finally {
    await rm(base, { recursive: true });
  }
});

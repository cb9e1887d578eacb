import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeStale, type Part } from "./gen.ts";

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

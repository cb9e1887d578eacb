import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Advice } from "../launch/say.ts";
import { fitNames, generatedFiles } from "./check.ts";

const said: string[] = [];
beforeEach(() => {
  said.length = 0;
  for (const name of ["stdout", "stderr"] as const)
    vi.spyOn(process[name], "write").mockImplementation((text) => {
      said.push(String(text));
      return true;
    });
});
afterEach(() => {
  vi.restoreAllMocks();
});

test("a stale file, a problem of a migration, and what keeps files from being made each fail the check", async () => {
  expect(await generatedFiles(Promise.resolve({ stale: [], problems: [] }))).toBe(true);
  for (const made of [
    Promise.resolve({ stale: ["a"], problems: [] }),
    Promise.resolve({ stale: [], problems: ["a"] }),
    Promise.reject(new Advice("a")),
  ]) {
    said.length = 0;
    expect(await generatedFiles(made)).toBe(false);
    expect(said.join("")).toMatch(/FAILED.*\ba\n/s);
  }
  await expect(generatedFiles(Promise.reject(new Error("a")))).rejects.toThrow("a");
});

test("a name that says nothing, and one that means several things, each fail the check", () => {
  expect([fitNames([], []), fitNames(["a"], []), fitNames([], ["a"])]).toEqual([true, false, false]);
});

import { mkdirSync, mkdtempSync, readdirSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { folderStore } from "./folder-store.ts";
import { storeConformance } from "./store-conformance.testing.ts";

const folder = () => mkdtempSync(join(tmpdir(), "spindle-store-"));
const store = folderStore(folder());
storeConformance("folder", async () => store);

test("what a killed process was writing is removed, and what another one writes now is not", async () => {
  const home = folder();
  mkdirSync(join(home, "partial"));
  for (const name of ["left", "under-way"]) writeFileSync(join(home, "partial", name), "x");
  const yesterday = Date.now() / 1000 - 86_400;
  utimesSync(join(home, "partial", "left"), yesterday, yesterday);
  await folderStore(home).check();
  expect(readdirSync(join(home, "partial"))).toEqual(["under-way"]);
});

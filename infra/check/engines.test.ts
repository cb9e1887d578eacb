import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../launch/paths.ts";
import { unfitPackages, whyUnfitForNode } from "./engines.ts";

const lock = `packages:

  '@scope/new@1.6.0':
    resolution: {integrity: sha512-x}
    engines: {bun: '>=1.2.0', node: '>=22'}
    peerDependencies:
      '@scope/core': ^1.2.13

  old@2.0.0:
    resolution: {integrity: sha512-x}
    engines: {node: '>= 8'}

  none@1.0.0:
    resolution: {integrity: sha512-x}

  odd@3.0.0:
    resolution: {integrity: sha512-x}
    engines: {node: ^18 || ^22.12 || >=24.0, pnpm: '8'}
`;

test("a package that needs a newer Node is named, with what it needs", () => {
  expect(whyUnfitForNode(lock, "20.19.0")).toEqual(["@scope/new@1.6.0 needs Node >=22", "odd@3.0.0 needs Node ^18 || ^22.12 || >=24.0"]);
  expect(whyUnfitForNode(lock, "22.12.0")).toEqual([]);
});

test("every package of the lock runs on the oldest Node that is promised", async () => {
  expect((await unfitPackages()).unfit).toEqual([]);
});

test("the lock is read whole", () => {
  const text = readFileSync(join(ROOT, "pnpm-lock.yaml"), "utf8");
  const lines = text.match(/^ {4}engines: \{.*\bnode:/gm)?.length;
  expect(whyUnfitForNode(text, "0.0.1").length).toBeGreaterThan((lines ?? 0) - 20);
});

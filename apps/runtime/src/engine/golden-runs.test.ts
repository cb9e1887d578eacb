// The runs that releases recorded (apps/runtime/prisma/fixtures/runs) are decided now as they were then. Where one of them has to differ, a
// decision record says why, and its name stands in DIFFERS.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { RELEASES } from "../store/release.ts";
import { decidedOf, type GoldenRun, replayGolden } from "./golden-runs.testing.ts";

const FOLDER = join(import.meta.dirname, "../../prisma/fixtures/runs");
/** Runs that are decided otherwise by now: `RELEASE/NAME` and the record of the decision. */
const DIFFERS: Readonly<Record<string, string>> = {};

const read = (release: string): GoldenRun[] =>
  readdirSync(join(FOLDER, release)).map((file) => JSON.parse(readFileSync(join(FOLDER, release, file), "utf8")) as GoldenRun);
const released = readdirSync(FOLDER).filter((name) => (RELEASES as readonly string[]).includes(name));
const cases = released.flatMap((release) => read(release).map((golden) => ({ name: `${release}/${golden.name}`, golden })));

describe("[E22] a run of a release is decided as it was then", () => {
  test.each(cases)("$name", async ({ name, golden }) => {
    const decided = await replayGolden(golden);
    if (name in DIFFERS) expect(decided, `${name} differs no more: take it out of DIFFERS`).not.toEqual(decidedOf(golden));
    else expect(decided).toEqual(decidedOf(golden));
  });

  test("the recorded runs have what the engine decides: branches, maps, loops, calls, tries, people and a cancel", () => {
    const states = new Set(cases.map(({ golden }) => golden.state));
    expect([...states].sort()).toEqual(["cancelled", "failed", "succeeded"]);
    const nodes = cases.flatMap(({ golden }) => golden.nodes);
    const paths = nodes.map(({ path }) => path);
    for (const mark of [/#\d/, /\[\d+\]\//, /\//])
      expect(
        paths.some((path) => mark.test(path)),
        String(mark),
      ).toBe(true);
    expect(nodes.some(({ attempt }) => attempt > 1)).toBe(true);
    expect(nodes.some(({ broken }) => broken)).toBe(true);
    expect(cases.some(({ golden }) => golden.notes.length > 0)).toBe(true);
  });

  test("a record that says otherwise is noticed: another branch, another value, another number of tries", async () => {
    const of = (name: string) => structuredClone(cases.find(({ golden }) => golden.name === name)?.golden as GoldenRun);
    const branch = of("branch");
    for (const edge of branch.graph.edges) if (edge.from === "a") edge.metadata = { ...edge.metadata, when: "output.value > 9" };
    expect(await replayGolden(branch).catch(String)).not.toEqual(decidedOf(branch));
    const tries = of("failure-with-retry");
    for (const { events } of tries.nodes)
      for (const event of events) if (event.type === "node.retrying" && event.error) event.error = { ...event.error, class: "user" };
    await expect(replayGolden(tries)).rejects.toThrow("no try would follow now");
  });
});

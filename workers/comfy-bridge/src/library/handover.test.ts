// How often what servers offer is handed over, by a clock of the test's own.
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { ManifestHandover } from "./handover.ts";
import { readObjectInfo, type ServerLibrary } from "./merge.ts";

const READ_EVERY_MS = 15_000;
const MEBIBYTE = 1024 * 1024;

/** So many classes of some 2 kB, which `word` changes. */
const classes = (count: number, word: string): string =>
  JSON.stringify(
    Object.fromEntries(
      Array.from({ length: count }, (_, at) => [
        `Class${at}`,
        { description: `${word} ${"x".repeat(2000)}`, input: {}, output: ["IMAGE"] },
      ]),
    ),
  );

const library = (id: string, nodes: ServerLibrary["nodes"], others: Partial<ServerLibrary> = {}): ServerLibrary => ({
  id,
  url: `http://${id}:8188`,
  nodes,
  live: true,
  ...others,
});

function handover() {
  const stored: string[] = [];
  const clock = { now: 0 };
  const made = new ManifestHandover(
    async (text) => {
      stored.push(text);
      return createHash("sha256").update(text).digest("hex");
    },
    () => clock.now,
  );
  return { made, stored, clock };
}

test("a large library that changes at every reading is handed over a few times, at first at once, and the last state wins", async () => {
  const { made, stored, clock } = handover();
  for (let reading = 0; reading < 20; reading++) {
    clock.now = reading * READ_EVERY_MS;
    await made.follow([library("a", readObjectInfo(classes(3000, `word${reading}`)).nodes)]);
    if (reading === 0) expect(stored).toHaveLength(1);
  }
  expect(stored[0]?.length).toBeGreaterThan(5 * MEBIBYTE);
  expect(stored.length).toBeLessThanOrEqual(8);
  const last = [library("a", readObjectInfo(classes(3000, "the last")).nodes)];
  const before = stored.length;
  for (let second = 0; second < 600; second++) {
    clock.now += 1000;
    await made.follow(last);
  }
  expect(stored.length).toBe(before + 1);
  expect(stored.at(-1)).toContain("the last ");
});

test("a server that is away and back at every reading, with another reason each time, is bounded as well, and costs its neighbour nothing", async () => {
  const { made, stored, clock } = handover();
  const large = readObjectInfo(classes(3000, "large")).nodes;
  const small = readObjectInfo(classes(1, "small")).nodes;
  const neighbour = library("b", large);
  for (let reading = 0; reading < 20; reading++) {
    clock.now = reading * READ_EVERY_MS;
    const { reason } = await made.follow([
      library("a", small, reading % 2 ? { live: false, reason: `answers ${reading}.` } : {}),
      neighbour,
    ]);
    expect(reason).toMatch(/^(answers \d+\.)?$/);
  }
  expect(stored.length).toBeLessThanOrEqual(8);
  const before = stored.length;
  await made.follow([
    library("a", small, { live: false, reason: "answers 99." }),
    library("b", large, { live: false, reason: "b is away." }),
  ]);
  expect(stored.length).toBe(before + 1);
  expect(stored.at(-1)).toContain("b is away.");
  expect(stored.at(-1)).not.toContain("answers 99.");
});

test("twenty changes of a small library are twenty manifests", async () => {
  const { made, stored, clock } = handover();
  for (let reading = 0; reading < 20; reading++) {
    clock.now = reading * READ_EVERY_MS;
    await made.follow([library("a", readObjectInfo(classes(3, `word${reading}`)).nodes)]);
  }
  expect(stored).toHaveLength(20);
});

test("what could not be handed over is tried again", async () => {
  let fails = true;
  const stored: string[] = [];
  const made = new ManifestHandover(
    async (text) => {
      if (fails) throw new Error("the runtime is away");
      stored.push(text);
      return "hash";
    },
    () => 0,
  );
  const small = [library("a", readObjectInfo(classes(3, "small")).nodes)];
  await expect(made.follow(small)).rejects.toThrow("the runtime is away");
  fails = false;
  expect(await made.follow(small)).toEqual({ sha256: "hash", reason: "" });
  expect(stored).toHaveLength(1);
});

test("classes that are as they were are what they were, whatever else changed", () => {
  const before = readObjectInfo(classes(50, "same"));
  expect(readObjectInfo(` ${classes(50, "same")}`, before)).toBe(before);
  const info = JSON.parse(classes(50, "same")) as Record<string, { description: string }>;
  (info.Class7 as { description: string }).description = "another";
  const after = readObjectInfo(JSON.stringify(info), before);
  const made = [...after.nodes].filter(([name, node]) => before.nodes.get(name) !== node).map(([name]) => name);
  expect(made).toEqual(["Class7"]);
});

// Documents of layout 1 in this release: what they say stays the same to the byte.
// SEEDS=20000 npx vitest run --project unit packages/graph-model/src/shared-doc/migrate.test.ts tries more.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { Graph } from "@spindle/schemas";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { readGraph } from "../check/document.ts";
import { undivided } from "./at-once.testing.ts";
import { copyOf, isOutdated, LAYOUT, layoutOf, loadGraph, migrate, normalise } from "./index.ts";
import { headOf } from "./layout.ts";
import { loadLayout1, randomGraph, readLayout1, spoil } from "./layout-1.testing.ts";
import { random } from "./random-updates.testing.ts";

const { replay } = undivided;

const ROOT = join(import.meta.dirname, "../../../..");
const jsonBelow = (folder: string): string[] =>
  readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (name === "node_modules") return [];
    return statSync(path).isDirectory() ? jsonBelow(path) : name.endsWith(".json") ? [path] : [];
  });
const SAMPLES = ["schemas/samples/graph", "schemas/seed", "templates", "tests"].flatMap((folder) => jsonBelow(join(ROOT, folder)));
/** A file is a graph, or a template that has one. */
const graphIn = (path: string): Graph | undefined => {
  const file = JSON.parse(readFileSync(path, "utf8")) as { graph?: unknown };
  return readGraph(file.graph ?? file).graph as Graph | undefined;
};

/** Compares the texts of a graph before and after its migration, and after the rows of both are loaded again. */
function expectSame(made: Y.Doc, what: string): void {
  const first = { seq: "1", bytes: Y.encodeStateAsUpdate(made) };
  const { doc } = replay([first]);
  const before = JSON.stringify(readLayout1(doc));
  expect(JSON.stringify(normalise(doc).graph), `${what}, not migrated`).toBe(before);
  const second = { seq: "2", bytes: migrate(doc) };
  expect(JSON.stringify(normalise(doc).graph), what).toBe(before);
  const loaded = replay([first, second]);
  expect(JSON.stringify(normalise(loaded.doc).graph), `${what}, loaded again`).toBe(before);
  expect(loaded.refused).toEqual([]);
  expect([layoutOf(doc), layoutOf(loaded.doc)]).toEqual([LAYOUT, LAYOUT]);
}

test("every graph of the samples, the templates and the tests stays the same to the byte", () => {
  const graphs = SAMPLES.flatMap((path) => {
    const graph = graphIn(path);
    return graph ? [[path, graph] as const] : [];
  });
  expect(graphs.length).toBeGreaterThan(12);
  for (const [path, graph] of graphs) {
    const doc = new Y.Doc();
    loadLayout1(doc, graph);
    expectSame(doc, path);
  }
});

const SEEDS = Number(process.env.SEEDS ?? 2000);
test(`${SEEDS} random graphs, damaged in every part, stay the same to the byte`, () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const next = random(seed);
    const doc = new Y.Doc();
    loadLayout1(doc, randomGraph(next));
    for (let times = next() * 4; times > 1; times--) spoil(doc, next);
    expectSame(doc, `seed ${seed}`);
  }
}, 600_000);

test("a graph is the same whether it was imported before the migration or after", () => {
  for (let seed = 1; seed <= 100; seed++) {
    const graph = randomGraph(random(seed));
    const [old, now] = [new Y.Doc(), new Y.Doc()];
    loadLayout1(old, graph);
    migrate(now);
    loadGraph(now, "me", graph);
    expect(JSON.stringify(normalise(now).graph), `seed ${seed}`).toBe(JSON.stringify(readLayout1(old)));
    expect(copyOf(now).getMap("graph").has("metadata")).toBe(false);
  }
});

describe("a document", () => {
  test("is migrated once", () => {
    const doc = new Y.Doc();
    expect(isOutdated(doc)).toBe(true);
    migrate(doc);
    expect(isOutdated(doc)).toBe(false);
  });
  test("of a newer layout is not read, and the sentence says what to do", () => {
    const doc = new Y.Doc();
    headOf(doc).set("layout", LAYOUT + 1);
    expect(() => isOutdated(doc)).toThrow(/^A newer release of Spindle saved this graph .* Start that release\.$/);
  });
});

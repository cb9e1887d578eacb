// Values of wrong types: an exported program refuses what a run refuses, and goes on by the same edges.
import type { Graph } from "@spindle/graph-model";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { random } from "../engine/random-graphs.testing.ts";
import {
  programGraph as graphOf,
  inSpindle,
  programLibrary as libraryOf,
  programNode as node,
  ProgramFolder,
  port,
  service,
  wire,
} from "./exported.testing.ts";
import type { ServiceTable } from "./prelude.ts";

let folder: ProgramFolder;
beforeAll(async () => {
  folder = await ProgramFolder.make();
});
afterAll(() => folder.remove());

const GIVEN: Readonly<Record<string, unknown>> = {
  three: 3,
  "minus one": -1,
  text: "a text",
  list: [1, "two", null, 3],
  numbers: [1, 2],
  object: { n: 1 },
  truth: true,
  nothing: null,
};
const SERVICES: ServiceTable = {
  give: ({ what }) => ({ value: GIVEN[String(what)] }),
  count: ({ n }) => ({ value: Number(n) + 1 }),
  note: ({ text }) => ({ value: String(text) }),
  see: ({ image }) => ({ value: image }),
};
const value = port("value");
const library = libraryOf([
  service("give", [], [value], { parameters: [{ name: "what", schema: { type: "string" }, required: false }] }),
  service("count", [port("n", { label: "Number", type: "number", required: true, schema: { type: "number", minimum: 0 } })], [value]),
  service("note", [port("text", { label: "Text", type: "string", schema: { type: "string", maxLength: 10 } })], [value]),
  service("see", [port("image", { type: "image", schema: { "x-artifact": "image" } })], [value]),
]);
const TAKES: Readonly<Record<string, string>> = { count: "n", note: "text", see: "image" };

/** Nodes that give values of any type to nodes that ask for one, for each element here and there; failures lead on. */
function randomGraph(seed: number): Graph {
  const next = random(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const nodes = Array.from({ length: 6 + Math.floor(next() * 6) }, (_, at) => {
    const name = at < 2 ? "give" : pick(["give", "count", "count", "note", "note", "see"]);
    return node(`n${at}`, name, name === "give" ? { what: pick(Object.keys(GIVEN)) } : undefined);
  });
  const edges = nodes.flatMap((to, at) => {
    const target = TAKES[to.service];
    if (target === undefined) return [];
    const map = next() < 0.25 ? { map: { tolerate: pick([0, 0, 1, 2]) } } : {};
    const wired = wire(nodes[Math.floor(next() * at)]?.id as string, "value", to.id, target, map);
    const other = { from: nodes[Math.floor(next() * at)]?.id as string, to: to.id };
    const asked = pick(["node.user_error", "map.failed", "node.exception"]);
    const onFailure = { ...other, kind: "on_failure", metadata: next() < 0.5 ? { when: `error.code == "${asked}"` } : {} };
    return [wired, ...(next() < 0.3 ? [other] : []), ...(next() < 0.5 ? [onFailure] : [])];
  });
  return graphOf(nodes, edges);
}

describe("[E9] random graphs with inputs of wrong types", () => {
  test.each([0, 100, 200])("40 from seed %i end as in a run", async (first) => {
    for (let seed = first; seed < first + 40; seed++) {
      const graph = randomGraph(seed);
      const expected = await inSpindle(graph, library, SERVICES);
      const { run } = await folder.load(graph, library);
      const { states, outputs } = await run(SERVICES);
      expect(states, `seed ${seed}`).toEqual(expected.states);
      expect(outputs, `seed ${seed}`).toEqual(expected.outputs);
    }
  });

  test("among them are values that are refused, in elements too, and failures that are taken care of", async () => {
    const runs = await Promise.all(
      Array.from({ length: 120 }, (_, at) => inSpindle(randomGraph(Math.floor(at / 40) * 100 + (at % 40)), library, SERVICES)),
    );
    const rows = runs.flatMap((one) => one.rows);
    const refused = rows.filter(({ error }) => (error as { code?: string } | null)?.code === "node.user_error");
    expect(refused.length).toBeGreaterThan(100);
    expect(refused.filter(({ path }) => path.includes("#")).length).toBeGreaterThan(10);
  });
});

test("[E9] a refused value is said in the words of a run, at its port", async () => {
  const graph = graphOf([node("three", "give", { what: "text" }), node("more", "count")], [wire("three", "value", "more", "n")]);
  const { run } = await folder.load(graph, library);
  expect(await run(SERVICES)).toMatchObject({
    status: "failed",
    failed: [{ node: "more", message: 'Number: A number is needed; this is "a text".' }],
  });
});

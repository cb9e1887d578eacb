// What the palette lists, for a library as large as a ComfyUI with many packs makes it.
import { type Library, type NodeDefinition, portsOf } from "@spindle/graph-model";
import { describe, expect, test } from "vitest";
import { joinable } from "./joint";
import { keyOf, MOST_OFFERS, offerGroups } from "./offers";

const entry = (service: string, input?: object, output?: object, live = true): NodeDefinition =>
  ({
    plane: "node",
    service,
    label: service,
    live,
    inputs: portsOf({ properties: input ? { in: input } : {} }),
    outputs: portsOf({ properties: output ? { out: output } : {} }),
    parameters: [],
    engines: [],
  }) as unknown as NodeDefinition;
const TEXT = { type: "string" };
const IMAGE = { "x-artifact": "image" };
const SOURCE = entry("source", undefined, TEXT);
const TONE = entry("tone", { type: "string", enum: ["calm", "warm"] });
const entries = [
  SOURCE,
  entry("blur", IMAGE, IMAGE),
  entry("show", {}, {}),
  entry("print", TEXT),
  entry("shout", TEXT, TEXT),
  entry("away", TEXT, TEXT, false),
  TONE,
];
const libraryOf = (all: readonly NodeDefinition[]): Library => ({
  all: () => all,
  find: (_, service) => all.find((one) => one.service === service),
});
const library = libraryOf(entries);
const graph = { nodes: [{ id: "a", service: "source", plane: "node" as const, status: "pending" as const }], edges: [] };
const fromSource = joinable(graph as never, library, { from: { node: "a", port: "out" } });
const listed = (over: Partial<Parameters<typeof offerGroups>[0]>) =>
  offerGroups({ found: entries, isSearch: false, join: undefined, recent: [], ...over }).map(({ title, offers, count }) => ({
    title,
    count,
    names: offers.map(({ definition }) => definition.service),
  }));

describe("the palette", () => {
  test("lists what fits first: of that what was used last, then of the same type, and what cannot run now at the end", () => {
    const [fits, others] = listed({ join: fromSource, recent: ["node show"] });
    expect(fits).toEqual({ title: "Fits", count: 4, names: ["show", "print", "shout", "away"] });
    expect(others?.names).toEqual(["source", "blur", "tone"]);
  });

  test("says of each entry that does not fit why, a list of choices included", () => {
    const [, others] = offerGroups({ found: entries, isSearch: false, join: fromSource, recent: [] });
    expect(others?.offers.map(({ why }) => why)).toEqual([
      "It has no inputs.",
      "Takes image, not string.",
      "This input takes only calm or warm, and the output gives any string.",
    ]);
  });

  test("keeps the order of a search within what fits and what does not", () => {
    const found = [TONE, entries[4], entries[2]] as NodeDefinition[];
    expect(listed({ found, isSearch: true, join: fromSource, recent: ["node show"] }).map(({ names }) => names)).toEqual([
      ["shout", "show"],
      ["tone"],
    ]);
    expect(listed({ found, isSearch: true }).map(({ title, names }) => [title, names])).toEqual([["Nodes", ["tone", "shout", "show"]]]);
  });

  test("lists what was used last where there is nothing to be wired to, each entry once", () => {
    expect(listed({ recent: ["node shout", "node gone", "node blur"] })).toEqual([
      { title: "Recently used", count: 2, names: ["shout", "blur"] },
      { title: "Nodes", count: 5, names: ["source", "show", "print", "away", "tone"] },
    ]);
  });

  test("lists a part of a large library and says how much there is; nothing where nothing is found", () => {
    const many = Array.from({ length: 1_000 }, (_, index) => entry(`entry ${index} ${"long ".repeat(60)}`, IMAGE, IMAGE));
    const [only] = listed({ found: many, join: fromSource });
    expect([only?.title, only?.count, only?.names.length]).toEqual(["Does not fit", 1_000, MOST_OFFERS]);
    expect(listed({ found: [] })).toEqual([]);
  });

  test("knows entries of one service on two planes apart", () => {
    expect(keyOf({ plane: "node", service: "a" })).not.toBe(keyOf({ plane: "python", service: "a" }));
  });
});

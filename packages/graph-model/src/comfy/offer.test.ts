import type { Blueprint } from "@spindle/schemas";
import { describe, expect, test } from "vitest";
import type { Library, NodeDefinition } from "../library.ts";
import { portType } from "../ports.ts";
import { whyNotOffered } from "./offer.ts";

const OUTPUTS: Record<string, Record<string, unknown>> = {
  film: { "x-artifact": "video" },
  picture: { "x-artifact": "image" },
  pictures: { type: "array", items: { "x-artifact": "image" } },
  words: { type: "string" },
  score: { type: "number" },
  anything: {},
};
const definition = {
  service: "make",
  plane: "python",
  label: "Make",
  inputs: [],
  parameters: [],
  engines: [],
  outputs: Object.entries(OUTPUTS).map(([name, schema]) => ({ name, label: name, type: portType(schema), required: false, schema })),
} as unknown as NodeDefinition;
const library: Library = { find: (_, service) => (service === "make" ? definition : undefined), all: () => [definition] };
const blueprint = (change: Partial<Blueprint>): Blueprint => ({
  ...{ name: "mine", capability: "make", label: "Mine", description: "", set: {}, models: [] },
  prompt: { "1": { class_type: "Save", inputs: {} } },
  gives: { film: { from: "1", pick: "video" } },
  ...change,
});
const why = (change: Partial<Blueprint>) => whyNotOffered(blueprint(change), library);

describe("[M4] a workflow is no engine", () => {
  test.each([
    ["film", "text", "video"],
    ["film", "videos", "video"],
    ["picture", "audio", "image"],
    ["pictures", "image", "images"],
    ["words", "image", "text"],
    ["score", "text", "json"],
  ] as const)("that gives for %s what its %s are", (output, pick, right) => {
    expect(why({ gives: { [output]: { from: "1", pick } } })).toEqual([
      `${output}: what is picked of node 1 (${pick}) is no value of this output, which is ${right === "images" ? "a list" : `a${/^[aeiou]/.test(portType(OUTPUTS[output] ?? {})) ? "n" : ""} ${portType(OUTPUTS[output] ?? {})}`}. Choose ${right}.`,
    ]);
    expect(why({ gives: { [output]: { from: "1", pick: right } } })).toEqual([]);
  });
  test("but one output may be anything", () => {
    for (const pick of ["image", "texts", "json"] as const) expect(why({ gives: { anything: { from: "1", pick } } })).toEqual([]);
  });
  test("whose nodes wait for one another", () => {
    const node = (...from: string[]) => ({ class_type: "X", inputs: Object.fromEntries(from.map((id) => [`of${id}`, [id, 0]])) });
    expect(why({ prompt: { "1": node("2"), "2": node("3", "4"), "3": node("1"), "4": node() } })).toEqual([
      "The nodes 1, 2, 3 wait for one another: each takes something that another gives. Cut one of their wires.",
    ]);
    expect(why({ prompt: { "1": node("1") } })).toEqual(["Node 1 takes what it gives itself. Cut that wire."]);
    expect(why({ prompt: { "1": node("2", "3"), "2": node("3"), "3": node() } })).toEqual([]);
    const chain = Array.from({ length: 1999 }, (_, at) => [`${at + 1}`, at === 1998 ? node() : node(`${at + 2}`)] as const);
    expect(why({ prompt: Object.fromEntries(chain) })).toEqual([]);
  });
});

import type { ResolvedNode } from "@spindle/graph-model";
import { expect, test } from "vitest";
import { cardFields } from "./fields";

const TEXT = { type: "string" };
const port = (name: string, schema: object, required = false) => ({ name, label: name.toUpperCase(), type: "string", required, schema });
const resolved = (parameters: object[], sources: object[], params: object = {}) =>
  ({ node: { id: "n", params }, definition: { parameters }, settings: {}, sources }) as unknown as ResolvedNode;
const names = (node: ResolvedNode) => cardFields(node).map(({ name }) => name);

test("a card has the values that are needed first, then others, and few of them", () => {
  const parameters = [
    { name: "model", schema: TEXT, required: false },
    { name: "temperature", schema: { type: "number" }, required: false },
  ];
  const sources = [
    { kind: "run", port: port("prompt", TEXT, true) },
    { kind: "none", port: port("persona", TEXT) },
  ];
  expect(names(resolved(parameters, sources))).toEqual(["prompt", "model", "temperature"]);
});

test("what is wired, asked by the form, rarely used or no plain value has no field on the card", () => {
  const sources = [
    { kind: "wire", port: port("a", TEXT) },
    { kind: "upstream", port: port("b", TEXT) },
    { kind: "interface", port: port("c", TEXT) },
    { kind: "none", port: port("d", { type: "object" }) },
    { kind: "none", port: port("e", { ...TEXT, "x-advanced": true }) },
    { kind: "none", port: port("f", { ...TEXT, "x-inline": true }) },
    { kind: "none", port: port("h", { "x-artifact": "audio" }) },
    { kind: "param", port: port("g", { ...TEXT, "x-advanced": true }) },
  ];
  expect(names(resolved([], sources, { g: "set" }))).toEqual(["g"]);
});

test("the label is the title of the schema, or the name in words", () => {
  const parameters = [
    { name: "voiceSample", schema: { ...TEXT, title: "Voice" }, required: true },
    { name: "stagePrompt", schema: TEXT, required: false },
  ];
  expect(cardFields(resolved(parameters, [])).map(({ label }) => label)).toEqual(["Voice", "Stage prompt"]);
});

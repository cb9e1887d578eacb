import { expect, test } from "vitest";
import type { Graph } from "../graph.ts";
import type { NodeDefinition } from "../library.ts";
import { readGraph } from "./document.ts";
import { whyNoForm } from "./form.ts";
import { whyInvalid } from "./invalid.ts";
import { validate } from "./validate.ts";

const asks: NodeDefinition = {
  plane: "node",
  service: "ask",
  version: "1",
  label: "Ask",
  description: "",
  category: "Test",
  keywords: [],
  docs: "",
  inputs: [],
  outputs: [],
  parameters: [{ name: "form", schema: { type: "object", "x-ports": "outputs" }, required: true }],
  engines: [{ id: "node", label: "Node", plane: "node", draft: false, live: true }],
  live: true,
  idempotent: false,
  timeoutSeconds: 0,
};

const field = (one: unknown) => ({ type: "object", properties: { answer: one } });

test.each([
  field({ type: "string", title: "Name", minLength: 1, maxLength: 80, default: "", "x-multiline": true }),
  field({ type: ["number", "null"], minimum: 0, multipleOf: 0.5 }),
  field({ enum: ["a", 1, null] }),
  field({ "x-artifact": "image" }),
  field({ type: "array", items: { type: "object", properties: { score: { type: "integer" } }, required: ["score"] } }),
  field({ type: "string", format: "date" }),
  {},
])("%j is a form", (form) => expect(whyNoForm(form)).toBeUndefined());

test.each<[string, unknown, RegExp]>([
  ["a pattern, which may take for ever", field({ type: "string", pattern: "^(a+)+$" }), /answer asks for "pattern"/],
  ["the same inside an item", field({ items: { properties: { deep: { pattern: "(" } } } }), /deep asks for "pattern"/],
  ["a reference", field({ $ref: "#" }), /answer asks for "\$ref"/],
  ["all compared with all", field({ type: "array", uniqueItems: true }), /uniqueItems/],
  ["no object", field(null), /answer is no object/],
  ["a type that is none", field({ type: "text" }), /answer is of no type: there are string/],
  ["a limit that is none", field({ minimum: "0" }), /minimum that is no number/],
  ["choices that are none", field({ enum: 3 }), /choices that are no list/],
  ["a format that is none", field({ format: "regex" }), /answer is of no format/],
  [
    "too many choices, those of all fields together",
    { properties: Object.fromEntries(["a", "b"].map((name) => [name, { items: { enum: Array(501).fill(1) } }])) },
    /at most 1,000 choices/,
  ],
  ["a choice that is long", field({ enum: ["x".repeat(1001)] }), /answer has a choice with more than 100 values or 1,000 characters/],
  ["a constant that is large", field({ const: Array(101).fill(1) }), /answer has a choice with more than 100 values/],
  ["too many fields", { properties: Object.fromEntries(Array.from({ length: 201 }, (_, at) => [`f${at}`, {}])) }, /at most 200/],
])("a form with %s is refused, and says where", (_title, form, why) => expect(whyNoForm(form)).toMatch(why));

test("a node that asks for what cannot be checked is in error, and its run never starts", () => {
  const ask = (form: object) => {
    const asked = { id: "a", service: "ask", plane: "node", status: "pending", params: { form } };
    const graph = readGraph({ schema: "langgraph.v1", workflowId: "w", nodes: [asked], edges: [] }).graph as Graph;
    return validate(graph, { find: () => asks, all: () => [asks] }).map(({ severity, code, place }) => [severity, code, place.port]);
  };
  expect(ask(field({ type: "string" }))).toEqual([]);
  expect(ask(field({ pattern: "(" }))).toEqual([["error", "param.invalid", "form"]]);
});

test("a schema that cannot be read is said, never thrown", () => {
  for (const schema of [{ $ref: "#/nowhere" }, { pattern: "(" }, { type: "string", allOf: [{ $ref: "#" }] }])
    expect(whyInvalid("x", schema)).toMatch(/cannot be checked/);
});

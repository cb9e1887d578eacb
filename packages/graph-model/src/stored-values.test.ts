import { expect, test } from "vitest";
import type { NodeDefinition } from "./library.ts";
import { portsOf } from "./ports.ts";
import { valuesByPosition } from "./stored-values.ts";

/** The parameters that a node gets whose first input must be wired and whose other two have widgets. */
const placed = (type: string, values: unknown[]) => {
  const widget = { type, "x-inline": true };
  const definition = { inputs: portsOf({ properties: { wired: { type }, x: widget, y: widget } }), parameters: [] };
  return valuesByPosition(values, definition as unknown as NodeDefinition).params;
};

test("a file of before 2025 has a value for an input that must be wired, and what a button left is none", () => {
  expect(placed("integer", [1, 2])).toEqual({ x: 1, y: 2 });
  expect(placed("integer", [7, 1, 2])).toEqual({ wired: 7, x: 1, y: 2 });
  expect(placed("string", ["", "a", "b"])).toEqual({ x: "a", y: "b" });
});

test("of ways that cost the same none that may become the best is dropped for where it stands", () => {
  const text = { type: "string", "x-inline": true };
  const file = { type: "string", enum: ["x.png"], "x-upload": true, "x-inline": true };
  const seed = { type: "integer", "x-control": true, "x-inline": true };
  const model = { "x-comfy-type": "MODEL" };
  const inputs = [text, file, model, file, seed, file, seed, file, text, seed, file, model, { type: "boolean", "x-inline": true }];
  const properties = Object.fromEntries(inputs.map((schema, at) => [`p${at}`, schema]));
  const definition = { inputs: portsOf({ properties, required: [] }), outputs: [] } as unknown as NodeDefinition;
  const files = ["x.png", "image"];
  const values = ["a text", "x.png", null, ...files, 213, "randomize", "x.png", "", "fixed", "x.png", "", "more", "", 381, "randomize"];
  const { params } = valuesByPosition([...values, "x.png", null, false], definition);
  expect(params).toMatchObject({ p0: "a text", p4: 213, p8: "more", p9: 381, p10: "x.png", p12: false });
});

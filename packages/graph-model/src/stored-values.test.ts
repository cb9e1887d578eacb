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

import type { ArtifactRef } from "@spindle/schemas";
import { expectTypeOf, test } from "vitest";
import { defineNode } from "./capability.ts";

test("a handler's input has the types that the node's schemas say", () => {
  defineNode({
    id: "test.typed",
    label: "Typed",
    description: "",
    version: "1.0.0",
    category: "Test",
    idempotent: true,
    input: {
      type: "object",
      required: ["text"],
      properties: {
        text: { type: "string" },
        names: { type: "array", items: { type: "string" } },
        picture: { type: "object", "x-artifact": "image" },
        anything: { title: "Anything" },
      },
    },
    output: { type: "object", properties: {} },
    parameters: [
      { name: "count", type: "number", default: 1, schema: { type: "number", default: 1 } },
      { name: "mode", type: "string", schema: { type: "string", enum: ["a", "b"] } },
      { name: "path", type: "string", required: true, schema: { type: "string" } },
    ],
    async run({ input }) {
      expectTypeOf(input.text).toEqualTypeOf<string>();
      expectTypeOf(input.names).toEqualTypeOf<string[] | undefined>();
      expectTypeOf(input.picture).toEqualTypeOf<ArtifactRef | undefined>();
      expectTypeOf(input.anything).toEqualTypeOf<unknown>();
      expectTypeOf(input.count).toEqualTypeOf<number>();
      expectTypeOf(input.mode).toEqualTypeOf<"a" | "b" | undefined>();
      expectTypeOf(input.path).toEqualTypeOf<string>();
      // @ts-expect-error: no schema names it
      input.other;
      return {};
    },
  });
});

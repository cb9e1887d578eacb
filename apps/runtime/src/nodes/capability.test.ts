import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ArtifactRef } from "@spindle/schemas";
import ts from "typescript";
import { expect, expectTypeOf, test } from "vitest";
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
      { name: "count", type: "number", default: 1, schema: { type: "number" } },
      { name: "size", type: "integer", schema: { type: "integer", default: 1 } },
      { name: "mode", type: "string", schema: { type: "string", enum: ["a", "b"] } },
      { name: "path", type: "string", required: true, schema: { type: "string" } },
    ],
    async run({ input }) {
      expectTypeOf(input.text).toEqualTypeOf<string>();
      expectTypeOf(input.names).toEqualTypeOf<string[] | undefined>();
      expectTypeOf(input.picture).toEqualTypeOf<ArtifactRef | undefined>();
      expectTypeOf(input.anything).toEqualTypeOf<unknown>();
      expectTypeOf(input.count).toEqualTypeOf<number>();
      expectTypeOf(input.size).toEqualTypeOf<number>();
      expectTypeOf(input.mode).toEqualTypeOf<"a" | "b" | undefined>();
      expectTypeOf(input.path).toEqualTypeOf<string>();
      // @ts-expect-error: no schema names it
      input.other;
      return {};
    },
  });
});

test("the node of docs/adding-a-node.md compiles as it stands there", () => {
  const root = join(import.meta.dirname, "../../../..");
  const page = readFileSync(join(root, "docs/adding-a-node.md"), "utf8");
  const [, path = "", text = ""] = /```ts file=(\S+)\n([\s\S]*?)```/.exec(page) ?? [];
  const file = join(root, path);
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root);
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists } = host;
  host.fileExists = (name) => name === file || fileExists(name);
  host.getSourceFile = (name, version, ...rest) =>
    name === file ? ts.createSourceFile(name, text, version) : getSourceFile(name, version, ...rest);
  const program = ts.createProgram([file], options, host);
  const found = [
    ...program.getSyntacticDiagnostics(program.getSourceFile(file)),
    ...program.getSemanticDiagnostics(program.getSourceFile(file)),
  ];
  expect(path).toContain("shout.node.ts");
  expect(found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, " "))).toEqual([]);
});

// Every sample in both directions; workers/python-gpu/tests/test_samples.py runs the same ones.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import * as contract from "./generated/index.ts";

const folder = new URL("./samples/", import.meta.url).pathname;
const name = (kind: string): string =>
  `validate${kind
    .split("-")
    .map((part) => part[0]?.toUpperCase() + part.slice(1))
    .join("")}`;

describe.each(readdirSync(folder))("%s", (kind) => {
  const validate = (contract as unknown as Record<string, contract.Validator<unknown>>)[name(kind)] as contract.Validator<unknown>;
  for (const verdict of ["valid", "invalid"])
    test.each(readdirSync(join(folder, kind, verdict)))(`${verdict}: %s`, (file) => {
      const accepted = validate(JSON.parse(readFileSync(join(folder, kind, verdict, file), "utf8")));
      expect(accepted, JSON.stringify(validate.errors)).toBe(verdict === "valid");
    });
});

test("each setting of a node has a sample, and is named in the design", () => {
  const read = (path: string) => readFileSync(new URL(path, import.meta.url), "utf8");
  const { properties } = JSON.parse(read("langgraph/node-settings.schema.json")) as { properties: object };
  const sample = JSON.parse(read("samples/node-settings/valid/every-setting.json")) as object;
  const [, named = ""] = /`metadata\.nodes\[id\]` = `\{([^}]+)\}`/.exec(read("../docs/design.md")) ?? [];
  const settings = Object.keys(properties).sort();
  expect(Object.keys(sample).sort()).toEqual(settings);
  expect(named.split(", ").sort()).toEqual(settings);
});

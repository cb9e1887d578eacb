import type { Blueprint, Capability } from "@spindle/schemas";
import { expect, test } from "vitest";
import { withBlueprints } from "./blueprints.ts";

const servers = ["one", "two"].map((id) => ({ id, label: id, plane: "comfy", draft: false, live: true }));
const entry = (id: string, plane: string, more: object) =>
  ({ id, label: id, plane, io: { input: {}, output: {} }, ...more }) as unknown as Capability;

test("a workflow is live on the servers that have its files, not on those beside them", () => {
  const input = { properties: { model: { enum: ["big", "both"], "x-on": { big: ["two"] } } } };
  const workflow = (model: string) =>
    ({
      name: model,
      label: model,
      capability: "talk",
      models: [],
      set: {},
      prompt: { a: { class_type: "Load", inputs: { model } } },
    }) as unknown as Blueprint;
  const library = [entry("Load", "comfy", { engines: servers, io: { input, output: {} } }), entry("talk", "python", { engines: [] })];
  const [, talk] = withBlueprints(library, [workflow("big"), workflow("both")]);
  expect(talk?.engines?.map(({ id, live, reason }) => [id, live, reason])).toEqual([
    ["big@one", false, "It lacks big."],
    ["big@two", true, undefined],
    ["both@one", true, undefined],
    ["both@two", true, undefined],
  ]);
});

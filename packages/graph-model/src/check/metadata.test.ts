import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { Graph } from "../graph.ts";
import type { Issue } from "../issue.ts";
import { sampleLibrary } from "../sample-library.testing.ts";
import { readGraph } from "./document.ts";
import { validate } from "./validate.ts";

const node = (id: string) => ({ id, service: "pass", plane: "node", status: "pending", params: { value: 1 } });
const graphOf = (metadata: object, edge?: object): Graph =>
  ({
    schema: "langgraph.v1",
    workflowId: "t",
    nodes: [node("a"), node("b")],
    edges: [{ from: "a", to: "b", ...(edge ? { metadata: edge } : {}) }],
    metadata,
  }) as never;
const settings = (of: object): Graph => graphOf({ nodes: { a: of } });
const found = (graph: Graph): Issue[] => {
  expect(readGraph(graph).issues, "the document loads").toEqual([]);
  return validate(graph, sampleLibrary).filter(({ severity }) => severity !== "info");
};
const inner = { nodes: [node("x")], edges: [] };

describe("a key that nothing reads is a warning that names the one that was meant", () => {
  test.each<[string, Graph, string, string]>([
    ["of a node", settings({ breakPoint: "before" }), "/metadata/nodes/a/breakPoint", "breakpoint"],
    ["of a node, one letter short", settings({ egine: "small" }), "/metadata/nodes/a/egine", "engine"],
    ["of an edge", graphOf({}, { whn: "output.ok" }), "/edges/0/metadata/whn", "when"],
    ["of a map", graphOf({}, { map: { limits: 2 } }), "/edges/0/metadata/map/limits", "limit"],
    ["of the interface", graphOf({ interface: { input: [] } }), "/metadata/interface/input", "inputs"],
    ["of a public input", graphOf({ interface: { inputs: [{ name: "x", lable: "X" }] } }), "/metadata/interface/inputs/0/lable", "label"],
    ["of a definition", graphOf({ definitions: { d: { ...inner, edge: [] } } }), "/metadata/definitions/d/edge", "edges"],
    ["of the editor", graphOf({ editor: { position: {} } }), "/metadata/editor/position", "positions"],
    [
      "inside a definition",
      graphOf({ definitions: { d: { ...inner, metadata: { nodes: { x: { pined: {} } } } } } }),
      "/metadata/definitions/d/metadata/nodes/x/pined",
      "pinned",
    ],
  ])("%s", (_, graph, pointer, meant) => {
    const unknown = found(graph).filter(({ code }) => code === "metadata.unknown");
    expect(unknown).toMatchObject([{ severity: "warning", place: { pointer }, fix: `Call it "${meant}".` }]);
  });

  test("one like no other says what to do about it", () => {
    expect(found(settings({ colour: "red" }))).toEqual([
      {
        code: "metadata.unknown",
        severity: "warning",
        message: 'Nothing reads "colour" in the settings of a node; it stays in the document.',
        place: { node: "a", port: "colour", pointer: "/metadata/nodes/a/colour" },
        fix: 'Remove it, or call it "x-colour" if another program reads it.',
      },
    ]);
  });

  test("settings of a node that does not exist are named with the node that was meant", () => {
    const graph = graphOf({ nodes: { A: { breakpoint: "nowhere" }, ghost: {} } });
    expect(found(graph)).toMatchObject([
      { code: "metadata.unknown", severity: "warning", place: { pointer: "/metadata/nodes/A" }, fix: 'Call them "a".' },
      { code: "metadata.unknown", severity: "warning", place: { pointer: "/metadata/nodes/ghost" }, fix: "Remove them." },
    ]);
  });

  test("a document full of them is told of a few", () => {
    const many = Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`key${index}`, index]));
    expect(found(settings(many)).length).toBe(21);
  });

  test("keys with a namespace are another program's", () => {
    const foreign = { "x-note": 1, "acme:weight": 2, "acme.weight": 3, "https://acme.test/weight": 4 };
    expect(found(graphOf({ nodes: { a: foreign }, editor: foreign, planner: { any: 1 } }, foreign))).toEqual([]);
  });
});

describe("what has not the shape that its schema gives is", () => {
  test.each<[string, Graph, Issue["code"], string]>([
    ["a version that is no text", settings({ version: 1 }), "param.invalid", 'A version is a text, as in "1.2.0".'],
    ["an engine that is no text", settings({ engine: null }), "param.invalid", "An engine is named by its id."],
    [
      "a time-out of nothing",
      settings({ timeoutSeconds: 0 }),
      "param.invalid",
      "The time-out is a number of seconds from 1 to 604,800 (a week).",
    ],
    ["a pinned list", settings({ pinned: [1] }), "param.invalid", "A pinned output is an object with a value per port."],
    ["a breakpoint nowhere", settings({ breakpoint: "between" }), "param.invalid", "A breakpoint is before or after the node."],
    ["settings in a list", graphOf({ nodes: { a: [] } }), "graph.schema", "/metadata/nodes/a is a list, not an object of settings."],
    [
      "an input without a name",
      graphOf({ interface: { inputs: [{}] } }),
      "interface.invalid",
      "/metadata/interface/inputs/0 is no input: an object with a name.",
    ],
    [
      "an output from nowhere",
      graphOf({ interface: { outputs: [{ name: "x" }] } }),
      "interface.invalid",
      "/metadata/interface/outputs/0 comes from no port: `from` is a node and a port.",
    ],
  ])("refused where it decides how a run goes: %s", (_, graph, code, message) => {
    expect(found(graph)).toMatchObject([{ severity: "error", code, message }]);
  });

  test.each<[string, Graph, string]>([
    ["an edge's id", graphOf({}, { id: 7 }), "/edges/0/metadata/id"],
    ["the bends of a wire", graphOf({}, { points: [{ x: 1 }] }), "/edges/0/metadata/points/0/y"],
    ["a switch", settings({ disabled: "yes" }), "/metadata/nodes/a/disabled"],
    ["a label", graphOf({ interface: { inputs: [{ name: "x", label: 1 }] } }), "/metadata/interface/inputs/0/label"],
    ["a group", graphOf({ editor: { groups: [{ id: "g" }] } }), "/metadata/editor/groups/0/title"],
    ["a link", graphOf({ definitions: { d: { ...inner, link: { definition: "x" } } } }), "/metadata/definitions/d/link/version"],
  ])("a warning where it does not: %s", (_, graph, pointer) => {
    const issues = found(graph);
    expect(issues[0]).toMatchObject({ severity: "warning", code: "graph.schema", place: { pointer } });
    expect(issues.filter(({ severity }) => severity === "error")).toEqual([]);
  });

  test("null is taken as absent where it always was", () => {
    expect(
      found(graphOf({ nodes: { a: { pinned: null, breakpoint: null, disabled: null } } }, { when: null, loop: null, map: null })),
    ).toEqual([]);
  });
});

test("a node that is bypassed is no problem", () => {
  expect(found(settings({ bypassed: true }))).toEqual([]);
  expect(found(settings({ bypassed: false }))).toEqual([]);
});

test("no sample has a key that nothing reads", () => {
  const root = new URL("../../../../", import.meta.url);
  const samples = readdirSync(new URL("schemas/samples/graph/valid/", root)).map((file) => `schemas/samples/graph/valid/${file}`);
  for (const path of samples) {
    const graph = JSON.parse(readFileSync(new URL(path, root), "utf8")) as Graph;
    expect(
      validate(graph, sampleLibrary).filter(({ code }) => code === "metadata.unknown"),
      path,
    ).toEqual([]);
  }
});

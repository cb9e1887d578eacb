import { expect, test } from "vitest";
import { programGraph as graphOf, programLibrary as libraryOf, programNode as node, port, service, wire } from "./exported.testing.ts";
import { programIssues } from "./program-issues.ts";

const library = libraryOf([
  service("list", [], [port("list")]),
  service("ask", [port("value")], [port("ok", { branch: true })], { human: true }),
]);
const call = (id: string, definition: string) => ({ ...node(id, "graph.call"), params: { definition } });
const inMap = (to: object, more: object = {}) =>
  graphOf([node("list", "list"), to], [wire("list", "list", (to as { id: string }).id, "value", { map: {} })], more);
const inner = { nodes: [{ ...node("person", "ask"), name: "Judge" }], edges: [] };
const outer = { nodes: [call("inside", "inner")], edges: [] };
const definitions = { inner, outer };

test("[G8] a person in a map is an issue of the program, at the mapped node, with what can be done", () => {
  expect(programIssues(inMap(node("each", "ask")), library)).toEqual([
    {
      severity: "error",
      code: "export.person_in_map",
      message: "each asks a person for each element of a list, which LangGraph cannot resume one by one.",
      place: { node: "each" },
      fix: "Ask once, before or after the map, about the whole list; or run the graph in Spindle, where each element waits alone.",
    },
  ]);
});

test("so is one in a subgraph that runs for each element, however deep, and at the node of the subgraph where that is", () => {
  const [deep, ...others] = programIssues(inMap(call("each", "outer"), { metadata: { definitions } }), library);
  expect([deep?.place, deep?.message, others]).toEqual([
    { node: "each" },
    "each asks a person (Judge) for each element of a list, which LangGraph cannot resume one by one.",
    [],
  ]);
  const mapInside = inMap(call("each", "inner"));
  const twice = graphOf([call("one", "twice"), call("two", "twice")], [], { metadata: { definitions: { inner, twice: mapInside } } });
  expect(programIssues(twice, library).map(({ place }) => place)).toEqual([{ node: "each", definition: "twice" }]);
});

test("nobody is asked elsewhere, or where the node is off, pinned or bypassed", () => {
  expect(programIssues(graphOf([call("one", "outer")], [], { metadata: { definitions } }), library)).toEqual([]);
  for (const setting of [{ disabled: true }, { pinned: { ok: [true] } }, { bypassed: true }]) {
    const settings = { metadata: { definitions, nodes: { each: setting } } };
    expect(programIssues(inMap(node("each", "ask"), settings), library)).toEqual([]);
    expect(programIssues(inMap(call("each", "outer"), settings), library)).toEqual([]);
  }
});

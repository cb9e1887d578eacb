// What a button under a problem does, on a document with an undo manager as the page has it.
import {
  edgeMetadata,
  type Graph,
  type Issue,
  type Library,
  type NodeDefinition,
  nodeSettings,
  portsOf,
  validate,
} from "@spindle/graph-model";
import { addNode, connect, normalise, setSetting, Undo } from "@spindle/graph-model/shared-doc";
import { expect, test } from "vitest";
import * as Y from "yjs";
import { ME } from "../session/use-document";
import { fittingValue, fixesFor } from "./fixes";

const entry = (
  service: string,
  inputs: object,
  outputs: object,
  engines: object[] = [{ id: "one", label: "One", live: true, plane: "node" }],
) =>
  ({
    plane: "node",
    service,
    version: "1.0.0",
    label: service,
    live: true,
    inputs: portsOf({ properties: inputs }),
    outputs: portsOf({ properties: outputs }),
    parameters: [{ name: "level", required: false, schema: { type: "integer", minimum: 1, maximum: 10 } }],
    engines,
    timeoutSeconds: 0,
  }) as unknown as NodeDefinition;
const ALL = [
  entry("speak", { text: { type: "string" } }, { sound: { "x-artifact": "audio" } }),
  entry("write", {}, { text: { type: "string" } }),
  entry("hear", { sound: { "x-artifact": "audio" } }, { text: { type: "string" } }),
  entry("fast", {}, {}, [
    { id: "gpu", label: "GPU", live: false, plane: "node" },
    { id: "cpu", label: "CPU", live: true, plane: "node" },
  ]),
];
const library: Library = { find: (_, service) => ALL.find((one) => one.service === service), all: () => ALL };

function page() {
  const doc = new Y.Doc();
  const undo = new Undo(doc, ME, 0);
  const graph = (): Graph => normalise(doc).graph;
  const fixes = (code: Issue["code"]) => {
    const issue = validate(graph(), library).find((each) => each.code === code);
    return issue ? fixesFor(graph(), library, issue) : [];
  };
  return {
    doc,
    graph,
    fixes,
    node: (service: string, params: Record<string, unknown> = {}) =>
      addNode(doc, "before", { service, plane: "node", position: { x: 0, y: 0 }, params }),
    /** Presses the button, which is one step of undo, and returns the graph after it. */
    press: (code: Issue["code"], label: string): Graph => {
      const before = graph();
      fixes(code)
        .find((each) => each.label === label)
        ?.apply(doc);
      const after = graph();
      expect(undo.undoStack).toHaveLength(1);
      undo.undo();
      expect(graph()).toEqual(before);
      undo.redo();
      return after;
    },
  };
}

test("a node that makes one type of the other goes into a wire that does not fit", () => {
  const { doc, node, fixes, press } = page();
  const [from, to] = [node("write"), node("hear")];
  connect(doc, "before", { node: from, port: "text" }, { node: to, port: "sound" });
  expect(fixes("edge.type_mismatch").map(({ label }) => label)).toEqual(["Insert speak", "Remove the wire"]);
  const after = press("edge.type_mismatch", "Insert speak");
  expect(after.edges.map((edge) => [edgeMetadata(edge).sourcePort, edgeMetadata(edge).targetPort]).sort()).toEqual([
    ["sound", "sound"],
    ["text", "text"],
  ]);
  expect(validate(after, library).filter(({ severity }) => severity === "error")).toEqual([]);
});

test("a value beyond a limit is set to the limit, one that nothing takes is moved or removed", () => {
  const beyond = page();
  const id = beyond.node("write", { level: 99 });
  expect(beyond.press("param.invalid", "Set 10").nodes.find((one) => one.id === id)?.params).toEqual({ level: 10 });
  const misspelt = page();
  misspelt.node("write", { levle: 3 });
  expect(misspelt.press("param.invalid", "Move it to Level").nodes[0]?.params).toEqual({ level: 3 });
});

test("another engine is chosen, and a capability that is nearly called so", () => {
  const other = page();
  const id = other.node("fast");
  setSetting(other.doc, "before", id, "engine", "gpu");
  expect(other.fixes("node.engine_not_live").map(({ label }) => label)).toEqual(["Choose automatically (CPU)"]);
  expect(nodeSettings(other.press("node.engine_not_live", "Choose automatically (CPU)"), id).engine).toBeUndefined();
  const near = page();
  near.node("wriet");
  expect(near.press("node.unknown_capability", "Replace with write").nodes[0]?.service).toBe("write");
});

test.each([
  [11, { type: "integer", maximum: 10 }, 10],
  ["7", { type: "integer" }, 7],
  [2.4, { type: "integer" }, 2],
  ["eulr", { type: "string", enum: ["euler", "heun"] }, "euler"],
  ["zzz", { type: "string", enum: ["euler", "heun"] }, undefined],
  [5, { type: "number", maximum: 10 }, undefined],
  [{}, { type: "number" }, undefined],
])("next to %j in %j lies %j", (value, schema, next) => expect(fittingValue(value, schema)).toBe(next));

import { expect, test } from "vitest";
import { readGraph, readGraphText } from "./check/document.ts";
import { validate } from "./check/validate.ts";
import { regionInput } from "./comfy/prompt.ts";
import { canConnect, wiresForEach } from "./connect.ts";
import type { Graph } from "./graph.ts";
import type { Library, NodeDefinition } from "./library.ts";
import { leavesOf } from "./one-of-many.ts";
import { portsOf } from "./ports.ts";
import { resolve } from "./resolve.ts";

const IMAGE = { "x-comfy-type": "IMAGE", "x-artifact": "image" };
const kind = (plane: "comfy" | "python", service: string, inputs: object, outputs: object): NodeDefinition => ({
  plane,
  service,
  version: "1",
  label: service,
  description: "",
  category: "Test",
  keywords: [],
  docs: "",
  inputs: portsOf({ properties: inputs }),
  outputs: portsOf({ properties: outputs }),
  parameters: [],
  engines: [{ id: "a", label: "a", plane, draft: false, live: true }],
  live: true,
  idempotent: true,
  timeoutSeconds: 0,
});
const ALL = [
  kind(
    "comfy",
    "Make",
    {},
    { IMAGE: { ...IMAGE, title: "Pictures", "x-slot": 0, "x-many": "first" }, MODEL: { "x-comfy-type": "MODEL", "x-slot": 1 } },
  ),
  kind("comfy", "Cut", {}, { words: { "x-comfy-type": "STRING", type: "array", items: { type: "string" }, "x-slot": 0, "x-many": "all" } }),
  kind("comfy", "Save", { images: IMAGE }, { image: { "x-artifact": "image", "x-pick": "image", "x-many": "first" } }),
  kind(
    "comfy",
    "Say",
    { text: { "x-comfy-type": "STRING", type: "string" }, any: { "x-comfy-type": "*" } },
    {
      said: { "x-comfy-type": "STRING", type: "string", "x-slot": 0, "x-many": "first" },
    },
  ),
  kind("comfy", "Many", {}, { IMAGE: { "x-comfy-type": "IMAGE", type: "array", items: IMAGE, "x-slot": 0, "x-many": "all" } }),
  kind(
    "python",
    "Take",
    { one: { "x-artifact": "image" }, all: { type: "array", items: { "x-artifact": "image" } }, text: { type: "string" } },
    {},
  ),
];
const library: Library = {
  find: (plane, service) => ALL.find((definition) => definition.plane === plane && definition.service === service),
  all: () => ALL,
};
type Wire = [from: string, port: string, to: string, input: string, more?: object];

function graphOf(nodes: Record<string, string>, wires: Wire[], settings: object = {}): Graph {
  const planes = (service: string) => ALL.find((one) => one.service === service)?.plane;
  return readGraph({
    schema: "langgraph.v1",
    workflowId: "w",
    nodes: Object.entries(nodes).map(([id, service]) => ({ id, service, plane: planes(service), status: "pending" })),
    edges: wires.map(([from, sourcePort, to, targetPort, more]) => ({ from, to, metadata: { sourcePort, targetPort, ...more } })),
    metadata: { nodes: settings },
  }).graph as Graph;
}
const wrong = (graph: Graph) =>
  validate(graph, library).flatMap(({ code, severity, place }) => (severity === "error" ? [[code, place.node, place.port]] : []));
const typeOf = (graph: Graph, id: string, port: string) =>
  resolve(graph, library)
    .root.node(id)
    ?.definition?.outputs.find(({ name }) => name === port)?.type;
const gives = (graph: Graph, ...ids: string[]) => {
  const { root } = resolve(graph, library);
  return regionInput({ level: root, values: new Map(ids.map((id) => [id, {}])), inside: ids })?.gives.map(({ node, port, pick }) => [
    node,
    port,
    pick,
  ]);
};
const all = (node: string, port: string) => ({ [node]: { outputs: { [port]: "all" } } });
const first = (node: string, port: string) => ({ [node]: { outputs: { [port]: "first" } } });

test("the first of several leaves where the plane says so, and all of them as a list where the node says that", () => {
  const wires: Wire[] = [["m", "IMAGE", "t", "one"]];
  const usual = graphOf({ m: "Make", t: "Take" }, wires);
  expect([typeOf(usual, "m", "IMAGE"), gives(usual, "m"), wrong(usual)]).toEqual(["image", [["m", "IMAGE", "image"]], []]);
  const chosen = graphOf({ m: "Make", t: "Take" }, [["m", "IMAGE", "t", "all"]], all("m", "IMAGE"));
  expect([typeOf(chosen, "m", "IMAGE"), gives(chosen, "m"), wrong(chosen)]).toEqual(["array", [["m", "IMAGE", "images"]], []]);
  expect(gives(graphOf({ s: "Save" }, [], all("s", "image")), "s")).toEqual([["s", "image", "images"]]);
});

test("of a list the first leaves where the node says that", () => {
  const usual = graphOf({ c: "Cut", t: "Take" }, [["c", "words", "t", "text"]]);
  expect(wrong(usual)).toEqual([["edge.type_mismatch", "t", "text"]]);
  const chosen = graphOf({ c: "Cut", t: "Take" }, [["c", "words", "t", "text"]], first("c", "words"));
  expect([typeOf(chosen, "c", "words"), gives(chosen, "c"), wrong(chosen)]).toEqual(["string", [["c", "words", "text"]], []]);
});

test("a list fits what takes a list, or runs what takes one once for each; the types say so", () => {
  const whole = graphOf({ m: "Make", t: "Take" }, [["m", "IMAGE", "t", "one"]], all("m", "IMAGE"));
  expect(wrong(whole)).toEqual([["edge.type_mismatch", "t", "one"]]);
  const each = graphOf({ m: "Make", t: "Take" }, [["m", "IMAGE", "t", "one", { map: {} }]], all("m", "IMAGE"));
  expect(wrong(each)).toEqual([]);
  const none = graphOf({ m: "Make", t: "Take" }, [], all("m", "IMAGE"));
  expect(canConnect(none, library, { node: "m", port: "IMAGE" }, { node: "t", port: "one" })).toEqual({ ok: true, as: "map" });
  expect(canConnect(none, library, { node: "m", port: "IMAGE" }, { node: "t", port: "all" })).toEqual({ ok: true });
});

test("inside a region nothing changes: there ComfyUI has them all", () => {
  const graph = graphOf({ m: "Make", s: "Save" }, [["m", "IMAGE", "s", "images"]], all("m", "IMAGE"));
  expect(wrong(graph)).toEqual([]);
  expect(resolve(graph, library).root.regions.map(({ nodes }) => nodes)).toEqual([["m", "s"]]);
});

const APART = { when: "true" };
const said = (graph: Graph) =>
  validate(graph, library).flatMap(({ severity, code, place, message, fix }) =>
    severity === "error" ? [[code, place.node, place.port, message, fix]] : [],
  );

test("[E6] a list that leaves its region for an input that takes one is an issue there, with what can be chosen", () => {
  const together = graphOf({ c: "Cut", s: "Say" }, [["c", "words", "s", "text"]]);
  expect(said(together), "ComfyUI runs the second once for each").toEqual([]);
  const apart = graphOf({ c: "Cut", s: "Say" }, [["c", "words", "s", "text", APART]]);
  expect(said(apart)).toEqual([
    [
      "edge.type_mismatch",
      "s",
      "text",
      "This input takes a string. Words of c leaves its ComfyUI prompt as a list, because the two nodes are not in the same prompt.",
      "Choose at c what leaves: the first, or all, each by itself.",
    ],
  ]);
  expect(said(graphOf({ c: "Cut", s: "Say" }, [["c", "words", "s", "text", APART]], first("c", "words")))).toEqual([]);
  expect(said(graphOf({ c: "Cut", s: "Say" }, [["c", "words", "s", "text", { map: {} }]]))).toEqual([]);
});

test("of a list that goes to another region the inspector offers each", () => {
  const apart = resolve(graphOf({ c: "Cut", s: "Say" }, [["c", "words", "s", "text", APART]]), library).root;
  expect(wiresForEach(apart, "c", "words").map(({ isMap }) => isMap)).toEqual([false]);
  const each = resolve(graphOf({ c: "Cut", s: "Say" }, [["c", "words", "s", "text", { map: {} }]]), library).root;
  expect(wiresForEach(each, "c", "words").map(({ isMap }) => isMap)).toEqual([true]);
  const together = resolve(graphOf({ c: "Cut", s: "Say" }, [["c", "words", "s", "text"]]), library).root;
  expect(wiresForEach(together, "c", "words")).toEqual([]);
});

test("an input of ComfyUI that takes anything gets a list of words of another region, and none of files", () => {
  expect(said(graphOf({ c: "Cut", s: "Say" }, [["c", "words", "s", "any", APART]]))).toEqual([]);
  expect(wrong(graphOf({ m: "Many", s: "Say" }, [["m", "IMAGE", "s", "any", APART]]))).toEqual([["edge.type_mismatch", "s", "any"]]);
});

test("a list that a bypassed node passes on is an issue where it arrives", () => {
  const wires: Wire[] = [
    ["c", "words", "b", "text"],
    ["b", "said", "s", "text", APART],
  ];
  expect(said(graphOf({ c: "Cut", b: "Say", s: "Say" }, wires, { b: { bypassed: true } }))).toEqual([
    ["edge.type_mismatch", "s", "text", expect.stringContaining("Words of c leaves"), expect.stringContaining("Choose at c")],
  ]);
});

test("a list for an input of another plane that takes one says what can be chosen", () => {
  const [misfit] = said(graphOf({ c: "Cut", t: "Take" }, [["c", "words", "t", "text"]]));
  expect(misfit?.slice(3)).toEqual([
    "This input takes a string, and the output gives an array.",
    "Choose at c what leaves: the first, or all, each by itself.",
  ]);
});

test("a subgraph's output is what leaves inside it: there is nothing to choose at the call", () => {
  const graph = readGraph({
    schema: "langgraph.v1",
    workflowId: "w",
    nodes: [
      { id: "k", service: "graph.call", plane: "node", status: "pending", params: { definition: "d" } },
      { id: "s", service: "Say", plane: "comfy", status: "pending" },
    ],
    edges: [{ from: "k", to: "s", metadata: { sourcePort: "words", targetPort: "text" } }],
    metadata: { definitions: { d: { nodes: [{ id: "c", service: "Cut", plane: "comfy", status: "pending" }], edges: [] } } },
  }).graph as Graph;
  const { root } = resolve(graph, library);
  expect(root.node("k")?.element?.outputs.map(leavesOf)).toEqual([undefined]);
  expect(said(graph)).toEqual([
    [
      "edge.type_mismatch",
      "s",
      "text",
      expect.stringContaining("leaves its ComfyUI prompt as a list"),
      "Choose inside the subgraph what leaves, or let s run for each element: the wire's settings have that.",
    ],
  ]);
});

test("equal choices are one definition, and an edit elsewhere leaves it", () => {
  const graph = graphOf({ m: "Make", n: "Make", s: "Save" }, [], { ...all("m", "IMAGE"), ...all("n", "IMAGE") });
  const { root } = resolve(graph, library);
  expect(root.node("m")?.element).toBe(root.node("n")?.element);
  expect(root.node("s")?.element).toBe(ALL[2]);
});

test("a choice that is none, at an output that has none, is said", () => {
  const bad = graphOf({ m: "Make" }, [], { m: { outputs: { IMAGE: "some" } } });
  expect(wrong(bad)).toEqual([["param.invalid", "m", "outputs"]]);
  const lost = graphOf({ m: "Make" }, [], { m: { outputs: { MODEL: "all", gone: "first" } } });
  expect(wrong(lost)).toEqual([]);
  const said = validate(lost, library).filter(({ severity }) => severity === "warning");
  expect(said.map(({ message }) => message)).toEqual([
    'Of "MODEL" there is nothing to choose: Make gives it as it is.',
    'Of "gone" there is nothing to choose: Make gives it as it is.',
  ]);
});

test("what was chosen is in the document that is written and read again", () => {
  const graph = graphOf({ m: "Make" }, [], all("m", "IMAGE"));
  expect(readGraphText(JSON.stringify(graph)).graph?.metadata?.nodes).toEqual(all("m", "IMAGE"));
});

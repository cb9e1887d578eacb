// A node that is bypassed (SPEC RC7): what it passes on, and what is told where it has nothing to pass on.
import { describe, expect, test } from "vitest";
import { validate } from "./check/validate.ts";
import { exportRegion } from "./comfy/export.ts";
import type { Graph, Plane } from "./graph.ts";
import type { Library, NodeDefinition } from "./library.ts";
import { enginesNotLive } from "./live.ts";
import { originsIn } from "./origins.ts";
import { passedOn } from "./passed-on.ts";
import { passesOf } from "./passing.ts";
import { portsOf } from "./ports.ts";
import { resolve } from "./resolve.ts";

const comfy = (type: string) => ({ "x-comfy-type": type });
const IMAGE = { ...comfy("IMAGE"), "x-artifact": "image" };
const TEXT = { type: "string" };
const kind = (plane: Plane, service: string, inputs: object, outputs: object, required: string[] = [], live = true): NodeDefinition =>
  ({
    plane,
    service,
    version: "1",
    label: service,
    inputs: portsOf({ properties: inputs, required }),
    outputs: portsOf({ properties: outputs }),
    parameters: [],
    engines: [{ id: "one", label: "one", plane, draft: false, live }],
    live,
    idempotent: true,
    timeoutSeconds: 0,
  }) as unknown as NodeDefinition;
const slots = (...types: string[]) => Object.fromEntries(types.map((type, slot) => [`${type}${slot}`, { ...comfy(type), "x-slot": slot }]));
const ALL = [
  kind("comfy", "Load", { file: { enum: ["a"], "x-on": { a: ["one"] } } }, { model: { ...comfy("MODEL"), "x-slot": 0 } }),
  kind("comfy", "Tune", { model: comfy("MODEL"), file: { enum: ["b"] } }, { model: { ...comfy("MODEL"), "x-slot": 0 } }, ["model"]),
  kind("comfy", "Draw", { model: comfy("MODEL"), image: IMAGE }, { image: { ...IMAGE, "x-slot": 0 } }, ["model"]),
  kind("node", "write", {}, { text: TEXT }),
  kind("node", "edit", { text: TEXT, count: { type: "integer" } }, { text: TEXT }, ["text", "count"], false),
  kind("node", "speak", { text: TEXT }, { sound: { "x-artifact": "audio" } }),
  kind("node", "hear", { sound: { "x-artifact": "audio" } }, {}, ["sound"]),
  kind("node", "read", { text: TEXT }, {}, ["text"]),
];
const library: Library = { find: (_, service) => ALL.find((one) => one.service === service), all: () => ALL };

const node = (id: string, service: string, params?: object) => {
  const { plane } = library.find("", service) as NodeDefinition;
  return { id, service, plane, status: "pending", ...(params ? { params } : {}) };
};
/** `a.out>b.in` is a wire. */
const graphOf = (nodes: object[], wires: string[], bypassed: string[], metadata: object = {}): Graph => {
  const edges = wires.map((wire) => {
    const [from, sourcePort, to, targetPort] = wire.split(/[.>]/);
    return { from, to, metadata: { sourcePort, targetPort } };
  });
  const settings = Object.fromEntries(bypassed.map((id) => [id, { bypassed: true }]));
  return { schema: "langgraph.v1", workflowId: "w", nodes, edges, metadata: { nodes: settings, ...metadata } } as unknown as Graph;
};
const issues = (graph: Graph) =>
  validate(graph, library)
    .filter(({ severity }) => severity !== "info")
    .map(({ severity, code, place }) => `${severity} ${code} ${place.node}.${place.port}`);

describe("[RC7] an output gives what is taken by", () => {
  const passes = (inputs: object, outputs: object) => Object.fromEntries(passesOf(kind("comfy", "K", inputs, outputs)));
  test.each<[string, object, object, Record<string, string>]>([
    ["the input at its place, if it has its type", slots("C", "C"), { p: comfy("C"), n: comfy("C") }, { p: "C0", n: "C1" }],
    ["the first input of its type", slots("A", "B", "B"), { b: comfy("B") }, { b: "B1" }],
    ["the first that fits, where none has its type", { n: { type: "integer" }, t: TEXT }, { n: { type: "number" } }, { n: "n" }],
    ["one of any type, where nothing else fits", { any: comfy("*") }, { a: comfy("A") }, { a: "any" }],
    ["none, if none fits", slots("A"), { b: comfy("B") }, {}],
    ["none, if the output is a choice", { on: { type: "boolean" } }, { yes: { type: "boolean", "x-branch": true } }, {}],
  ])("%s", (_, inputs, outputs, expected) => expect(passes(inputs, outputs)).toEqual(expected));

  test("a list, where the node would run for each of its elements", () => {
    const ports = new Map([
      ["a", "list"],
      ["b", "other"],
      ["c", "empty"],
    ]);
    expect(passedOn(ports, { list: [1, 2], other: "x" }, "list")).toEqual({ a: [1, 2], b: ["x", "x"] });
  });
});

describe("[RC7] a node that is bypassed", () => {
  const line = (bypassed: string[]) =>
    graphOf([node("w", "write"), node("e", "edit"), node("r", "read")], ["w.text>e.text", "e.text>r.text"], bypassed);

  test("asks for nothing, needs no engine, and is told of as such", () => {
    const { root } = resolve(line(["e"]), library);
    expect([root.inputs, enginesNotLive(line(["e"]), library), issues(line(["e"]))]).toEqual([[], [], []]);
    expect(validate(line(["e"]), library).map(({ code }) => code)).toContain("node.bypassed");
    expect(resolve(line([]), library).root.inputs.map(({ name }) => name)).toEqual(["count"]);
    expect(enginesNotLive(line([]), library)).toHaveLength(1);
  });
  test("is off where it has outputs and nothing to give at any of them, and passes the order on where it has none", () => {
    const graph = graphOf([node("s", "speak"), node("r", "read", { text: "x" })], [], ["s", "r"]);
    const { root } = resolve(graph, library);
    expect([root.node("s")?.isOff, root.node("r")?.isOff]).toEqual([true, false]);
    expect(issues(graph)).toEqual(["warning node.bypassed s.bypassed"]);
  });
  test("gives no name that it does not pass on", () => {
    const nodes = [node("w", "write"), node("s", "speak"), node("h", "hear")];
    const graph = {
      ...graphOf(nodes, [], ["s"]),
      edges: [
        { from: "w", to: "s" },
        { from: "s", to: "h" },
      ],
    } as unknown as Graph;
    expect(resolve(graph, library).root.node("h")?.sources).toMatchObject([{ kind: "run" }]);
  });
  test("that is switched off, too, is off; one that has a pinned output passes on", () => {
    const off = graphOf([node("e", "edit")], [], [], { nodes: { e: { bypassed: true, disabled: true } } });
    expect(resolve(off, library).root.node("e")).toMatchObject({ isOff: true, passes: undefined });
  });
  test("may name files that are not there", () => {
    const tune = (bypassed: string[]) =>
      graphOf(
        [node("l", "Load", { file: "a" }), node("t", "Tune", { file: "gone" }), node("d", "Draw")],
        ["l.model>t.model", "t.model>d.model"],
        bypassed,
      );
    expect(issues(tune([]))).toEqual(["error param.invalid t.file"]);
    expect(issues(tune(["t"]))).toEqual(["warning param.invalid t.file"]);
  });
});

describe("[G6, RC7] what has nothing to pass on is an issue where it is used", () => {
  test("an output that no input can stand in for", () => {
    const graph = graphOf([node("s", "speak", { text: "x" }), node("h", "hear")], ["s.sound>h.sound"], ["s"]);
    expect(issues(graph)).toEqual(["warning node.bypassed s.bypassed", "error edge.not_passed h.sound"]);
  });
  test("an input that has no value, behind another bypassed node, and for the graph's own output", () => {
    const nodes = [node("a", "Tune", { file: "b" }), node("b", "Tune", { file: "b" }), node("d", "Draw")];
    const given = {
      interface: { outputs: [{ name: "out", from: { node: "b", port: "model" } }] },
      nodes: { a: { bypassed: true }, b: { bypassed: true } },
    };
    const graph = graphOf(nodes, ["a.model>b.model", "b.model>d.model"], [], given);
    expect(issues(graph)).toEqual(["error edge.not_passed d.model", "warning edge.not_passed b.model"]);
  });
  test("but for nobody who is off, bypassed, or can do without", () => {
    const graph = graphOf(
      [node("l", "Load", { file: "a" }), node("x", "Draw"), node("d", "Draw")],
      ["l.model>d.model", "x.image>d.image"],
      ["x"],
    );
    expect(issues(graph)).toEqual(["warning edge.not_passed d.image"]);
  });
});

describe("[RC7, RG2] in a region", () => {
  const nodes = [node("l", "Load", { file: "a" }), node("t", "Tune"), node("u", "Tune"), node("d", "Draw")];
  const wires = ["l.model>t.model", "t.model>u.model", "u.model>d.model"];

  test("wires lead past it to what gives the value", () => {
    const graph = graphOf(nodes, wires, ["t", "u"]);
    const { root } = resolve(graph, library);
    expect(root.regions.map((region) => region.nodes)).toEqual([["l", "t", "u", "d"]]);
    expect(originsIn(root, () => true)("u", "model")).toEqual({ node: "l", output: "model" });
    expect(originsIn(root, (id) => id !== "l")("u", "model")).toEqual({ node: "t", input: "model" });
    const prompt = JSON.parse(exportRegion(graph, library).text ?? "{}");
    expect(Object.keys(prompt)).toEqual(["l", "d", "d>image"]);
    expect(prompt.d.inputs).toEqual({ model: ["l", 0] });
  });
  test("what it passes on leaves the region by the node that made it", () => {
    const more = [...nodes, node("v", "Draw"), node("w", "Draw")];
    const graph = graphOf(more, ["l.model>d.model", "l.model>v.model", "d.image>v.image"], ["v"], {
      nodes: { v: { bypassed: true }, w: { disabled: true }, t: { disabled: true }, u: { disabled: true } },
    });
    expect(Object.keys(JSON.parse(exportRegion(graph, library, "d").text ?? "{}"))).toContain("d>image");
  });
  test("it asks for no server that has it", () => {
    const away = kind("comfy", "Away", { model: comfy("MODEL") }, { model: { ...comfy("MODEL"), "x-slot": 0 } });
    const elsewhere = { ...away, engines: [{ id: "two", label: "two", plane: "comfy", draft: false, live: true }] } as NodeDefinition;
    const wider: Library = { find: (plane, service) => (service === "Away" ? elsewhere : library.find(plane, service)), all: () => ALL };
    const graph = (bypassed: string[]) =>
      graphOf([nodes[0] as object, { ...nodes[1], service: "Away" }, nodes[3] as object], ["l.model>t.model", "t.model>d.model"], bypassed);
    const codes = (one: Graph) => validate(one, wider).map(({ code }) => code);
    expect(codes(graph([]))).toContain("region.no_server");
    expect(codes(graph(["t"]))).not.toContain("region.no_server");
  });
});

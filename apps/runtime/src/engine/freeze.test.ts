import { type Graph, type LibraryEngine, portsOf } from "@spindle/graph-model";
import { describe, expect, test } from "vitest";
import { freezeNodes } from "./freeze.ts";
import { comfyNode, edge, graphOf, kindOf, libraryOf, node } from "./runs.testing.ts";

const IMAGE = { "x-comfy-type": "IMAGE", "x-artifact": "image" };
const server = (id: string, more: Partial<LibraryEngine> = {}): LibraryEngine => ({
  id,
  label: id,
  plane: "comfy",
  draft: false,
  live: true,
  ...more,
});
const FREE = ["one", "two", "three"].map((id) => server(id));
const kind = (service: string, engines: LibraryEngine[], inputs: object = {}) =>
  kindOf(service, {
    plane: "comfy",
    engines,
    inputs: portsOf({ properties: inputs }),
    outputs: portsOf({ properties: { image: { ...IMAGE, "x-slot": 0 } } }),
  });
const apart = graphOf([comfyNode("a"), comfyNode("b"), comfyNode("c")], []);
const serversOf = (graph: Graph, kinds: Parameters<typeof libraryOf>, busy: string[] | Record<string, number> = []) => {
  const level =
    freezeNodes(graph, libraryOf(...kinds), (id) => (Array.isArray(busy) ? Number(busy.includes(id)) : (busy[id] ?? 0)))[""] ?? {};
  return Object.fromEntries(graph.nodes.map(({ id }) => [id, level[id]?.engine]));
};

describe("[M4] the server of a region", () => {
  test("that is busy is passed over; what has another server keeps it", () => {
    const usual = serversOf(apart, [kind("comfy", FREE)]);
    expect(new Set(Object.values(usual))).toEqual(new Set(["one", "two", "three"]));
    for (const busy of ["one", "two", "three"]) {
      const now = serversOf(apart, [kind("comfy", FREE)], [busy]);
      expect(serversOf(apart, [kind("comfy", FREE)], [busy]), "equal reports, equal choice").toEqual(now);
      for (const [id, chosen] of Object.entries(now))
        if (usual[id] === busy) expect(chosen).not.toBe(busy);
        else expect(chosen).toBe(usual[id]);
    }
  });
  test("that fails comes last, behind those that are busy; of several that fail, the one that failed least often is chosen", () => {
    const chosen = (burdens: Record<string, number>) => new Set(Object.values(serversOf(apart, [kind("comfy", FREE)], burdens)));
    expect(chosen({ one: 6, two: 1, three: 2 })).toEqual(new Set(["two"]));
    expect(chosen({ one: 6, two: 4, three: 2 })).toEqual(new Set(["three"]));
    expect(chosen({ one: 6, two: 6, three: 6 })).toEqual(new Set(["one", "two", "three"]));
  });
  test("is the usual one where all are busy, and the one that is named, busy or not", () => {
    const all = ["one", "two", "three"];
    expect(serversOf(apart, [kind("comfy", FREE)], all)).toEqual(serversOf(apart, [kind("comfy", FREE)]));
    const named = graphOf([comfyNode("a")], [], { nodes: { a: { engine: "two" } } });
    expect(serversOf(named, [kind("comfy", FREE)], ["two"])).toEqual({ a: "two" });
  });
  test("that is not live is no choice, however free; a busy one that is live comes before it", () => {
    const engines = [server("one"), server("two", { live: false })];
    expect(serversOf(apart, [kind("comfy", engines)], ["one"])).toEqual({ a: "one", b: "one", c: "one" });
  });
  test("is live for each of its nodes: one that cannot read a class of them is no choice", () => {
    const pair = graphOf([comfyNode("a"), comfyNode("b", "other")], [edge("a", "b", { sourcePort: "image", targetPort: "image" })]);
    const kinds = [
      kind("comfy", [server("one"), server("two")]),
      kind("other", [server("one"), server("two", { live: false })], { image: IMAGE }),
    ];
    for (const workflowId of ["w", "v", "u", "t"])
      expect(serversOf({ ...pair, workflowId }, kinds as never)).toEqual({ a: "one", b: "one" });
  });
  test("has the files that its nodes name, also where a node runs once per element of a list", () => {
    const file = { file: { type: "string", enum: ["x", "y"], "x-on": { x: ["one"], y: ["two"] } }, image: IMAGE };
    const loads = (id: string, name: string) => ({ ...comfyNode(id, "loads"), params: { file: name } });
    const pictures = kindOf("node", { outputs: portsOf({ properties: { list: { type: "array", items: IMAGE } } }) });
    const mapped = graphOf(
      [node("all"), loads("a", "x"), loads("b", "y")],
      ["a", "b"].map((id) => edge("all", id, { sourcePort: "list", targetPort: "image", map: {} })),
    );
    const kinds = [pictures, kind("loads", [server("one"), server("two")], file)];
    expect(serversOf(mapped, kinds as never)).toMatchObject({ a: "one", b: "two" });
    expect(serversOf(mapped, kinds as never, ["one"])).toMatchObject({ a: "one", b: "two" });
    const alone = graphOf([loads("a", "x"), loads("b", "y")], []);
    expect(serversOf(alone, kinds as never, ["one", "two"])).toEqual({ a: "one", b: "two" });
  });
});

describe("[M4] a workflow that is an engine", () => {
  const workflow = (name: string, on: string, more: Partial<LibraryEngine> = {}) =>
    server(`${name}@${on}`, { blueprint: { name } as never, ...more });
  const talks = (engines: LibraryEngine[]) => [kindOf("talk", { plane: "python", engines })];
  const graph = graphOf([{ ...node("a"), service: "talk", plane: "python" }], []);
  test("runs on a server that is not busy; another workflow never stands in", () => {
    const engines = [workflow("good", "one"), workflow("good", "two"), workflow("fair", "three")];
    expect(serversOf(graph, talks(engines) as never)).toEqual({ a: "good@one" });
    expect(serversOf(graph, talks(engines) as never, ["one"])).toEqual({ a: "good@two" });
    expect(serversOf(graph, talks(engines) as never, ["one", "two"])).toEqual({ a: "good@one" });
  });
  test("stays where the node names it, and is not what `auto` leaves out", () => {
    const engines = [workflow("good", "one"), workflow("good", "two", { auto: false }), workflow("good", "three", { live: false })];
    expect(serversOf(graph, talks(engines) as never, ["one"])).toEqual({ a: "good@one" });
    const named = { ...graph, metadata: { nodes: { a: { engine: "good@one" } } } } as Graph;
    expect(serversOf(named, talks([workflow("good", "one"), workflow("good", "two")]) as never, ["one"])).toEqual({ a: "good@one" });
  });
});

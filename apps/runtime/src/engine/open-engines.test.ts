import { EventEmitter } from "node:events";
import { type Graph, type LibraryEngine, type NodeDefinition, resolve } from "@spindle/graph-model";
import { describe, expect, test } from "vitest";
import type { FrozenNodes } from "../record/frozen.ts";
import type { NodeRunRow } from "../record/node-run.ts";
import { freezeNodes, newNodeRun, resolvedAs } from "./freeze.ts";
import { OpenEngines } from "./open-engines.ts";
import { comfyNode, edge, graphOf, image, kindOf, libraryOf, node } from "./runs.testing.ts";

const engine = (id: string, live: boolean, more: Partial<LibraryEngine> = {}): LibraryEngine => ({
  id,
  label: id,
  plane: "python",
  draft: false,
  live,
  ...more,
});
const speak = (engines: LibraryEngine[], more: object = {}) =>
  kindOf("speak", { plane: "python", engines, timeoutSeconds: 60, version: "1", ...more });
const speaks = { ...node("a"), service: "speak", plane: "python" };
const graph = graphOf([speaks], []);
const AWAY = speak([engine("big", false), engine("small", false, { draft: true })]);

/** The engines of a run of the graph that was accepted with one kind, now that another is reported. */
function chooser(of: Graph, accepted: NodeDefinition[], now: NodeDefinition[], stored?: FrozenNodes) {
  const library = libraryOf(...accepted);
  const run = { id: "r", engines: freezeNodes(of, library) };
  const resolved = resolve(of, library);
  const reports = { library: () => current, burden: () => 0, changed: new EventEmitter() };
  let current = libraryOf(...now);
  const life = {
    isCancelled: false,
    closedBy: undefined,
    endSignal: new AbortController().signal,
    work: <T>(doing: () => Promise<T>) => doing(),
  };
  const runs = { frozenOf: async () => ({ engines: stored ?? run.engines, definitions: null }) };
  const bodies = new Map<string, object>();
  const frozen = {
    keep: async (more: ReadonlyMap<string, object>) => more.forEach((body, hash) => void bodies.set(hash, body)),
    find: async () => bodies,
  };
  const engines = new OpenEngines({ runs, frozen, decisions: {} as never, reports }, run, resolved, life);
  const choose = (id: string, path = id, isElement = false) => {
    const { nodeId, timeoutSeconds, stallSeconds = 0, ...frozen } = newNodeRun(run.engines, resolved.root, id, path, isElement);
    const row = { ...frozen, node_id: nodeId, timeout_seconds: timeoutSeconds, stall_seconds: stallSeconds, state: "queued" } as NodeRunRow;
    return engines.choose(resolved.root, id, row, isElement);
  };
  return {
    engines,
    run,
    choose,
    level: resolved.root,
    report: (...kinds: NodeDefinition[]) => {
      current = libraryOf(...kinds);
    },
  };
}

describe("[M4] a node that finds no live engine", () => {
  test("is frozen without one, on the plane of its capability; one that finds one is frozen with it", () => {
    expect(freezeNodes(graph, libraryOf(AWAY))[""]?.a).toMatchObject({ plane: "python", engine: "", draft: false, timeoutSeconds: 60 });
    const live = speak([engine("big", false), engine("small", true, { draft: true })]);
    expect(freezeNodes(graph, libraryOf(live))[""]?.a).toMatchObject({ engine: "small", draft: true });
  });
  test("that names its engine is frozen with that one", () => {
    const named = graphOf([speaks], [], { nodes: { a: { engine: "big" } } });
    expect(freezeNodes(named, libraryOf(AWAY))[""]?.a).toMatchObject({ engine: "big" });
  });
});

describe("[M4] the choice of an engine", () => {
  test("is the first one that is live by then, with all of its route: plane, version, draft mark and time-out", () => {
    const { choose, report } = chooser(graph, [AWAY], [AWAY]);
    expect(choose("a")).toBeUndefined();
    report(speak([engine("big", false), engine("small", true, { draft: true })], { timeoutSeconds: 90 }));
    expect(choose("a")).toMatchObject({
      row: { engine: "small", version: "1", draft: true, timeout_seconds: 90, plane: "python" },
      routing: { route: { engine: "small", version: "1" }, choice: { level: "", nodes: { a: { engine: "small", draft: true } } } },
    });
  });
  test("leaves out what `auto` leaves out, and another version than the run froze", () => {
    expect(chooser(graph, [AWAY], [speak([engine("big", true, { auto: false })])]).choose("a")).toBeUndefined();
    const live = (version: string) => speak([engine("big", true)], { version });
    expect(chooser(graph, [AWAY], [live("2")]).choose("a")).toBeUndefined();
    expect(chooser(graph, [AWAY], [live("1")]).choose("a")).toBeDefined();
  });
  test("may be a workflow of a ComfyUI server: then the route is a region's, and the workflow stays although nobody offers it any more", async () => {
    const blueprint = { name: "talk" } as never;
    const { choose, engines, level, report } = chooser(graph, [AWAY], [speak([engine("talk@left", true, { plane: "comfy", blueprint })])]);
    const chosen = choose("a");
    expect(chosen?.row).toMatchObject({ plane: "comfy", service: "comfy.region", engine: "talk@left" });
    await engines.keep(chosen?.routing ?? {});
    await engines.follow(chosen?.routing ?? {}, true);
    report(AWAY);
    expect(await engines.workflowOf(level, "a", chosen?.row as NodeRunRow)).toBe(blueprint);
  });
  test("needs every node of its region in the library", () => {
    const pair = graphOf([comfyNode("x"), comfyNode("y", "other")], [image("x", "y")]);
    const kinds = ["comfy", "other"].map((service) =>
      kindOf(service, { plane: "comfy", engines: [engine("left", false, { plane: "comfy" })] }),
    );
    expect(chooser(pair, kinds, kinds.slice(0, 1)).choose("group:x>")).toBeUndefined();
  });
  test("stands for the whole run once it is made: who comes later follows it and chooses no more", async () => {
    const { choose, engines, report } = chooser(graph, [AWAY], [speak([engine("small", true)])]);
    await engines.follow(choose("a")?.routing ?? {}, true);
    report(speak([engine("big", true), engine("small", false)]));
    expect(choose("a")?.routing).toEqual({}); // a new row has the engine from the start
    const old = { ...choose("a")?.row, engine: "" } as NodeRunRow;
    expect(engines.choose(resolve(graph, libraryOf(AWAY)).root, "a", old, false)).toEqual({
      row: expect.objectContaining({ engine: "small" }),
      routing: { route: expect.objectContaining({ engine: "small" }) },
    });
  });
  test("that was refused gives way to the one that the record has", async () => {
    const stored = freezeNodes(graph, libraryOf(speak([engine("big", true)])));
    const { choose, engines, run } = chooser(graph, [AWAY], [speak([engine("small", true)])], stored);
    await engines.follow(choose("a")?.routing ?? {}, false);
    expect(run.engines[""]?.a?.engine).toBe("big");
  });
});

describe("[M4, RG1] a region", () => {
  const server = (id: string, live: boolean) => engine(id, live, { plane: "comfy" });
  const kinds = (...servers: LibraryEngine[]) => {
    const inputs = [{ name: "image", type: "IMAGE", required: false, schema: {}, label: "" }];
    const outputs = [{ name: "image", type: "IMAGE", required: false, schema: {}, label: "" }];
    return [kindOf("comfy", { plane: "comfy", engines: servers, inputs, outputs })];
  };
  const pair = graphOf([comfyNode("x"), comfyNode("y")], [image("x", "y")]);
  test("has one server with all its nodes, chosen when it is ready", () => {
    const { choose } = chooser(pair, kinds(server("left", false)), kinds(server("left", true)));
    const { routing } = choose("group:x>") ?? {};
    expect(Object.entries(routing?.choice?.nodes ?? {}).map(([id, frozen]) => [id, frozen.engine])).toEqual([
      ["x", "left"],
      ["y", "left"],
      ["group:x>", "left"],
    ]);
  });
  test("stays as it was split when the run was accepted, whatever the servers have by then", () => {
    const away = kinds(server("left", false));
    const frozen = freezeNodes(pair, libraryOf(...away));
    const apart = libraryOf(kindOf("comfy", { plane: "comfy", engines: [server("left", true)] })); // its ports are gone, and with them the wire's type
    const other = graphOf([comfyNode("x"), comfyNode("y")], [edge("x", "y")]);
    expect([...resolve(other, apart).root.plan.regions.keys()]).toEqual(["group:x>", "group:y>"]);
    expect([...resolvedAs(resolve(other, apart), frozen).root.plan.regions.values()]).toEqual([{ id: "group:x>", nodes: ["x", "y"] }]);
    const same = resolve(pair, libraryOf(...away));
    expect(resolvedAs(same, frozen)).toBe(same);
  });
});

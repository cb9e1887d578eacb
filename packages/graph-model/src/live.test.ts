import { describe, expect, test } from "vitest";
import { readGraph } from "./check/document.ts";
import { validate } from "./check/validate.ts";
import type { Graph, Plane } from "./graph.ts";
import type { Library, LibraryEngine, NodeDefinition } from "./library.ts";
import { autoEngine, chosenEngine } from "./library.ts";
import { enginesNotLive } from "./live.ts";
import { portsOf } from "./ports.ts";
import { resolver } from "./resolve.ts";

const engine = (id: string, live: boolean, plane: Plane): LibraryEngine => ({
  id,
  label: id.toUpperCase(),
  plane,
  draft: false,
  live,
  ...(live ? {} : { reason: "It is away." }),
});
const kind = (plane: Plane, service: string, engines: Record<string, boolean>, live = true): NodeDefinition => ({
  plane,
  service,
  version: "1",
  label: `To ${service}`,
  description: "",
  category: "Test",
  keywords: [],
  docs: "",
  inputs: portsOf({ properties: { model: { "x-comfy-type": "MODEL" } } }),
  outputs: portsOf({ properties: { model: { "x-comfy-type": "MODEL", "x-slot": 0 } } }),
  parameters: [],
  engines: Object.entries(engines).map(([id, now]) => engine(id, now, plane)),
  live,
  idempotent: true,
  timeoutSeconds: 0,
});
const ALL = [
  kind("python", "speak", { big: false, small: true }),
  kind("python", "paint", { big: false, small: false }),
  kind("python", "dance", { big: false }, false),
  kind("node", "think", { big: false, small: true }),
  kind("comfy", "load", { left: false, right: true }),
  kind("comfy", "sample", { left: false }),
];
const library: Library = {
  find: (plane, service) => ALL.find((definition) => definition.plane === plane && definition.service === service),
  all: () => ALL,
};

function graph(services: string[], metadata: object = {}, edges: object[] = []): Graph {
  const nodes = services.map((service) => ({
    id: service,
    service,
    plane: ALL.find((definition) => definition.service === service)?.plane ?? "node",
    status: "pending",
  }));
  const calls = nodes.map((node) =>
    node.service.startsWith("call-") ? { ...node, service: "graph.call", params: { definition: node.service.slice(5) } } : node,
  );
  return readGraph({ schema: "langgraph.v1", workflowId: "w", nodes: calls, edges, metadata }).graph as Graph;
}
const found = (one: Graph) => enginesNotLive(one, library).map(({ node, issue }) => [node, issue.place.definition ?? "", issue.place.node]);

describe("[M4] an engine", () => {
  const [speak, paint] = ALL as [NodeDefinition, NodeDefinition];
  test("that is not live never stands in for `auto`, and is what its name says", () => {
    expect([autoEngine(speak)?.id, autoEngine(paint)]).toEqual(["small", undefined]);
    expect([chosenEngine(speak, "auto")?.id, chosenEngine(speak, "big")?.id, chosenEngine(paint, undefined)]).toEqual([
      "small",
      "big",
      undefined,
    ]);
  });
});

describe("[M4] a node without a live engine", () => {
  test("is named with its capability, each engine's reason and what to do; the graph itself stays right", () => {
    const issues = validate(graph(["speak", "paint", "dance"]), library).filter(({ code }) => code === "engine.not_live");
    expect(issues.map(({ severity, place, message, fix }) => [severity, place.node, message, fix])).toEqual([
      [
        "warning",
        "paint",
        "No engine of To paint is live (BIG: It is away; SMALL: It is away). A run waits at paint until one is.",
        expect.stringContaining("ready"),
      ],
      [
        "warning",
        "dance",
        "No engine of To dance is live (BIG: It is away). A run waits at dance until one is.",
        expect.stringContaining("Start a worker of the python plane"),
      ],
    ]);
  });
  test("does not matter where it does not run", () => {
    expect(found(graph(["paint"]))).toEqual([["paint", "", "paint"]]);
    for (const settings of [{ disabled: true }, { pinned: { model: 1 } }])
      expect(found(graph(["paint"], { nodes: { paint: settings } })), JSON.stringify(settings)).toEqual([]);
  });
  test("whose engine is named waits for that one: said once, by the node", () => {
    const codes = (service: string, engine: string) =>
      validate(graph([service], { nodes: { [service]: { engine } } }), library)
        .filter(({ place }) => place.node === service)
        .map(({ severity, code, message }) => [severity, code, message]);
    expect(codes("dance", "big")).toEqual([["warning", "node.offline", expect.stringContaining("stay queued")]]);
    expect(codes("speak", "big")).toEqual([
      ["warning", "node.engine_not_live", "BIG is not live: It is away. A run waits here until it is."],
    ]);
    expect(codes("think", "big")).toEqual([["error", "node.engine_not_live", "BIG is not live: It is away."]]);
    expect(found(graph(["speak", "dance"], { nodes: { speak: { engine: "big" }, dance: { engine: "big" } } }))).toEqual([]);
    expect(codes("speak", "small")).toEqual([]);
  });
  test("in a subgraph counts for each call of it, and for none if nothing calls it", () => {
    const inner = (service: string) => ({
      nodes: [
        {
          id: "deep",
          service,
          plane: service === "graph.call" ? "node" : "python",
          status: "pending",
          ...(service === "graph.call" ? { params: { definition: "a" } } : {}),
        },
      ],
      edges: [],
    });
    const definitions = { a: inner("paint"), b: inner("graph.call") };
    expect(found(graph(["speak"], { definitions }))).toEqual([]);
    expect(found(graph(["call-a", "call-b"], { definitions }))).toEqual([
      ["call-a", "a", "deep"],
      ["call-b", "a", "deep"],
    ]);
  });
  test("in subgraphs that each call the next one twice counts once for each call of the graph itself", () => {
    const call = (id: string, definition: string) => ({
      id,
      service: "graph.call",
      plane: "node",
      status: "pending",
      params: { definition },
    });
    const paint = { id: "deep", service: "paint", plane: "python", status: "pending" };
    const names = Array.from({ length: 31 }, (_, index) => (index === 0 ? "a" : `d${index}`));
    const definitions = Object.fromEntries(
      names.map((name, index) => {
        const next = names[index + 1];
        return [name, { nodes: next ? [call("left", next), call("right", next)] : [paint], edges: [] }];
      }),
    );
    expect(found(graph(["call-a"], { definitions }))).toEqual([["call-a", "d30", "deep"]]);
  });
  test("of a region is one whose server is away, though another part of it could run elsewhere", () => {
    const wire = { from: "load", to: "sample", metadata: { sourcePort: "model", targetPort: "model" } };
    expect(found(graph(["load"]))).toEqual([]);
    expect(found(graph(["load", "sample"], {}, [wire]))).toEqual([["load", "", "load"]]);
  });
});

test("an edit of one node copies the definitions of none of the others", () => {
  let copied = 0;
  const watched = new Proxy(kind("python", "speak", { big: true }), {
    ownKeys: (target) => {
      copied++;
      return Reflect.ownKeys(target);
    },
  });
  const only: Library = { find: () => watched, all: () => [watched] };
  const nodes = Array.from({ length: 300 }, (_, at) => ({
    id: `n${at}`,
    service: "speak",
    plane: "python" as const,
    status: "pending" as const,
  }));
  const first = { schema: "langgraph.v1", workflowId: "w", nodes, edges: [] } as unknown as Graph;
  const next = resolver(only);
  next(first);
  validate(first, only);
  copied = 0;
  const edited = { ...first, nodes: first.nodes.with(7, { ...first.nodes[7], name: "Other" } as never) } as Graph;
  next(edited);
  validate(edited, only);
  expect(copied).toBeLessThan(5);
});

import type { Graph, Library, NodeDefinition, Port } from "@spindle/graph-model";
import { type Blueprint, BUS } from "@spindle/schemas";
import { describe, expect, test } from "vitest";
import type { Earlier, RecordedOptions, Took } from "../record/types.ts";
import { PlanService } from "./plan-service.ts";

const blueprint: Blueprint = {
  name: "talk",
  capability: "test.talk",
  label: "Talk",
  description: "",
  prompt: { save: { class_type: "Save", inputs: { seconds: 1 } } },
  set: { "save.seconds": "inputs.seconds" },
  gives: { video: { from: "save", pick: "video" } },
  limits: [{ holds: "inputs.seconds <= 60", otherwise: "At most 60 s can be said at once." }],
  models: [],
};
const engine = { id: "talk@one", label: "Talk", plane: "comfy", draft: false, live: true, blueprint } as const;
const port = (name: string, type: string): Port => ({ name, label: name, type, required: false, schema: {} });
const talk: NodeDefinition = {
  plane: "python",
  service: "test.talk",
  version: "1",
  label: "Talk",
  description: "",
  category: "Test",
  keywords: [],
  docs: "",
  inputs: [port("seconds", "number")],
  outputs: [port("video", "any")],
  parameters: [],
  engines: [engine],
  live: true,
  idempotent: true,
  timeoutSeconds: 60,
};
const library: Library = { find: (_, service) => (service === talk.service ? talk : undefined), all: () => [talk] };
const graphOf = (seconds: number): Graph =>
  ({
    schema: "langgraph.v1",
    workflowId: "w",
    nodes: [{ id: "t", name: "Speech", service: talk.service, plane: "python", status: "pending", params: { seconds } }],
    edges: [],
  }) as Graph;
const record = {
  results: { cached: async () => undefined, lastOf: async () => undefined, outputsOf: async () => new Map() },
  queue: { durations: async () => new Map<string, Took>() },
};
const plan = (seconds: number) => new PlanService(record, () => library).plan(graphOf(seconds), {}, {});

test("[E12] a plan of a workflow whose limit does not hold is refused, with the node and the reason", async () => {
  await expect(plan(90)).rejects.toMatchObject({
    status: 422,
    message: "The graph cannot run: Speech: At most 60 s can be said at once.",
    details: { issues: [{ severity: "error", code: "node.user_error", place: { node: "t" } }] },
  });
  expect((await plan(30)).nodes).toMatchObject([{ node: "t", does: "runs" }]);
});

test("[E12] the event loop turns between the steps of a plan, and within a long one", async () => {
  const first = graphOf(30).nodes[0] as Graph["nodes"][0];
  const graph = { ...graphOf(30), nodes: Array.from({ length: 1100 }, (_, at) => ({ ...first, id: `t${at}` })) } as Graph;
  let turns = 0;
  let isPlanned = false;
  const count = () => {
    turns++;
    if (!isPlanned) setImmediate(count);
  };
  setImmediate(count);
  await new PlanService(record, () => library).plan(graph, {}, {});
  isPlanned = true;
  expect(turns).toBeGreaterThanOrEqual(6);
});

describe("[E12] a node that is asked to run again", () => {
  const row = { id: "n", run_id: "r", node_id: "t", service: "test.talk", version: "1", engine: "talk@one", cache_key: null };
  const earlier: Earlier = { ...row, input: null, output: { video: {}, p: {}, q: {} } };
  const image = { type: "object", "x-artifact": "image", "x-comfy-type": "IMAGE" };
  const pixels: Port = { ...port("image", "image"), schema: { ...image, "x-slot": 0 } };
  const comfy: NodeDefinition = { ...talk, plane: "comfy", outputs: [pixels] };
  const draw: NodeDefinition = { ...comfy, service: "Draw", engines: [{ ...engine, id: "one", blueprint: undefined } as never] };
  const show: NodeDefinition = { ...draw, service: "Show", inputs: [{ ...port("image", "image"), schema: image }] };
  const all = [{ ...talk, engines: [{ ...engine, blueprint: undefined } as never] }, draw, show];
  const known: Library = { find: (_, service) => all.find((definition) => definition.service === service), all: () => all };
  const stored = {
    results: { ...record.results, cached: async () => earlier },
    queue: {
      durations: async () =>
        new Map(["test.talk\ntalk@one", `${BUS.region}\none`].map((key) => [key, { ms: 4000, low: 3000, high: 9000 }])),
    },
  };
  const of = (graph: object, options: RecordedOptions) =>
    new PlanService(stored, () => known).plan({ schema: "langgraph.v1", workflowId: "w", ...graph } as Graph, {}, options);
  const node = (id: string, service: string, plane: string) => ({ id, service, plane, status: "pending" });
  const alone = { nodes: [node("t", "test.talk", "python")], edges: [] };
  const wire = { from: "p", to: "q", metadata: { sourcePort: "image", targetPort: "image" } };
  const region = { nodes: [node("p", "Draw", "comfy"), node("q", "Show", "comfy")], edges: [wire] };

  test("runs although there is a result, and says why", async () => {
    expect((await of(alone, {})).nodes).toMatchObject([{ does: "reuses", expectedMs: 0 }]);
    expect(await of(alone, { force: ["t"] })).toEqual({
      nodes: [{ node: "t", does: "runs", why: "It was asked to run again.", expectedMs: 4000, between: [3000, 9000], ifChanged: false }],
      expectedMs: 4000,
      between: [3000, 9000],
    });
  });
  test("is certain; what depends on it runs only if what it takes has changed by then, unless its results never stand", async () => {
    const along = (from: string, to: string) => ({ from, to, metadata: { sourcePort: "video", targetPort: "seconds" } });
    const odd: NodeDefinition = { ...(all[0] as NodeDefinition), service: "test.odd", idempotent: false };
    const graph = { nodes: ["t", "u"].map((id) => node(id, "test.talk", "python")), edges: [along("t", "u")] };
    const { nodes, between } = await of(graph, { force: ["t"] });
    expect(nodes.map(({ does, ifChanged }) => [does, ifChanged])).toEqual([
      ["runs", false],
      ["runs", true],
    ]);
    expect(between, "one of them at least, both at most").toEqual([3000, 18000]);
    all.push(odd);
    const never = { ...graph, nodes: [graph.nodes[0], { ...node("u", "test.odd", "python") }] };
    expect((await of(never, { force: ["t"] })).nodes[1]).toMatchObject({ does: "runs", ifChanged: false });
    expect((await of(graph, { force: ["t", "u"] })).nodes[1], "it is asked to run as well").toMatchObject({
      does: "runs",
      ifChanged: false,
    });
  });
  test("runs nothing of what is bypassed, whose own value is what the node before it gives", async () => {
    const wires = [wire, { from: "q", to: "s", metadata: { sourcePort: "image", targetPort: "image" } }];
    const graph = { nodes: [...region.nodes, node("s", "Show", "comfy")], edges: wires, metadata: { nodes: { q: { bypassed: true } } } };
    const why = "It is bypassed: it passes on what it takes.";
    expect((await of(graph, {})).nodes.map(({ does }) => does)).toEqual(["reuses", "reuses", "reuses"]);
    expect((await of(graph, { force: ["q"] })).nodes.map(({ does }) => does)).toEqual(["reuses", "reuses", "reuses"]);
    expect((await of(graph, { force: ["p"] })).nodes).toMatchObject([
      { does: "runs" },
      { node: "q", does: "reuses", why },
      { does: "runs" },
    ]);
    const apart = { ...graph, metadata: { nodes: { q: { bypassed: true }, p: { pinned: { image: {} } } } } };
    expect((await of(apart, {})).nodes.map(({ does }) => does)).toEqual(["reuses", "reuses", "reuses"]);
  });
  test("is what those depend on that are behind a bypassed node", async () => {
    const along = (from: string, to: string) => ({ from, to, metadata: { sourcePort: "video", targetPort: "seconds" } });
    const graph = {
      nodes: ["t", "u", "v"].map((id) => node(id, "test.talk", "python")),
      edges: [along("t", "u"), along("u", "v")],
      metadata: { nodes: { u: { bypassed: true } } },
    };
    expect((await of(graph, { force: ["t"] })).nodes[2]).toMatchObject({ does: "runs", why: "It depends on t, which runs." });
  });
  test("runs with the prompt of which it is a part, whose time counts once", async () => {
    expect((await of(region, {})).nodes.map(({ does }) => does)).toEqual(["reuses", "reuses"]);
    expect(await of(region, { force: ["q"] })).toEqual({
      nodes: [
        { node: "p", does: "runs", why: "It was asked to run again.", expectedMs: 4000, between: [3000, 9000], ifChanged: false },
        { node: "q", does: "runs", why: "It was asked to run again.", expectedMs: 0, between: [0, 0], ifChanged: false },
      ],
      expectedMs: 4000,
      between: [3000, 9000],
    });
  });
});

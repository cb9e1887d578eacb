// Subgraphs that are copies of shared ones, and copies of calls: what they call goes with them.
import type { Graph, Library, NodeDefinition } from "@spindle/graph-model";
import { loadGraph, normalise, Undo } from "@spindle/graph-model/shared-doc";
import { describe, expect, test } from "vitest";
import * as Y from "yjs";
import { ME } from "../session/use-document";
import { isEdited, linkOf } from "./definitions";
import { pasteCopied, place } from "./edits";
import { differences, documentOf, follow, setLink, sharedEntry, updateTo, whyNotFollowed } from "./linked";
import { makeUnique } from "./subgraphs";

const SAY = {
  plane: "node",
  service: "say",
  version: "1",
  label: "Say",
  inputs: [{ name: "text", label: "Text", type: "string", required: false, schema: { type: "string" } }],
  outputs: [{ name: "text", label: "Text", type: "string", required: false, schema: { type: "string" } }],
  parameters: [],
  engines: [{ id: "one", live: true }],
  live: true,
} as unknown as NodeDefinition;
const library: Library = { find: (_, service) => (service === "say" ? SAY : undefined), all: () => [SAY] };
const say = (id: string, text = id) => ({ id, name: id, service: "say", plane: "node", status: "pending", params: { text } });
const call = (id: string, definition: string) => ({
  id,
  name: id,
  service: "graph.call",
  plane: "node",
  status: "pending",
  params: { definition },
});
const port = (node: string) => ({ outputs: [{ name: "text", label: "Text", from: { node, port: "text" } }] });
const graphOf = (nodes: object[], metadata: object = {}): Graph =>
  ({ schema: "langgraph.v1", workflowId: "g", context: {}, nodes, edges: [], metadata }) as unknown as Graph;
const definition = (nodes: object[], more: object = {}) => ({
  nodes,
  edges: [],
  metadata: { label: "Polish", interface: port((nodes[0] as { id: string }).id) },
  ...more,
});

function page(graph: Graph) {
  const doc = new Y.Doc();
  loadGraph(doc, "before", graph);
  const now = () => normalise(doc).graph;
  const definitions = () => now().metadata?.definitions as Record<string, { nodes: { id: string; params: object }[]; link?: object }>;
  return { doc, now, definitions, known: () => ({ graph: now(), library }) };
}
const SHARED = { definition: "4e7bd3a4-3c38-4a43-9d8e-5a0a9a9f6a11", version: "1" };

describe("a call that is pasted", () => {
  const nested = graphOf([call("b", "Polish")], {
    definitions: { Polish: definition([call("in", "Inner")]), Inner: definition([say("x")]), Other: definition([say("z")]) },
  });

  test("[G5] brings what it calls, and what that calls, and nothing else", () => {
    const to = page(graphOf([say("a")]));
    pasteCopied(to.doc, nested, { x: 0, y: 0 });
    expect(Object.keys(to.definitions()).sort()).toEqual(["Inner", "Polish"]);
    expect(to.now().nodes.map(({ params }) => params?.definition)).toEqual([undefined, "Polish"]);
  });

  test("[G5] calls the one that is there if it is the same, and its own under another name if it is not", () => {
    const same = page(nested);
    pasteCopied(same.doc, nested, { x: 0, y: 0 });
    expect(Object.keys(same.definitions())).toHaveLength(3);
    const other = page(
      graphOf([call("b", "Polish")], { definitions: { Polish: definition([say("p")]), Inner: definition([say("x", "else")]) } }),
    );
    pasteCopied(other.doc, nested, { x: 0, y: 0 });
    expect(Object.keys(other.definitions()).sort()).toEqual(["Inner", "Inner 2", "Polish", "Polish 2"]);
    expect(other.now().nodes.at(-1)?.params?.definition).toBe("Polish 2");
    expect(other.definitions()["Polish 2"]?.nodes[0]?.params).toEqual({ definition: "Inner 2" });
  });
});

describe("a shared subgraph", () => {
  const first = graphOf([say("x")], { label: "Polish", interface: port("x") });
  const second = graphOf([say("x", "better"), say("y")], { label: "Polish", interface: port("y") });

  test("[G5] is added as a node that calls a copy, which knows where it is from; a second node calls the same copy", () => {
    const to = page(graphOf([say("a")]));
    const entry = sharedEntry({ ...SHARED, label: "Polish", description: "" }, first, library);
    expect([entry.label, entry.category, entry.outputs.map(({ name }) => name)]).toEqual(["Polish", "Shared subgraphs", ["text"]]);
    place(to.doc, entry, { x: 0, y: 0 });
    place(to.doc, entry, { x: 0, y: 200 });
    expect(to.now().nodes.map(({ params }) => params?.definition)).toEqual([undefined, "Polish", "Polish"]);
    expect(linkOf(to.now(), "Polish")).toEqual(SHARED);
    expect(isEdited(to.now(), "Polish", first)).toBe(false);
  });

  test("[G5] follows a new version unless it is held, was edited here, or would break a wire", () => {
    const linked = { ...definition([say("x")]), link: SHARED };
    const at = (graph: Graph) => {
      const to = page(graph);
      return { ...to, why: (next = second) => whyNotFollowed(to.now(), "Polish", first, next, library) };
    };
    const plain = graphOf([call("b", "Polish")], { definitions: { Polish: linked } });
    const to = at(plain);
    expect(to.why()).toBeUndefined();
    const undo = new Undo(to.doc, ME, 0);
    follow(to.doc, "Polish", second, { ...SHARED, version: "2" });
    expect(linkOf(to.now(), "Polish")).toEqual({ ...SHARED, version: "2" });
    expect(to.definitions().Polish?.nodes.map(({ id }) => id)).toEqual(["x", "y"]);
    expect(undo.undoStack.length, "nobody here made this edit").toBe(0);
    const held = page(plain);
    setLink(held.doc, held.now(), "Polish", { ...SHARED, held: true });
    expect(whyNotFollowed(held.now(), "Polish", first, second, library)).toMatch(/held/);
    expect(at(graphOf([call("b", "Polish")], { definitions: { Polish: { ...linked, nodes: [say("x", "mine")] } } })).why()).toMatch(
      /edited/,
    );
    const wired = {
      ...plain,
      nodes: [...plain.nodes, say("c")],
      edges: [{ from: "b", to: "c", kind: "normal", metadata: { id: "w", sourcePort: "text", targetPort: "text" } }],
    } as unknown as Graph;
    const renamed = graphOf([say("x")], { interface: { outputs: [{ name: "other", label: "Other", from: { node: "x", port: "text" } }] } });
    expect(at(wired).why(renamed)).toBeDefined();
  });

  test("[G5] an update says what differs, is one step of undo, and a copy of its own has no link", () => {
    const to = page(
      graphOf([call("b", "Polish"), call("c", "Polish")], { definitions: { Polish: { ...definition([say("x")]), link: SHARED } } }),
    );
    expect(differences(first, second).map(({ how, what }) => `${how} ${what}`)).toEqual([
      "changed x: Text",
      "added y",
      "changed The output Text",
    ]);
    const undo = new Undo(to.doc, ME, 0);
    updateTo(to.doc, "Polish", second, { ...SHARED, version: "2" });
    expect(isEdited(to.now(), "Polish", second)).toBe(false);
    undo.undo();
    expect([linkOf(to.now(), "Polish"), to.definitions().Polish?.nodes.length]).toEqual([SHARED, 1]);
    makeUnique(to.doc, to.now(), "c");
    expect([linkOf(to.now(), "Polish 2"), linkOf(to.now(), "Polish")]).toEqual([undefined, SHARED]);
  });

  test("[G5] what is shared is one document with all that it calls, and says nothing of its graph", () => {
    const graph = graphOf([call("b", "Polish")], {
      nodes: { b: { breakpoint: "before" } },
      definitions: {
        Polish: { ...definition([call("in", "Inner")]), link: SHARED },
        Inner: definition([say("x")]),
        Other: definition([say("z")]),
      },
    });
    const shared = documentOf(graph, "Polish") as Graph;
    expect(Object.keys(shared.metadata?.definitions as object)).toEqual(["Inner"]);
    expect(shared).toMatchObject({ schema: "langgraph.v1", nodes: [{ id: "in" }], metadata: { label: "Polish" } });
    expect(shared.metadata).not.toHaveProperty("nodes");
    expect(isEdited(graph, "Polish", shared)).toBe(false);
  });
});

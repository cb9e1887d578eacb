// People who have one graph open, each with an undo of their own.
import type { Graph } from "@spindle/schemas";
import { expect } from "vitest";
import * as Y from "yjs";
import { copyOf, loadGraph, migrate, normalise, setDefinition, Undo } from "./index.ts";

export const PROSE = "An old harbour at dawn, seen from a fishing boat, in the manner of a Dutch painting of 1650.";
export const AT = { x: 0, y: 0 };

export interface Person {
  name: string;
  doc: Y.Doc;
  undo: Undo;
}

export function people(first: (doc: Y.Doc) => void, captureTimeout = 0): [Person, Person, Person] {
  const doc = new Y.Doc();
  doc.clientID = 9;
  migrate(doc);
  first(doc);
  return ["ada", "ben", "cy"].map((name, at) => {
    const own = copyOf(doc);
    own.clientID = at + 1;
    return { name, doc: own, undo: new Undo(own, name, captureTimeout) };
  }) as [Person, Person, Person];
}

export function meet(...all: Person[]): Graph {
  const updates = all.map(({ doc }) => Y.encodeStateAsUpdate(doc));
  for (const { doc } of all) for (const update of updates) Y.applyUpdate(doc, update);
  const [first, ...others] = all.map(({ doc }) => normalise(doc));
  for (const other of others) expect(other).toEqual(first);
  return first?.graph as Graph;
}

export const nodeIn = (graph: Graph, id = "n") => graph.nodes.find((one) => one.id === id);
export const params = (person: Person, id = "n") => nodeIn(normalise(person.doc).graph, id)?.params;
/** One node, "n", with three parameters. */
export const first = (doc: Y.Doc) => {
  const nodes = [{ id: "n", service: "pass", plane: "node", status: "pending", params: { x: 0, y: 0, prompt: PROSE } }];
  setDefinition(doc, "first", "d", { nodes, edges: [] });
  const { graph } = normalise(doc);
  loadGraph(doc, "first", { ...graph, nodes: [{ ...nodes[0], id: N }] } as Graph);
};
export const N = "own";

// Commands write the graph of a document, or one of its definitions.
import { expect, test } from "vitest";
import * as Y from "yjs";
import {
  addNode,
  copyNodes,
  DefinitionSheet,
  loadGraph,
  nodeIdsOf,
  normalise,
  pasteNodes,
  removeDefinition,
  sheetGraph,
  sheetOn,
} from "./index.ts";

const node = (id: string) => ({ id, service: "pass", plane: "node", status: "pending" }) as const;
const AT = { x: 0, y: 0 };

function documentWith(): Y.Doc {
  const doc = new Y.Doc();
  loadGraph(doc, "me", {
    schema: "langgraph.v1",
    workflowId: "w",
    nodes: [node("a")],
    edges: [],
    metadata: {
      definitions: { d: { nodes: [node("x"), node("y")], edges: [{ from: "x", to: "y" }] }, e: { nodes: [node("z")], edges: [] } },
    },
  });
  return doc;
}

test("[G5] nodes of a definition are copied and pasted within it, and the graph stays as it is", () => {
  const doc = documentWith();
  const sheet = sheetOn(doc, "d");
  const copied = copyNodes(sheet, ["x", "y"]);
  const ids = pasteNodes(sheet, "me", copied as never, AT);
  expect([...nodeIdsOf(sheet)]).toEqual(["x", "y", ...ids]);
  expect(sheetGraph(sheet).edges.map(({ from, to }) => [from, to])).toContainEqual(ids);
  expect([...nodeIdsOf(doc)]).toEqual(["a"]);
});

test("[G5] a definition as a graph has what it may call, and is empty once it is gone", () => {
  const doc = documentWith();
  const sheet = new DefinitionSheet(doc, "d");
  expect(Object.keys(sheetGraph(sheet).metadata?.definitions ?? {})).toEqual(["d", "e"]);
  removeDefinition(doc, "me", "d");
  expect(sheetGraph(sheet).nodes).toEqual([]);
  expect(pasteNodes(sheet, "me", normalise(documentWith()).graph, AT)).toEqual([]);
  expect(() => addNode(sheet, "me", { service: "pass", plane: "node", position: AT })).toThrow("There is no definition d.");
});

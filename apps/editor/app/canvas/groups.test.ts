import type { Graph } from "@spindle/graph-model";
import { addNode, connect, normalise } from "@spindle/graph-model/shared-doc";
import { expect, test } from "vitest";
import * as Y from "yjs";
import { folded, foldedPorts, foldedSize, frameAround, groupsOf, joinGroup, makeGroup, toggleCollapsed, ungroup } from "./groups";

function page() {
  const doc = new Y.Doc();
  const graph = (): Graph => {
    const { graph } = normalise(doc);
    return { ...graph, edges: graph.edges.toSorted((one) => (one.from === a ? -1 : 1)) };
  };
  const [a = "", b = "", c = ""]: string[] = [0, 400, 800].map((x) =>
    addNode(doc, "me", { service: "pass", plane: "node", position: { x, y: 0 } }),
  );
  connect(doc, "me", { node: a, port: "value" }, { node: b, port: "value" });
  connect(doc, "me", { node: b, port: "value" }, { node: c, port: "value" });
  return { doc, graph, a, b, c };
}
const members = (graph: Graph) => groupsOf(graph).map(({ nodes }) => nodes);

test("a node is in one group: in a new one it leaves its former, and an empty group goes", () => {
  const { doc, graph, a, b, c } = page();
  const first = makeGroup(doc, graph(), [a, b]);
  makeGroup(doc, graph(), [b, c]);
  expect(members(graph())).toEqual([[a], [b, c]]);
  joinGroup(doc, graph(), first, [b, c]);
  expect(members(graph())).toEqual([[a, b, c]]);
  ungroup(doc, graph(), new Set([c]));
  expect(groupsOf(graph())).toEqual([]);
});

test("a frame is around the cards of its group, with room for its title", () => {
  const { doc, graph, a, b } = page();
  makeGroup(doc, graph(), [a, b]);
  const [group] = groupsOf(graph());
  const boxes = new Map([a, b].map((id, index) => [id, { x: index * 400, y: 100, width: 300, height: 200 }]));
  expect(group && frameAround(group, boxes)).toEqual({ x: -20, y: 44, width: 740, height: 276 });
});

test("a collapsed group draws the wires that cross its frame, to ports of its own, and none of those inside", () => {
  const { doc, graph, a, b, c } = page();
  makeGroup(doc, graph(), [b]);
  toggleCollapsed(doc, graph(), new Set([b]));
  const groups = groupsOf(graph());
  const wires = graph().edges.map(({ from, to }, index) => ({
    id: `${index}`,
    source: from,
    target: to,
    sourceHandle: "value",
    targetHandle: "value",
  }));
  const id = `group ${groups[0]?.id}`;
  expect(
    folded(wires, groups).map(({ source, target, sourceHandle, targetHandle }) => [source, sourceHandle, target, targetHandle]),
  ).toEqual([
    [a, "value", id, `${b}\nvalue`],
    [id, `${b}\nvalue`, c, "value"],
  ]);
  const [group] = groups;
  expect(group && foldedPorts(graph(), group)).toEqual({
    inputs: [{ id: `${b}\nvalue`, node: b, port: "value" }],
    outputs: [{ id: `${b}\nvalue`, node: b, port: "value" }],
  });
  makeGroup(doc, graph(), [a, b, c]);
  toggleCollapsed(doc, graph(), new Set([a]));
  expect(folded(wires, groupsOf(graph()))).toEqual([]);
});

test("a collapsed group is as wide as its labels, within limits", () => {
  const plain = foldedSize("Group", [], []);
  const short = foldedSize("Group", ["Fill: Text"], ["Write: Script"]);
  expect(short.height).toBeGreaterThan(plain.height);
  expect(foldedSize("Group", ["Fill template: Text"], ["Write script: Script"]).width).toBeGreaterThan(short.width);
  expect(foldedSize("x".repeat(300), [], []).width).toBe(foldedSize("x".repeat(600), [], []).width);
});

import { expect, test } from "vitest";
import type { Graph } from "../graph.ts";
import { drawGraph } from "./picture.ts";

const node = (id: string, plane = "node", more: object = {}) => ({ id, service: "text.template", plane, status: "pending", ...more });
const graphOf = (nodes: object[], edges: object[] = [], positions?: object) =>
  ({
    schema: "langgraph.v1",
    workflowId: "w",
    nodes,
    edges,
    ...(positions ? { metadata: { editor: { positions } } } : {}),
  }) as unknown as Graph;

const numbers = (svg: string): number[] => (svg.match(/ d="[^"]*"/g) ?? []).flatMap((d) => (d.match(/-?\d+(\.\d+)?/g) ?? []).map(Number));

test("each plane is drawn in its own shape and colour, and each wire once", () => {
  const svg = drawGraph(
    graphOf(
      [node("a"), node("b", "python"), node("c", "comfy")],
      [
        { from: "a", to: "b" },
        { from: "a", to: "b", metadata: { sourcePort: "x", targetPort: "y" } },
        { from: "b", to: "c" },
        { from: "b", to: "gone" },
      ],
      { a: { x: 0, y: 0 }, b: { x: 400, y: 0 }, c: { x: 800, y: 100 } },
    ),
  );
  for (const plane of ["node", "python", "comfy"]) expect(svg).toContain(`stroke="var(--plane-${plane}, currentColor)"`);
  const [wires = ""] = svg.match(/ d="[^"]*"/) ?? [];
  expect(wires.match(/M/g)).toHaveLength(2);
});

test("no text of a graph gets into its picture", () => {
  const evil = `"><script>alert(1)</script>`;
  const svg = drawGraph(
    graphOf([node(evil, "node", { name: evil, service: evil, params: { text: evil } })], [{ from: evil, to: evil, kind: evil }], {
      [evil]: { x: 1, y: 1 },
    }),
  );
  expect(svg).not.toMatch(/script|alert/);
});

test("5,000 nodes and 20,000 wires make a picture of less than 64 kB, within its frame", () => {
  const nodes = Array.from({ length: 5000 }, (_, at) => node(`n${at}`, ["node", "python", "comfy"][at % 3]));
  const edges = Array.from({ length: 20_000 }, (_, at) => ({ from: `n${at % 5000}`, to: `n${(at * 7919 + 13) % 5000}` }));
  const positions = Object.fromEntries(nodes.map(({ id }, at) => [id, { x: (at % 71) * 320, y: Math.floor(at / 71) * 190 }]));
  for (const svg of [drawGraph(graphOf(nodes, edges, positions)), drawGraph(graphOf(nodes, edges))])
    expect([svg.length < 64 * 1024, Math.min(...numbers(svg)) >= -240, Math.max(...numbers(svg)) <= 240]).toEqual([true, true, true]);
});

test.each([
  ["far away", { a: { x: 1e308, y: -1e308 }, b: { x: -1e308, y: 1e308 } }],
  ["in one place", { a: { x: 5, y: 5 }, b: { x: 5, y: 5 } }],
  ["nowhere", undefined],
  ["in part", { a: { x: 40, y: 40 } }],
  ["no numbers", { a: { x: "1", y: null }, b: 7 }],
])("nodes that lie %s are drawn within the frame", (_, positions) => {
  const svg = drawGraph(graphOf([node("a"), node("b"), node("c")], [{ from: "a", to: "b" }], positions));
  expect(svg).not.toMatch(/NaN|Infinity/);
  expect(svg.match(/<path/g)?.length).toBeGreaterThanOrEqual(2);
});

test("nodes without a place are drawn from left to right, as the wires run, and none upon another", () => {
  const svg = drawGraph(
    graphOf(
      [node("a"), node("b", "python"), node("c", "python")],
      [
        { from: "a", to: "b" },
        { from: "a", to: "c" },
      ],
    ),
  );
  const python = /stroke="var\(--plane-python[^>]* d="([^"]*)"/.exec(svg)?.[1] ?? "";
  const starts = [...python.matchAll(/M(-?[\d.]+)[ ,](-?[\d.]+)/g)].map(([, x, y]) => `${x} ${y}`);
  expect(new Set(starts).size).toBe(2);
});

test("a graph without nodes is an empty picture", () => {
  expect(numbers(drawGraph(graphOf([])))).toEqual([]);
});

// The bends of a wire: points that it is drawn through, kept with the edge.
import { edgeId, edgeMetadata, type Graph, type GraphEdge, nodePosition, type Position } from "@spindle/graph-model";
import { type Sheet, setEdge } from "@spindle/graph-model/shared-doc";
import { ME } from "../session/use-document";
import { lengthAt } from "./drawn-wires";

/** As many as the schema of an edge allows. */
export const MOST_BENDS = 100;
const NONE: readonly Position[] = [];

export function bendsOf(edge: GraphEdge): readonly Position[] {
  const { points } = edgeMetadata(edge);
  if (!Array.isArray(points) || points.length === 0) return NONE;
  return points.filter((point) => typeof point?.x === "number" && typeof point.y === "number");
}

export const bendsOfWire = (graph: Graph, wire: string): readonly Position[] => {
  const edge = graph.edges.find((each, index) => edgeId(each, index) === wire);
  return edge ? bendsOf(edge) : NONE;
};

/** @param bends from the source of the wire on; none makes it straight again */
export function setBends(sheet: Sheet, wire: string, bends: readonly Position[]): void {
  const points = bends.map(({ x, y }) => ({ x: Math.round(x), y: Math.round(y) }));
  setEdge(sheet, ME, wire, { points: points.length > 0 ? points : null });
}

/** Adds a bend to a wire that is drawn, between those before and behind it. */
export function addBend(sheet: Sheet, graph: Graph, wire: string, at: Position): void {
  const bends = bendsOfWire(graph, wire);
  if (bends.length >= MOST_BENDS) return;
  const along = lengthAt(wire, at);
  const index = bends.filter((bend) => lengthAt(wire, bend) < along).length;
  setBends(sheet, wire, bends.toSpliced(index, 0, at));
}

export const removeBend = (sheet: Sheet, graph: Graph, { wire, index }: { wire: string; index: number }): void =>
  setBends(sheet, wire, bendsOfWire(graph, wire).toSpliced(index, 1));

/** How strongly a wire keeps its direction at a bend, as a share of the way to the next one. */
const SLACK = 0.4;

/** A smooth path. It leaves its start and reaches its end to the right, and runs through a bend as if from the bend before to the one after. */
export function pathThrough(start: Position, bends: readonly Position[], end: Position): string {
  const points = [start, ...bends, end];
  const ways = points.map((_, index) => {
    const [before, after] = [points[index - 1], points[index + 1]];
    if (!before || !after) return { x: 1, y: 0 };
    const [x, y] = [after.x - before.x, after.y - before.y];
    const length = Math.hypot(x, y) || 1;
    return { x: x / length, y: y / length };
  });
  const parts = points.slice(1).map((point, index) => {
    const [from, way, next] = [points[index] ?? start, ways[index] ?? { x: 1, y: 0 }, ways[index + 1] ?? { x: 1, y: 0 }];
    const slack = SLACK * Math.hypot(point.x - from.x, point.y - from.y);
    const [out, into] = [
      { x: from.x + slack * way.x, y: from.y + slack * way.y },
      { x: point.x - slack * next.x, y: point.y - slack * next.y },
    ];
    return `C${out.x},${out.y} ${into.x},${into.y} ${point.x},${point.y}`;
  });
  return `M${start.x},${start.y} ${parts.join(" ")}`;
}

/** The bends of wires whose two ends move together: they go along. @param places where nodes are moved to, by id */
export function bendsMoved(graph: Graph, places: ReadonlyMap<string, Position>): { wire: string; bends: Position[] }[] {
  const way = (id: string) => {
    const [from, to] = [nodePosition(graph, id), places.get(id)];
    return from && to && { x: Math.round(to.x) - from.x, y: Math.round(to.y) - from.y };
  };
  return graph.edges.flatMap((edge, index) => {
    const bends = bendsOf(edge);
    if (bends.length === 0) return [];
    const [start, end] = [way(edge.from), way(edge.to)];
    if (!start || !end || start.x !== end.x || start.y !== end.y) return [];
    return [{ wire: edgeId(edge, index), bends: bends.map(({ x, y }) => ({ x: x + start.x, y: y + start.y })) }];
  });
}

/** Takes the bends from the wires between nodes that are laid out anew. */
export function straighten(sheet: Sheet, graph: Graph, nodes: Iterable<string>): void {
  const laid = new Set(nodes);
  graph.edges.forEach((edge, index) => {
    if (laid.has(edge.from) && laid.has(edge.to) && bendsOf(edge).length > 0) setBends(sheet, edgeId(edge, index), []);
  });
}

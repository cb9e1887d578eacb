// From card to card by keys: along the wires to the right and left, and to the cards above and below.
import type { Graph } from "@spindle/graph-model";
import type { Box } from "./box";

export type Way = "right" | "left" | "up" | "down";

/**
 * The card that a key goes to: the uppermost one that a wire leads to, or comes from; above and below the nearest card that one neighbour
 * has too, or else the nearest of all.
 */
export function stepFrom(graph: Graph, boxes: ReadonlyMap<string, Box>, at: string, way: Way): string | undefined {
  const origin = boxes.get(at);
  if (!origin) return undefined;
  const next = graph.edges.flatMap(({ from, to }) => (from === at ? [to] : [])).filter((id) => id !== at);
  const before = graph.edges.flatMap(({ from, to }) => (to === at ? [from] : [])).filter((id) => id !== at);
  const placed = (ids: Iterable<string>) =>
    [...new Set(ids)].flatMap((id) => {
      const box = boxes.get(id);
      return box && id !== at ? [{ id, box }] : [];
    });
  if (way === "right" || way === "left")
    return placed(way === "right" ? next : before).sort((a, b) => a.box.y - b.box.y || a.box.x - b.box.x)[0]?.id;
  const sign = way === "down" ? 1 : -1;
  const [ends, starts] = [new Set(next), new Set(before)];
  const kin = graph.edges.flatMap(({ from, to }) => [...(starts.has(from) ? [to] : []), ...(ends.has(to) ? [from] : [])]);
  const nearest = (ids: Iterable<string>) =>
    placed(ids)
      .filter(({ box }) => (box.y - origin.y) * sign > 0)
      .map(({ id, box }) => ({ id, far: Math.hypot(2 * (box.x - origin.x), box.y - origin.y) }))
      .sort((a, b) => a.far - b.far)[0]?.id;
  return nearest(kin) ?? nearest(boxes.keys());
}

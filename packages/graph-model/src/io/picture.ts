// A graph as a small picture: its shape, by which people know it again. Numbers alone get into it, no text of the graph.
import { type Graph, isLoopEdge, nodePosition, type Plane, type Position } from "../graph.ts";
import { topology } from "../topology.ts";

/** The picture's frame, in its own units. */
const PICTURE = { width: 240, height: 120 } as const;
const MARGIN = 10;
/** A card of usual height, with the space around it, where nodes have no places; in units of the canvas. */
const CARD = { width: 224, height: 128 };
const STEP = { x: CARD.width + 96, y: CARD.height + 48 };
/** So that a graph of two nodes does not fill the frame with them; picture over canvas. */
const LARGEST = 0.16;
/** Whoever puts a node beyond this makes a dot of the others, and no number that cannot be written. */
const FARTHEST = 1e6;
/** With more nodes than these the picture is drawn on a grid: what falls into one cell is drawn once. */
const FINE = 150;
const GRID = 3;
const MOST_WIRES = 1000;

const PLANES: readonly Plane[] = ["node", "python", "comfy"];

interface Frame {
  x(of: number): number;
  y(of: number): number;
  width: number;
  height: number;
  isFine: boolean;
}

/**
 * As SVG, at most some 60 kB. Colours are the page's (`--plane-node`, ...) where a page shows the element `graph` of it by `<use>`;
 * elsewhere the drawing has one colour.
 */
export function drawGraph(graph: Graph): string {
  const places = placesOf(graph);
  const frame = frameOf([...places.values()], graph.nodes.length);
  const wires = [`<path fill="none" stroke="var(--line-strong, currentColor)" d="${drawWires(graph, places, frame)}"/>`];
  const drawnBoxes = new Set<string>();
  const boxes = PLANES.flatMap((plane) => {
    const own = graph.nodes.filter((node) => node.plane === plane).flatMap(({ id }) => places.get(id) ?? []);
    const paths = new Set(own.map((place) => box(plane, place, frame)).filter((one) => !drawnBoxes.has(one)));
    for (const path of paths) drawnBoxes.add(path);
    const drawn = [...paths].join("");
    return drawn ? [`<path fill="var(--plane-${plane}-soft, none)" stroke="var(--plane-${plane}, currentColor)" d="${drawn}"/>`] : [];
  });
  const drawn = graph.nodes.length > 0 ? [...wires, ...boxes].join("") : "";
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${PICTURE.width} ${PICTURE.height}"><g id="graph" stroke-width="${frame.isFine ? 1.5 : 0.75}">${drawn}</g></svg>`;
}

/** A place for every node: its own, or one by the columns of a graph that runs from left to right. */
function placesOf(graph: Graph): ReadonlyMap<string, Position> {
  const near = (value: number) => Math.max(-FARTHEST, Math.min(FARTHEST, value));
  const known = graph.nodes.flatMap(({ id }) => {
    const place = nodePosition(graph, id);
    return place && Number.isFinite(place.x) && Number.isFinite(place.y) ? [[id, { x: near(place.x), y: near(place.y) }] as const] : [];
  });
  const places = new Map(known);
  if (places.size === graph.nodes.length) return places;
  const { order, predecessors } = topology(graph);
  const column = new Map<string, number>();
  for (const id of order) column.set(id, 1 + Math.max(-1, ...[...(predecessors.get(id) ?? [])].map((one) => column.get(one) ?? -1)));
  const rows = new Map<number, number>();
  const below = Math.max(0, ...known.map(([, { y }]) => y + STEP.y));
  for (const { id } of graph.nodes) {
    if (places.has(id)) continue;
    const at = column.get(id) ?? 0;
    const row = rows.get(at) ?? 0;
    rows.set(at, row + 1);
    places.set(id, { x: at * STEP.x, y: below + row * STEP.y });
  }
  return places;
}

function frameOf(places: readonly Position[], nodes: number): Frame {
  const ends = (axis: "x" | "y") => {
    let [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    for (const place of places) {
      least = Math.min(least, place[axis]);
      most = Math.max(most, place[axis]);
    }
    return places.length > 0 ? { least, most } : { least: 0, most: 0 };
  };
  const [x, y] = [ends("x"), ends("y")];
  const [width, height] = [x.most - x.least + CARD.width, y.most - y.least + CARD.height];
  const scale = Math.min((PICTURE.width - 2 * MARGIN) / width, (PICTURE.height - 2 * MARGIN) / height, LARGEST);
  const isFine = nodes <= FINE;
  const rounded = (value: number) => (isFine ? Math.round(value * 10) / 10 : Math.round(value / GRID) * GRID);
  const [left, top] = [(PICTURE.width - width * scale) / 2, (PICTURE.height - height * scale) / 2];
  return {
    x: (of) => rounded(left + (of - x.least) * scale),
    y: (of) => rounded(top + (of - y.least) * scale),
    width: isFine ? Math.max(3, rounded(CARD.width * scale)) : GRID - 1,
    height: isFine ? Math.max(2, rounded(CARD.height * scale)) : GRID - 1,
    isFine,
  };
}

const digits = (value: number): string => String(Math.round(value * 10) / 10);

/** Plane = shape, as everywhere: round, square, or with its corners cut. */
function box(plane: Plane, place: Position, { x, y, width, height, isFine }: Frame): string {
  const [left, top] = [digits(x(place.x)), digits(y(place.y))];
  const corner = Math.min(width, height) / 4;
  if (!isFine || plane === "python") return `M${left} ${top}h${digits(width)}v${digits(height)}h${digits(-width)}z`;
  const [c, w, h] = [digits(corner), digits(width - 2 * corner), digits(height - 2 * corner)];
  const turn = (dx: 1 | -1, dy: 1 | -1) => {
    const [tx, ty] = [digits(dx * corner), digits(dy * corner)];
    return plane === "node" ? `a${c} ${c} 0 0 1 ${tx} ${ty}` : `l${tx} ${ty}`;
  };
  return `M${digits(x(place.x) + corner)} ${top}h${w}${turn(1, 1)}v${h}${turn(-1, 1)}h-${w}${turn(-1, -1)}v-${h}${turn(1, -1)}z`;
}

function drawWires(graph: Graph, places: ReadonlyMap<string, Position>, frame: Frame): string {
  const drawn = new Set<string>();
  for (const edge of graph.edges) {
    const [from, to] = [places.get(edge.from), places.get(edge.to)];
    if (!from || !to || from === to || isLoopEdge(edge)) continue;
    const [x1, y1] = [frame.x(from.x) + frame.width, frame.y(from.y) + frame.height / 2];
    const [x2, y2] = [frame.x(to.x), frame.y(to.y) + frame.height / 2];
    const bend = Math.max(4, Math.abs(x2 - x1) / 2);
    const curve = `C${digits(x1 + bend)} ${digits(y1)} ${digits(x2 - bend)} ${digits(y2)} `;
    drawn.add(`M${digits(x1)} ${digits(y1)}${frame.isFine ? curve : "L"}${digits(x2)} ${digits(y2)}`);
    if (drawn.size === MOST_WIRES) break;
  }
  return [...drawn].join("");
}

// Documents of layout 1 as the release before wrote them, and what it read of them: for tests alone. Not to be changed.
import { type Graph, validateGraph } from "@spindle/schemas";
import * as Y from "yjs";
import { edgeMetadata, type GraphEdge, type GraphNode, nodePosition, nodeSettings } from "../graph.ts";
import { stripState } from "../io/document.ts";
import { ID_PATTERN } from "../limits.ts";
import { jsonOf } from "./json.ts";
import type { Random } from "./random-updates.testing.ts";

const PLAIN_FIELDS = ["service", "plane", "name", "retries", "tags", "progressWeight"] as const;

function mapOf(entries: Record<string, unknown>): Y.Map<unknown> {
  const map = new Y.Map<unknown>();
  for (const [key, value] of Object.entries(entries)) if (value !== undefined) map.set(key, value);
  return map;
}

/** Fills a document with `graph`, as an import did. */
export function loadLayout1(doc: Y.Doc, input: Graph): void {
  const graph = stripState(input);
  doc.transact(() => {
    doc.getMap("nodes").clear();
    doc.getMap("edges").clear();
    const { nodes: _, editor, ...rest } = (graph.metadata ?? {}) as Record<string, unknown>;
    const { positions: __, ...view } = (editor ?? {}) as Record<string, unknown>;
    const head = doc.getMap("graph");
    head.set("workflowId", graph.workflowId);
    head.set("context", graph.context ?? {});
    head.set("metadata", { ...rest, ...(Object.keys(view).length > 0 ? { editor: view } : {}) });
    graph.nodes.forEach((node, order) => {
      const fields = Object.fromEntries(PLAIN_FIELDS.map((key) => [key, node[key] ?? undefined]));
      const map = mapOf({ ...fields, order, position: nodePosition(graph, node.id) });
      map.set("params", mapOf((node.params ?? {}) as Record<string, unknown>));
      map.set("settings", mapOf(nodeSettings(graph, node.id) as Record<string, unknown>));
      doc.getMap("nodes").set(node.id, map);
    });
    graph.edges.forEach((edge, index) => {
      const { id: _id, ...metadata } = edgeMetadata(edge) as Record<string, unknown>;
      const map = mapOf({ from: edge.from, to: edge.to, kind: edge.kind, metadata });
      doc.getMap("edges").set(edgeMetadata(edge).id ?? `e${index}`, map);
    });
  });
}

const ROOT = 1;
const ENTRY = 2;
const plainObject = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
const isMap = (value: unknown): value is Y.Map<unknown> => value instanceof Y.Map;

export function readLayout1(doc: Y.Doc): Graph {
  const read = (value: unknown, depth: number): Record<string, unknown> => plainObject(jsonOf(value, depth, () => {}));
  const head = read(doc.getMap("graph"), ROOT);
  const positions: Record<string, unknown> = {};
  const settings: Record<string, unknown> = {};
  const ranked: { order: number; node: GraphNode }[] = [];
  for (const [id, value] of entriesOf(doc.getMap("nodes"))) {
    const fields = isMap(value) ? read(value, ENTRY) : {};
    const node = readNode(id, fields);
    if (!node) continue;
    ranked.push({ order: numberOr(fields.order, 0), node });
    const place = plainObject(fields.position);
    if (Number.isFinite(place.x) && Number.isFinite(place.y)) positions[id] = { x: place.x, y: place.y };
    const own = plainObject(fields.settings);
    if (Object.keys(own).length > 0) settings[id] = own;
  }
  ranked.sort((a, b) => a.order - b.order || compare(a.node.id, b.node.id));
  const nodes = ranked.map((one) => one.node);
  const known = new Set(nodes.map((node) => node.id));
  const edges: GraphEdge[] = [];
  for (const [id, value] of entriesOf(doc.getMap("edges"))) {
    const edge = isMap(value) ? readEdge(id, read(value, ENTRY)) : undefined;
    if (edge && known.has(edge.from) && known.has(edge.to)) edges.push(edge);
  }
  const rest = plainObject(head.metadata);
  const metadata: Record<string, unknown> = { ...rest };
  if (Object.keys(positions).length > 0) metadata.editor = { ...plainObject(rest.editor), positions };
  if (Object.keys(settings).length > 0) metadata.nodes = settings;
  const { workflowId } = head;
  return {
    schema: "langgraph.v1",
    workflowId: typeof workflowId === "string" ? workflowId : "graph",
    context: plainObject(head.context),
    metadata,
    nodes: nodes as Graph["nodes"],
    edges,
  };
}

function readNode(id: string, fields: Readonly<Record<string, unknown>>): GraphNode | undefined {
  const known = Object.fromEntries(PLAIN_FIELDS.map((key) => [key, fields[key]]).filter(([, value]) => value !== undefined));
  const params = plainObject(fields.params);
  const node = { id, ...known, status: "pending", ...(Object.keys(params).length > 0 ? { params } : {}) };
  const alone = { schema: "langgraph.v1", workflowId: "x", nodes: [node], edges: [] };
  return ID_PATTERN.test(id) && validateGraph(alone) ? (node as GraphNode) : undefined;
}

function readEdge(id: string, { from, to, kind, metadata }: Readonly<Record<string, unknown>>): GraphEdge | undefined {
  if (typeof from !== "string" || typeof to !== "string") return undefined;
  if (kind !== undefined && !["normal", "on_success", "on_failure"].includes(kind as string)) return undefined;
  return { from, to, ...(kind ? { kind: kind as GraphEdge["kind"] } : {}), metadata: { ...plainObject(metadata), id } };
}

const entriesOf = (map: Y.Map<unknown>): [string, unknown][] => [...map].sort(([a], [b]) => compare(a, b));
const numberOr = (value: unknown, otherwise: number): number => (typeof value === "number" && Number.isFinite(value) ? value : otherwise);
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const PROSE = "It rains on the harbour,\nand the ships wait for the morning with all their lamps lit and nobody on deck.";

/** A graph with every part that the document stores apart, most of them whole and some not. */
export function randomGraph(next: Random): Graph {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const some = <T>(most: number, make: (index: number) => T): T[] =>
    Array.from({ length: Math.floor(next() * (most + 1)) }, (_, index) => make(index));
  const maybe = (key: string, value: () => unknown, chance = 0.5) => (next() < chance ? { [key]: value() } : {});
  const leaf = () => pick([1, "a", PROSE, "", null, true, [1, { "#": 2 }], { x: { y: [] } }, {}, [], "😀".repeat(40)]);
  const odd = () => pick([null, 7, "text", [], {}, [1, 2], [{ "#": 1 }], { "#": true }, [{ id: "n0" }, { id: "n0" }], [{}], false]);
  const rarely = (value: () => unknown) => (next() < 0.08 ? odd() : value());
  const shuffled = (value: object) => Object.fromEntries(Object.entries(value).sort(() => next() - 0.5));
  const fields = () =>
    Object.fromEntries(some(4, () => [pick(["a", "b", "prompt", "#", "id", "name", "__proto__", "constructor"]), leaf()]));
  // What layout 1 could not hold there: it threw.
  const plain = () => Object.fromEntries(Object.entries(fields()).filter(([key]) => key !== "constructor" && key !== "id"));
  const nodes = (count: number) =>
    Array.from({ length: count }, (_, index) => ({
      id: `n${index}`,
      service: "pass",
      plane: "node",
      status: "pending",
      ...maybe("params", fields),
      ...maybe("name", () => PROSE, 0.2),
    }));
  const edges = (count: number, isLoose: boolean) =>
    some(4, (index) => ({
      from: `n${Math.floor(next() * count)}`,
      to: `n${Math.floor(next() * count) + (isLoose && next() < 0.1 ? 9 : 0)}`,
      ...maybe("kind", () => pick(["normal", "on_failure"])),
      ...maybe("metadata", () =>
        shuffled({ ...maybe("id", () => `w${index}`), ...maybe("when", () => pick(["a > 1", "", PROSE])), ...plain() }),
      ),
    }));
  const around = (makeMore: () => object) => ({
    ...maybe("interface", () =>
      rarely(() =>
        shuffled({
          ...maybe("inputs", () => rarely(() => entries("name"))),
          ...maybe("outputs", () => rarely(() => entries("name"))),
          ...maybe("more", leaf, 0.1),
        }),
      ),
    ),
    ...maybe("editor", () =>
      rarely(() =>
        shuffled({
          zoom: 1,
          ...maybe("frames", () => rarely(() => entries("title"))),
          ...maybe("notes", () => rarely(() => entries("id"))),
          ...maybe("groups", () => rarely(() => entries("id"))),
          ...maybe("collapsed", () => rarely(() => ({ n0: true, gone: false }))),
          ...makeMore(),
        }),
      ),
    ),
    ...maybe("planner", leaf),
    ...maybe("#", leaf, 0.1),
  });
  const entries = (key: string) =>
    some(4, (index) => shuffled({ [key]: next() < 0.9 ? `e${index}` : "e0", ...fields(), ...maybe("text", () => PROSE), order: index }));
  const definition = () => {
    const count = 1 + Math.floor(next() * 3);
    const own = () =>
      shuffled({
        ...around(() => maybe("positions", () => rarely(() => ({ n1: { x: 1, y: 2 }, n0: { x: 3, y: 4 }, gone: { x: 0, y: 0 } })))),
        ...maybe("nodes", () => rarely(() => ({ n0: rarely(() => ({ engine: "x", ...fields() })) }))),
      });
    const list = nodes(count).map((one) => (next() < 0.2 ? shuffled(one) : one));
    return rarely(() =>
      shuffled({
        nodes: rarely(() => list),
        ...maybe("edges", () => rarely(() => edges(count, true)), 0.9),
        ...maybe("metadata", () => rarely(own), 0.7),
        ...maybe("context", () => ({ a: leaf() })),
        ...maybe("#", leaf, 0.1),
      }),
    );
  };
  const count = 1 + Math.floor(next() * 5);
  const settings = { n0: { engine: "x", pinned: { a: PROSE } } };
  const metadata = {
    ...around(() => ({ positions: { n0: { x: 1, y: 2 } } })),
    ...maybe(
      "definitions",
      () => rarely(() => shuffled(Object.fromEntries(some(3, (index) => [pick([`d${index}`, "#", "constructor"]), definition()])))),
      0.8,
    ),
    ...maybe("nodes", () => settings),
  };
  return JSON.parse(
    JSON.stringify({
      schema: "langgraph.v1",
      workflowId: "w",
      ...maybe("context", () => ({ a: PROSE })),
      ...maybe("metadata", () => shuffled(metadata), 0.9),
      nodes: nodes(count),
      edges: edges(count, false),
    }),
  ) as Graph;
}

/** Breaks one thing in a document of layout 1, as another program might. */
export function spoil(doc: Y.Doc, next: Random): void {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const of = (root: string): Y.Map<unknown> =>
    (pick([...doc.getMap(root).values()].filter(isMap)) as Y.Map<unknown> | undefined) ?? doc.getMap(root);
  const value = () =>
    pick([undefined, null, 7, "text", PROSE, {}, [], { "#": 1 }, { a: undefined, b: Number.NaN }, new Y.Map([["k", PROSE]]), "n0"]);
  pick([
    () => of("nodes").set(pick(["service", "params", "settings", "order", "position", "more"]), value()),
    () => of("edges").set(pick(["from", "to", "kind", "metadata", "more"]), value()),
    () => doc.getMap("graph").set(pick(["workflowId", "context", "metadata", "more"]), value()),
    () => doc.getMap(pick(["nodes", "edges"])).set(pick(["n0", "w0", "#", "odd id"]), value()),
  ])();
}

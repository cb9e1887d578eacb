// Updates of a shared document as people make them, and damaged ones: for tests alone.

import fc, { type GeneratorValue } from "fast-check";
import * as Y from "yjs";
import { type Random, random } from "../random.testing.ts";
import {
  addNode,
  connect,
  moveEntry,
  moveNodes,
  remove,
  removeDefinition,
  removeEntry,
  renameNode,
  setDefinition,
  setEdge,
  setEntry,
  setParam,
  setSetting,
} from "./commands.ts";
import { definitionsOf, edgesOf, nodesOf } from "./layout.ts";
import { normalise } from "./normalise.ts";
import { DefinitionSheet } from "./sheet.ts";

const PROSE = "A harbour in the morning, with ships of every nation at anchor and gulls over the water.";
const VALUES = [1, -0.5, true, null, "text", "ünï\u0000", PROSE, `${PROSE}\n😀`, [1, [2, {}]], { a: { b: [null] } }, undefined];
const LISTS = ["inputs", "outputs", "groups", "frames", "notes"] as const;

/** One random edit of `doc`, as an editor makes it. */
export function editAtRandom(doc: Y.Doc, next: Random): void {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const definition = next() < 0.4 ? pick([...definitionsOf(doc).keys()]) : undefined;
  const sheet = definition === undefined ? doc : new DefinitionSheet(doc, definition);
  const ids = definition === undefined ? [...nodesOf(doc).keys()] : idsIn(doc, definition, "nodes");
  const edges = definition === undefined ? [...edgesOf(doc).keys()] : idsIn(doc, definition, "edges");
  const node = pick(ids);
  const edge = pick(edges);
  const list = pick(LISTS);
  const entry = pick(["a", "b", "0", "1"]);
  const retyped = (old: unknown) =>
    typeof old === "string" ? `${next() < 0.5 ? "now " : ""}${old.slice(next() < 0.3 ? 3 : 0)}, then` : PROSE;
  const acts: (() => unknown)[] = [
    () => addNode(sheet, "me", { service: "pass", plane: "node", position: { x: next() * 100, y: 0 } }),
    () => setEntry(sheet, "me", list, entry, { label: pick(VALUES), size: { width: next() } }),
    () => (next() < 0.3 ? removeEntry(sheet, "me", list, entry) : moveEntry(sheet, "me", list, entry, pick(["a", "b", undefined]))),
    () => (next() < 0.3 ? removeDefinition(doc, "me", pick(["d", "e"])) : setDefinition(doc, "me", pick(["d", "e"]), DEFINED)),
    ...(edge === undefined
      ? []
      : [() => setEdge(sheet, "me", edge, { when: pick([null, "output.a", retyped("output.a")]), map: pick([null, {}]) })]),
    ...(node === undefined
      ? []
      : [
          () => setParam(sheet, "me", node, pick(["a", "b", "c"]), pick(VALUES)),
          () => setParam(sheet, "me", node, "prompt", retyped(paramOf(doc, node))),
          () => setSetting(sheet, "me", node, "engine", pick(["x", undefined])),
          () => moveNodes(sheet, "me", { [node]: { x: next() * 100, y: next() * 100 } }),
          () => renameNode(sheet, "me", node, `name ${next()}`),
          () => connect(sheet, "me", { node, port: "value" }, { node: pick(ids), port: "value" }),
          () => (next() < 0.3 ? remove(sheet, "me", [node]) : remove(sheet, "me", [], edges.slice(0, 1))),
        ]),
  ];
  pick(acts)();
}

const DEFINED = {
  nodes: [
    { id: "in", service: "pass", plane: "node", status: "pending", params: { prompt: PROSE } },
    { id: "out", service: "pass", plane: "node", status: "pending" },
  ],
  edges: [{ from: "in", to: "out" }],
};

function idsIn(doc: Y.Doc, name: string, part: "nodes" | "edges"): string[] {
  const definitions = (normalise(doc).graph.metadata?.definitions ?? {}) as Record<string, Record<string, unknown> | undefined>;
  const list = definitions[name]?.[part];
  return (Array.isArray(list) ? list : []).map((one, index) => (part === "nodes" ? one.id : (one.metadata?.id ?? `e${index}`)));
}

const paramOf = (doc: Y.Doc, id: string): unknown => normalise(doc).graph.nodes.find((one) => one.id === id)?.params?.prompt;

/** `update` with a few bytes changed, cut off, doubled or taken from `other`. */
export function damage(update: Uint8Array, other: Uint8Array, next: Random): Uint8Array {
  const bytes = [...update];
  const place = () => Math.floor(next() * bytes.length);
  for (let times = 1 + Math.floor(next() * 4); times > 0; times--) {
    const at = place();
    const kind = next();
    if (kind < 0.6) bytes[at] = Math.floor(next() * 256);
    else if (kind < 0.7) bytes.splice(at, 1 + Math.floor(next() * 4));
    else if (kind < 0.8) bytes.splice(at, 0, ...bytes.slice(at, at + 8));
    else if (kind < 0.9) bytes[at] = ((bytes[at] ?? 0) + (next() < 0.5 ? 1 : 255)) % 256;
    else bytes.splice(at, 8, ...[...other].slice(at, at + 8));
  }
  return Uint8Array.from(bytes);
}

/** What `edit` changes in a copy of `base`, as one update. */
export function updateOf(base: Y.Doc, edit: (doc: Y.Doc) => void, client?: number): Uint8Array {
  const doc = new Y.Doc();
  if (client !== undefined) doc.clientID = client;
  Y.applyUpdate(doc, Y.encodeStateAsUpdate(base));
  const before = Y.encodeStateVector(doc);
  doc.transact(() => edit(doc));
  return Y.encodeStateAsUpdate(doc, before);
}

/** An update that can be decoded and not be applied, to any document: the deletion of nothing, of a client that is not there. */
export const UNAPPLIABLE = Uint8Array.from([0, 1, 5, 1, 0, 0]);

export { type Random, random };

const DRAWS = 2 ** 31;
const draw = () => fc.noBias(fc.nat(DRAWS - 1));
/** Chance that fast-check draws: it names the seed of what fails, and looks for the smallest case that does. */
export const drawn =
  (generate: GeneratorValue): Random =>
  () =>
    generate(draw) / DRAWS;

/** One struct of an update that is made by hand. Where nothing says what it is behind or before, its parent and key do. */
export interface Piece {
  after?: [client: number, clock: number];
  before?: [client: number, clock: number];
  /** A root by name, or the item of a type. */
  parent?: string | [client: number, clock: number];
  key?: string;
  content: Y.Item["content"];
}

/** An update that no editor makes: of each client its pieces, from a clock on, and what is deleted. */
export function craft(
  clients: Readonly<Record<number, readonly Piece[]>>,
  deleted: Readonly<Record<number, readonly [clock: number, length: number][]>> = {},
  from: Readonly<Record<number, number>> = {},
): Uint8Array {
  const encoder = new Y.UpdateEncoderV1();
  const uint = (value: number) => encoder.writeDsClock(value);
  const idOf = (at: [number, number] | undefined) => (at ? Y.createID(...at) : null);
  const blocks = Object.entries(clients).sort(([a], [b]) => Number(b) - Number(a));
  uint(blocks.length);
  for (const [client, pieces] of blocks) {
    let clock = from[Number(client)] ?? 0;
    uint(pieces.length);
    encoder.writeClient(Number(client));
    uint(clock);
    for (const { after, before, parent, key, content } of pieces) {
      const within = typeof parent === "string" ? (parent as never) : (idOf(parent) as never);
      const item = new Y.Item(Y.createID(Number(client), clock), null, idOf(after), null, idOf(before), within, key ?? null, content);
      item.write(encoder, 0);
      clock += item.length;
    }
  }
  const gone = Object.entries(deleted);
  uint(gone.length);
  for (const [client, ranges] of gone) {
    uint(Number(client));
    uint(ranges.length);
    for (const [clock, length] of ranges) {
      uint(clock);
      uint(length);
    }
  }
  return encoder.toUint8Array();
}

/**
 * An update of some clients that each add to a key of the root "graph" or to the text (1, 1), at places that are there, in the update
 * or nowhere, and delete something.
 */
export function craftAtRandom(doc: Y.Doc, next: Random): Uint8Array {
  const below = (limit: number) => Math.floor(next() * limit);
  const clients = [10, 11, 12, 13].filter(() => next() < 0.7);
  const from = Object.fromEntries(clients.map((client) => [client, Y.getState(doc.store, client)]));
  const counts = Object.fromEntries(clients.map((client) => [client, below(12)]));
  const ends = new Map([10, 11, 12, 13].map((client) => [client, Y.getState(doc.store, client) + (counts[client] ?? 0)]));
  /** Of its own client an item knows what came before it. */
  const someId = (own: number, clock: number): [number, number] | undefined => {
    const client = next() < 0.6 ? own : 10 + below(4);
    const end = client === own ? clock : (ends.get(client) ?? 0) + (next() < 0.02 ? 1 : 0);
    return end > 0 ? [client, next() < 0.5 ? end - 1 : below(end)] : undefined;
  };
  const isText = next() < 0.6;
  const place = isText ? { parent: [1, 1] as [number, number] } : { parent: "graph", key: "context" };
  const pieces = clients.map((client) => [
    client,
    Array.from({ length: counts[client] as number }, (_, at): Piece => {
      const after = next() < 0.8 ? someId(client, (from[client] as number) + at) : undefined;
      const before = isText && next() < 0.4 ? someId(client, (from[client] as number) + at) : undefined;
      const content = next() < 0.1 ? new Y.ContentDeleted(1) : isText ? new Y.ContentString("a") : new Y.ContentAny([at]);
      return { ...(after || before ? { after, before } : place), content };
    }),
  ]);
  const gone = next() < 0.5 ? { [10 + below(4)]: [[below(6), 1 + below(3)] as [number, number]] } : {};
  return craft(Object.fromEntries(pieces.filter(([, list]) => (list as Piece[]).length > 0)), gone, from);
}

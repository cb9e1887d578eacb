// Updates of a shared document as people make them, and damaged ones: for tests alone.

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

const PROSE = "A harbour in the morning, with ships of every nation at anchor and gulls over the water.";
const VALUES = [1, -0.5, true, null, "text", "ünï\u0000", PROSE, `${PROSE}\n😀`, [1, [2, {}]], { a: { b: [null] } }, undefined];
const LISTS = ["inputs", "outputs", "groups", "frames", "notes"] as const;

/** One random edit of `doc`, as an editor makes it. */
export function editAtRandom(doc: Y.Doc, next: Random): void {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const definition = next() < 0.4 ? pick([...definitionsOf(doc).keys()]) : undefined;
  const inside = definition === undefined ? {} : { definition };
  const ids = definition === undefined ? [...nodesOf(doc).keys()] : idsIn(doc, definition, "nodes");
  const edges = definition === undefined ? [...edgesOf(doc).keys()] : idsIn(doc, definition, "edges");
  const node = pick(ids);
  const edge = pick(edges);
  const list = pick(LISTS);
  const entry = pick(["a", "b", "0", "1"]);
  const retyped = (old: unknown) =>
    typeof old === "string" ? `${next() < 0.5 ? "now " : ""}${old.slice(next() < 0.3 ? 3 : 0)}, then` : PROSE;
  const acts: (() => unknown)[] = [
    () => addNode(doc, "me", { service: "pass", plane: "node", position: { x: next() * 100, y: 0 } }, inside),
    () => setEntry(doc, "me", list, entry, { label: pick(VALUES), size: { width: next() } }, inside),
    () =>
      next() < 0.3 ? removeEntry(doc, "me", list, entry, inside) : moveEntry(doc, "me", list, entry, pick(["a", "b", undefined]), inside),
    () => (next() < 0.3 ? removeDefinition(doc, "me", pick(["d", "e"])) : setDefinition(doc, "me", pick(["d", "e"]), DEFINED)),
    ...(edge === undefined
      ? []
      : [() => setEdge(doc, "me", edge, { when: pick([null, "output.a", retyped("output.a")]), map: pick([null, {}]) }, inside)]),
    ...(node === undefined
      ? []
      : [
          () => setParam(doc, "me", node, pick(["a", "b", "c"]), pick(VALUES), inside),
          () => setParam(doc, "me", node, "prompt", retyped(paramOf(doc, node)), inside),
          () => setSetting(doc, "me", node, "engine", pick(["x", undefined]), inside),
          () => moveNodes(doc, "me", { [node]: { x: next() * 100, y: next() * 100 } }, inside),
          () => renameNode(doc, "me", node, `name ${next()}`, inside),
          () => connect(doc, "me", { node, port: "value" }, { node: pick(ids), port: "value" }, undefined, inside),
          () => (next() < 0.3 ? remove(doc, "me", [node], [], inside) : remove(doc, "me", [], edges.slice(0, 1), inside)),
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

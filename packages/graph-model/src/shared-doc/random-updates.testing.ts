// Updates of a shared document as people make them, and damaged ones: for tests alone.
import * as Y from "yjs";
import { addNode, connect, moveNodes, remove, renameNode, setParam, setSetting } from "./commands.ts";
import { edgesOf, nodesOf } from "./layout.ts";

export type Random = () => number;

/** mulberry32: the same numbers for the same seed. */
export function random(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const VALUES = [1, -0.5, true, null, "text", "ünï\u0000", [1, [2, {}]], { a: { b: [null] } }, undefined];

/** One random edit of `doc`, as an editor makes it. */
export function editAtRandom(doc: Y.Doc, next: Random): void {
  const ids = [...nodesOf(doc).keys()];
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)] as T;
  const node = pick(ids);
  const acts: (() => unknown)[] = [
    () => addNode(doc, "me", { service: "pass", plane: "node", position: { x: next() * 100, y: 0 } }),
    ...(node === undefined
      ? []
      : [
          () => setParam(doc, "me", node, pick(["a", "b", "c"]), pick(VALUES)),
          () => setSetting(doc, "me", node, "engine", pick(["x", undefined])),
          () => moveNodes(doc, "me", { [node]: { x: next() * 100, y: next() * 100 } }),
          () => renameNode(doc, "me", node, `name ${next()}`),
          () => connect(doc, "me", { node, port: "value" }, { node: pick(ids), port: "value" }),
          () => (next() < 0.3 ? remove(doc, "me", [node]) : remove(doc, "me", [], [...edgesOf(doc).keys()].slice(0, 1))),
        ]),
  ];
  pick(acts)();
}

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

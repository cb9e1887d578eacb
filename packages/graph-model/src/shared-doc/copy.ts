// A document's replica.
import * as Y from "yjs";
import { type Allowance, apply, ONE_UPDATE, type Steps } from "./apply.ts";

export function copyOf(doc: Y.Doc): Y.Doc {
  const copy = new Y.Doc();
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc));
  return copy;
}

const ANYTHING = Object.fromEntries(Object.keys(ONE_UPDATE).map((what) => [what, Number.POSITIVE_INFINITY])) as unknown as Allowance;

/** What is in a document has been checked. */
export function* copy(doc: Y.Doc, most: number): Steps<Y.Doc> {
  const replica = new Y.Doc();
  const update = Y.decodeUpdate(Y.encodeStateAsUpdate(doc));
  yield;
  yield* apply(replica, [update], ANYTHING, () => {}, most);
  return replica;
}

// A document of an older layout becomes one of this (docs/decisions/0020). Only the server does it, once, in update-log.ts.

import * as Y from "yjs";
import { isObject } from "../graph.ts";
import {
  edgesOf,
  headOf,
  isMap,
  LAYOUT,
  layoutOf,
  METADATA,
  metadataOf,
  nodesOf,
  OWN_EDGE,
  OWN_NODE,
  type Shape,
  stored,
  write,
} from "./layout.ts";
import { Tree } from "./tree.ts";

/** A document that a newer release has migrated. */
export class LayoutUnknown extends Error {
  constructor(layout: number) {
    super(`A newer release of Spindle saved this graph (layout ${layout}; this one reads up to ${LAYOUT}). Start that release.`);
  }
}

/** Whether a document has to be migrated before anybody sees it. @throws LayoutUnknown */
export function isOutdated(doc: Y.Doc): boolean {
  const layout = layoutOf(doc);
  if (layout > LAYOUT) throw new LayoutUnknown(layout);
  return layout < LAYOUT;
}

/** Brings a document to this layout; what `normalise` gives of it stays the same to the byte. Returns the update that did so. */
export function migrate(doc: Y.Doc): Uint8Array {
  const updates: Uint8Array[] = [];
  const keep = (update: Uint8Array) => void updates.push(update);
  doc.on("update", keep);
  doc.transact(() => toLayout2(doc), "migrate");
  doc.off("update", keep);
  return Y.mergeUpdates(updates);
}

/**
 * Layout 1 had the metadata as one value, which lost a side of two edits, and so had each edge. Its nodes were maps already, whose
 * parameters become texts where they are prose.
 */
function toLayout2(doc: Y.Doc): void {
  const head = headOf(doc);
  const tree = new Tree(false);
  const json = (value: unknown, depth: number) => tree.read(value, { kind: "value", text: "never" }, depth).json;
  const metadata = json(head.get("metadata"), 2);
  if (isObject(metadata)) write(metadataOf(doc), METADATA, metadata);
  head.delete("metadata");
  const { params: fields, settings } = OWN_NODE.parts as { params: typeof OWN_NODE; settings: typeof OWN_NODE };
  for (const node of nodesOf(doc).values()) {
    if (!isMap(node)) continue;
    for (const [key, shape] of [
      ["params", fields],
      ["settings", settings],
    ] as const) {
      const held = node.get(key);
      if (!isMap(held)) node.set(key, held === undefined ? new Y.Map() : stored(shape, json(held, 3)));
      else
        for (const [name, value] of held)
          if (typeof value === "string" && stored(shape.rest, value) !== value) held.set(name, stored(shape.rest, value));
    }
  }
  for (const edge of edgesOf(doc).values()) {
    if (!isMap(edge)) continue;
    const held = edge.get("metadata");
    if (!isMap(held)) edge.set("metadata", held === undefined ? new Y.Map() : stored(OWN_EDGE.parts.metadata as Shape, json(held, 3)));
    else if (typeof held.get("when") === "string") held.set("when", new Y.Text(held.get("when") as string));
  }
  head.set("layout", LAYOUT);
}

// A document's replica, made piece by piece: encoding a document and decoding it again takes three times as long, and cannot be divided.
import * as Y from "yjs";
import { atOnce, type Steps } from "./apply.ts";
import { rootsOf } from "./layout.ts";

export const copyOf = (doc: Y.Doc): Y.Doc => atOnce(copy(doc, Number.POSITIVE_INFINITY));

type Type = Y.ContentType["type"];

/**
 * Shares with the document what nobody changes: ids and JSON values. The document may not be edited before the last step.
 * @param most structs that are copied in one step
 */
export function* copy(doc: Y.Doc, most: number): Steps<Y.Doc> {
  rootsOf(doc); // Yjs puts another object in the place of a root when it is first asked for as a map.
  const replica = new Y.Doc();
  const types = new Map<Type, Type>();
  const items = new Map<Y.Item, Y.Item>();
  for (const [name, root] of doc.share) {
    const type = emptyLike(root);
    type._integrate(replica, null);
    replica.share.set(name, type);
    types.set(root, type);
  }
  let done = 0;
  const isDue = () => ++done % most === 0;
  for (const [client, structs] of doc.store.clients) {
    const copies: (Y.Item | Y.GC)[] = [];
    replica.store.clients.set(client, copies);
    for (const struct of structs) {
      const made = struct instanceof Y.Item ? copyItem(struct, types) : new Y.GC(struct.id, struct.length);
      copies.push(made);
      if (struct instanceof Y.Item) items.set(struct, made as Y.Item);
      if (isDue()) yield;
    }
  }
  for (const [item, made] of items) {
    made.parent = found(types, item.parent as Type);
    if (item.right) {
      made.right = found(items, item.right);
      made.right.left = made;
    }
    if (made.content instanceof Y.ContentType) made.content.type._integrate(replica, made);
    if (isDue()) yield;
  }
  for (const [type, made] of types) {
    made._length = type._length;
    if (type._start) made._start = found(items, type._start);
    for (const [key, item] of type._map) {
      made._map.set(key, found(items, item));
      if (isDue()) yield;
    }
  }
  return replica;
}

function copyItem(item: Y.Item, types: Map<Type, Type>): Y.Item {
  const { id, origin, rightOrigin, parentSub } = item;
  const made = new Y.Item(id, null, origin, null, rightOrigin, null, parentSub, copyContent(item.content, types));
  made.deleted = item.deleted;
  return made;
}

function copyContent(content: Y.Item["content"], types: Map<Type, Type>): Y.Item["content"] {
  if (!(content instanceof Y.ContentType)) return content.copy();
  const type = emptyLike(content.type);
  types.set(content.type, type);
  return new Y.ContentType(type);
}

const emptyLike = (type: Type): Type => new (type.constructor as new () => Type)();

function found<K, V>(made: ReadonlyMap<K, V>, of: K): V {
  const found = made.get(of);
  if (!found) throw new Error("The document was edited while it was copied.");
  return found;
}

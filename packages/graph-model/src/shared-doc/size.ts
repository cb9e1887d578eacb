// How much a document holds (docs/decisions/0026). Yjs keeps no such number.
import * as Y from "yjs";
import { LIMITS } from "../limits.ts";
import { type Allowance, EditRefused, EditUnfit, ONE_UPDATE } from "./apply.ts";
import { LOSS } from "./json.ts";

const DIVIDE = "Take something out of it, or divide it.";
const FULL = `More than ${ONE_UPDATE.values.toLocaleString("en")} values are in the graph. ${DIVIDE}`;
const FULL_OF_TEXT = `More than ${ONE_UPDATE.characters.toLocaleString("en")} characters are in the graph. ${DIVIDE}`;

export interface DocumentSize {
  /** Maps, objects, lists and what lies in them. */
  values: number;
  /** Letters of texts, of strings, and of all keys: Yjs keeps the name of a key whose value was deleted. */
  characters: number;
}

/** Of all that the document holds. What was deleted counts no more, but for the names of keys. */
export function sizeOf(doc: Y.Doc): DocumentSize {
  const size: DocumentSize = { values: 0, characters: 0 };
  for (const structs of doc.store.clients.values()) for (const struct of structs) if (struct instanceof Y.Item) addItem(size, struct, 0);
  return size;
}

/** @throws EditUnfit if a document has become larger than it may be, and not smaller than it was */
export function refuseLarge(size: DocumentSize, before: DocumentSize, most: Allowance): void {
  if (size.values > most.values && size.values > before.values) throw new EditUnfit(FULL);
  if (size.characters > most.characters && size.characters > before.characters) throw new EditUnfit(FULL_OF_TEXT);
}

/** Adds an item at `depth` of its document. Copies nothing. @throws EditRefused if it has objects or lists that lie too deep */
export function addItem(size: DocumentSize, item: Y.Item, depth: number): void {
  // Items behind another share the name of its key.
  if (item.parentSub !== null && item.origin === null) size.characters += item.parentSub.length;
  if (!item.deleted) addContent(size, item.content, 1, depth);
}

/** Takes away what a transaction deleted of what was there before it. Runs before Yjs drops the contents. */
export function subtractDeleted(size: DocumentSize, { doc, beforeState, deleteSet }: Y.Transaction): void {
  for (const [client, ranges] of deleteSet.clients) {
    const structs = doc.store.clients.get(client) ?? [];
    const before = beforeState.get(client) ?? 0;
    for (const { clock, len } of ranges) {
      if (clock >= before) break;
      for (let at = Y.findIndexSS(structs, clock); at < structs.length; at++) {
        const struct = structs[at];
        if (!struct || struct.id.clock >= Math.min(clock + len, before)) break;
        if (struct instanceof Y.Item) addContent(size, struct.content, -1, 0);
      }
    }
  }
}

function addContent(size: DocumentSize, content: Y.Item["content"], sign: 1 | -1, depth: number): void {
  if (content instanceof Y.ContentType) size.values += sign;
  else if (content instanceof Y.ContentString) size.characters += sign * content.str.length;
  else if (content instanceof Y.ContentAny) for (const value of content.arr) addValue(size, value, sign, depth + 1);
}

function addValue(size: DocumentSize, value: unknown, sign: 1 | -1, depth: number): void {
  size.values += sign;
  if (typeof value === "string") size.characters += sign * value.length;
  if (typeof value !== "object" || value === null) return;
  if (depth > LIMITS.depth) throw new EditRefused(LOSS.depth);
  if (Array.isArray(value)) for (const inner of value) addValue(size, inner, sign, depth + 1);
  else
    for (const key in value) {
      size.characters += sign * key.length;
      addValue(size, (value as Record<string, unknown>)[key], sign, depth + 1);
    }
}

// Texts that several people type into at once (docs/decisions/0020): Y.Text where letters merge, and how a field's whole text becomes
// the letters that were typed.
import * as Y from "yjs";
import { textChange } from "../text-change.ts";

/** No name is longer: ids end at 64 characters (DESIGN G7). */
const NAME = 64;

/** Whether a string is prose, whoever stores it. Of names, choices and addresses the last writer's is taken whole. */
export const isProse = (text: string): boolean => text.length > NAME || text.includes("\n");

export const isText = (value: unknown): value is Y.Text => value instanceof Y.Text && value.constructor === Y.Text;

/** Makes `text` read `next` by the one change between them. */
export function retype(text: Y.Text, next: string): void {
  const { at, removed, added } = textChange(text.toString(), next);
  if (removed > 0) text.delete(at, removed);
  if (added) text.insert(at, added);
}

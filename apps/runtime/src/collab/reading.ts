// A document as its rows make it, to be read and not edited.
import { DocumentTooLarge, inTurns, isOutdated, LayoutUnknown, measure, migrate, ONE_STEP, replay } from "@spindle/graph-model/shared-doc";
import type * as Y from "yjs";
import { Refused } from "../refused.ts";
import type { UpdateLog } from "./update-log.ts";

const NOTHING_READABLE =
  "The first of its edits are more than can be opened by themselves. Import the graph of one of its runs, or restore a back-up, and remove it.";

/**
 * Nothing is stored of it: its owner sets aside what has no place in it, and migrates it.
 * @param which of the rows: all, or the oldest, as many of them as can be opened
 * @throws Refused
 */
export async function readStored(log: UpdateLog, id: string, which: "all" | "oldest", turn: () => Promise<unknown>): Promise<Y.Doc> {
  try {
    const stored = await log.read(id, which);
    const { length } = await measure(stored, turn);
    if (which === "all" && length < stored.length) throw new DocumentTooLarge();
    const { doc, refused } = await inTurns(replay(stored.slice(0, length), ONE_STEP), turn);
    if (which === "oldest" && stored.length > 0 && refused.length === length) throw new DocumentTooLarge();
    if (isOutdated(doc)) migrate(doc);
    return doc;
  } catch (cause) {
    if (which === "oldest" && cause instanceof DocumentTooLarge) throw new Refused(422, "request.invalid", NOTHING_READABLE);
    throw asRefused(cause);
  }
}

/** What a person is told of a document that cannot be opened. */
export function asRefused(cause: unknown): unknown {
  if (cause instanceof DocumentTooLarge) return new Refused(409, "request.invalid", cause.message, { readable: "last" });
  return cause instanceof LayoutUnknown ? new Refused(409, "request.invalid", cause.message) : cause;
}

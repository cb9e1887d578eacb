// Which updates a document takes (DESIGN C5). An update is tried on a replica that nobody reads; what is stored and sent on is what it
// changed there, so that the same bytes have the same effect on every replica and at every load.
import * as Y from "yjs";
import { LIMITS } from "../check/limits.ts";
import { jsonOf, LOSS } from "./json.ts";
import { headOf, rootsOf } from "./layout.ts";
import { isText } from "./text.ts";

/** An update that is refused. The message is a sentence about the edit that a person reads. */
export class EditRefused extends Error {}

export interface Admitted {
  /** What the update changed, as an update; absent if it changed nothing. */
  news: Uint8Array | undefined;
  /** Whether it builds on edits that the replica lacks. That part of it had no effect. */
  gap: boolean;
}

/**
 * Applies `update` to `replica`. Costs what the update touches.
 * @throws EditRefused, after which the replica is of no more use
 */
export function admit(replica: Y.Doc, update: Uint8Array): Admitted {
  const roots = new Set<unknown>(rootsOf(replica));
  const news: Uint8Array[] = [];
  const keep = (bytes: Uint8Array) => void news.push(bytes);
  const check = (transaction: Y.Transaction) => refuseUnfit(transaction, roots);
  replica.on("update", keep);
  replica.on("beforeObserverCalls", check);
  try {
    // Before Yjs allocates what the bytes claim to hold.
    decode(update);
    Y.applyUpdate(replica, update);
  } catch (cause) {
    throw cause instanceof EditRefused ? cause : new EditRefused("It cannot be applied to the graph.", { cause });
  } finally {
    replica.off("update", keep);
    replica.off("beforeObserverCalls", check);
  }
  return { news: news.length > 1 ? Y.mergeUpdates(news) : news[0], gap: discardPending(replica) };
}

/**
 * Edits at one place of which none knows of another. Yjs compares each with all of them, whenever the document is loaded; people who
 * work apart bring as many as they are.
 */
const RIVALS = 256;
const TOO_MANY_RIVALS = `More than ${RIVALS} edits at one place know nothing of each other.`;

/** @throws Error for what is no update, or would make a document whose own encoding is none: Yjs takes pieces of no length, once */
function decode(update: Uint8Array): void {
  const { structs, ds } = Y.decodeUpdate(update);
  const pieces = [structs, ...ds.clients.values()];
  if (pieces.some((list) => list.some(({ len, length = len }: { len?: number; length?: number }) => !length || length < 1)))
    throw new Error("A piece of the update has no length.");
  // Yjs writes them so, and walks each range that it reads.
  for (const ranges of ds.clients.values())
    for (const [at, { clock }] of ranges.entries()) {
      const before = ranges[at - 1];
      if (before && clock < before.clock + before.len) throw new Error("The deletions of the update are not in order.");
    }
  const rivals = new Map<string, number>();
  for (const struct of structs) {
    if (!(struct instanceof Y.Item)) continue;
    const place = placeOf(struct);
    const count = (rivals.get(place) ?? 0) + 1;
    if (count > RIVALS) throw new EditRefused(TOO_MANY_RIVALS);
    rivals.set(place, count);
  }
}

/** Where an item was put, as far as it says itself: behind another, before another, or first of a map's key or of a list. */
function placeOf({ origin, rightOrigin, parent, parentSub }: Y.Item): string {
  if (origin) return `${origin.client} ${origin.clock}`;
  if (rightOrigin) return "first";
  const { client, clock } = (parent ?? {}) as Partial<Y.ID>;
  return JSON.stringify([typeof parent === "string" ? parent : [client, clock], parentSub]);
}

/** Whether more stand at the place of an item than may, those that came with other updates included. */
function isCrowded(item: Y.Item): boolean {
  const isRival = (other: Y.Item) =>
    Y.compareIDs(other.origin, item.origin) && (item.parentSub !== null || Y.compareIDs(other.rightOrigin, item.rightOrigin));
  let count = 0;
  for (const side of ["left", "right"] as const)
    for (let at = item[side]; at && isRival(at); at = at[side]) if (++count >= RIVALS) return true;
  return false;
}

/** What waits for edits that are missing would later be blamed on whoever brings them; its sender is asked for all of it instead. */
function discardPending({ store }: Y.Doc): boolean {
  const gap = store.pendingStructs !== null || store.pendingDs !== null;
  store.pendingStructs = null;
  store.pendingDs = null;
  return gap;
}

/**
 * Runs before Yjs calls observers: it lists every change at each of its ancestors, which takes minutes and gigabytes for deep nesting.
 * @throws EditRefused if what a transaction added does not belong in a document
 */
function refuseUnfit({ doc, beforeState, afterState }: Y.Transaction, roots: ReadonlySet<unknown>): void {
  for (const [client, clock] of afterState) {
    const from = beforeState.get(client) ?? 0;
    if (from === clock) continue;
    const structs = doc.store.clients.get(client) ?? [];
    for (let at = Y.findIndexSS(structs, from); at < structs.length; at++) {
      const struct = structs[at];
      if (!(struct instanceof Y.Item)) continue;
      const reason = isCrowded(struct) ? TOO_MANY_RIVALS : struct.deleted ? undefined : whyUnfitItem(struct, roots);
      if (reason) throw new EditRefused(reason);
    }
  }
}

function whyUnfitItem({ parent, parentSub, content }: Y.Item, roots: ReadonlySet<unknown>): string | undefined {
  const depth = depthOf(parent, roots);
  if (depth === undefined) return "It belongs to no part of a graph.";
  if (depth + (content instanceof Y.ContentType ? 1 : 0) > LIMITS.depth) return LOSS.depth;
  if (isText(parent)) return parentSub === null && content instanceof Y.ContentString ? undefined : LOSS.type;
  if (parentSub === null) return LOSS.type;
  if (content instanceof Y.ContentType) return content.type.constructor === Y.Map || isText(content.type) ? undefined : LOSS.type;
  if (!(content instanceof Y.ContentAny || content instanceof Y.ContentJSON))
    return content instanceof Y.ContentBinary ? LOSS.bytes : LOSS.type;
  let reason: string | undefined;
  for (const value of content.getContent()) jsonOf(value, depth + 1, (why) => (reason ??= why));
  return reason;
}

/** How deep the values of a type lie, roots being 1; more than the limit is not counted. Nothing for what hangs on no known root. */
function depthOf(type: Y.Item["parent"], roots: ReadonlySet<unknown>): number | undefined {
  let depth = 1;
  let at: unknown = type;
  while (at instanceof Y.AbstractType && at._item && depth <= LIMITS.depth) {
    at = at._item.parent;
    depth++;
  }
  return depth > LIMITS.depth || roots.has(at) ? depth : undefined;
}

export interface StoredUpdate {
  seq: string;
  bytes: Uint8Array;
}

export interface Loaded {
  doc: Y.Doc;
  /** Rows that have no place in the document, and why. */
  refused: { seq: string; reason: string }[];
}

const LOST_BASE = "It builds on an edit that is not there.";

/** The document that stored updates make. Rows are looked at singly only when all of them together are not fit. */
export function replay(rows: readonly StoredUpdate[]): Loaded {
  try {
    const { doc, whole } = replayAtOnce(rows);
    if (whole) return { doc, refused: [] };
  } catch {
    // One of them; which one is found below.
  }
  return replaySingly(rows);
}

function replayAtOnce(rows: readonly StoredUpdate[]): { doc: Y.Doc; whole: boolean } {
  const doc = new Y.Doc();
  const roots = new Set<unknown>(rootsOf(doc));
  const check = (transaction: Y.Transaction) => refuseUnfit(transaction, roots);
  doc.on("beforeObserverCalls", check);
  doc.transact(() => {
    for (const { bytes } of rows) {
      decode(bytes); // refuses pieces that can be applied, but not encoded and applied again
      Y.applyUpdate(doc, bytes);
    }
  }, "load");
  doc.off("beforeObserverCalls", check);
  return { doc, whole: !discardPending(doc) };
}

/** A row that builds on a later one is tried again after it. */
function replaySingly(rows: readonly StoredUpdate[]): Loaded {
  const tried = new Tried(new Y.Doc(), true);
  const refused: Loaded["refused"] = [];
  let waiting = rows;
  for (let before = -1; waiting.length > 0 && waiting.length !== before; ) {
    before = waiting.length;
    waiting = waiting.filter((row) => {
      try {
        const { news, gap } = tried.admit(row.bytes);
        if (news) Y.applyUpdate(tried.doc, news, "load");
        return gap;
      } catch (error) {
        refused.push({ seq: row.seq, reason: (error as Error).message });
        return false;
      }
    });
  }
  refused.push(...waiting.map((row) => ({ seq: row.seq, reason: LOST_BASE })));
  return { doc: tried.doc, refused };
}

const OTHER_LAYOUT = "It changes the layout of the graph's document, which only the server does.";

/** A document with the replica on which its updates are tried. Between calls both hold the same. */
export class Tried {
  private replica: Y.Doc | undefined;

  /** @param migrates whether an update may change the document's layout, as a stored one may have */
  constructor(
    readonly doc: Y.Doc,
    private readonly migrates = false,
  ) {}

  /** @throws EditRefused, and the document is as it was */
  admit(update: Uint8Array): Admitted {
    this.replica ??= copyOf(this.doc);
    try {
      const layout = headOf(this.replica).get("layout");
      const admitted = admit(this.replica, update);
      if (!this.migrates && headOf(this.replica).get("layout") !== layout) throw new EditRefused(OTHER_LAYOUT);
      return admitted;
    } catch (error) {
      this.forget();
      throw error;
    }
  }

  /** What was admitted last is not applied to the document after all. */
  forget(): void {
    this.replica = undefined;
  }
}

export function copyOf(doc: Y.Doc): Y.Doc {
  const copy = new Y.Doc();
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc));
  return copy;
}

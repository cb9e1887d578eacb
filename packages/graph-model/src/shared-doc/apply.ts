// Applies an update to a replica as Yjs does, in the order in which Yjs does, and counts what Yjs does not bound: an update of some
// kilobytes can make it compare items, or move the lists in which it keeps them, for minutes (docs/decisions/0026).
import * as Y from "yjs";

/** An update that is refused. The message is a sentence about the edit that a person reads. */
export class EditRefused extends Error {
  /** Pieces of the document's replica that was lost for it, and has to be copied again; 0 where the update was not tried. */
  lost = 0;
}

/** One that is refused for what is there already: by itself, or at another time, it would have been taken. */
export class EditUnfit extends EditRefused {}

/** What applying an update may cost beside what its size accounts for. */
export interface Allowance {
  /** Items that are looked at to find the places of new ones. */
  comparisons: number;
  /** What rivals in one list may cost whoever loads it, in comparisons. */
  rivalry: number;
  /** Pieces of one list that has rivals. */
  pieces: number;
  /** Places by which entries of Yjs' lists of structs are shifted. */
  moves: number;
  /** Pages, each with an id of its own, that have edited the document. */
  clients: number;
  /** Pieces of which the document consists, those deleted among them. */
  structs: number;
  /** Structs of the update, values in them and ranges that it deletes. */
  parts: number;
  /** Values that the document holds. */
  values: number;
  /** Characters of its texts, strings and keys. */
  characters: number;
}

/** For one update that somebody sends. */
export const ONE_UPDATE: Allowance = {
  comparisons: 2 ** 20,
  rivalry: 2 ** 20,
  pieces: 2 ** 16,
  moves: 2 ** 30,
  clients: 2 ** 14,
  structs: 2 ** 19,
  parts: 2 ** 19,
  values: 2 ** 20,
  characters: 2 ** 24,
};
/** For a whole graph that the server puts into a document. Its JSON has a limit of its own. */
export const WHOLE_GRAPH: Allowance = { ...ONE_UPDATE, parts: 2 ** 21 };
/** For what was admitted once: how much Yjs has joined by then differs a little between one document and its copy. */
export const LOADING: Allowance = {
  comparisons: 4 * ONE_UPDATE.comparisons,
  rivalry: 8 * ONE_UPDATE.rivalry,
  pieces: Number.POSITIVE_INFINITY, // as for structs
  moves: 4 * ONE_UPDATE.moves,
  clients: 4 * ONE_UPDATE.clients,
  structs: Number.POSITIVE_INFINITY, // a document of before there was this limit is read, and copied
  parts: 4 * ONE_UPDATE.values, // of all rows together: what fits into memory beside other documents
  values: Number.POSITIVE_INFINITY, // parts bound these
  characters: Number.POSITIVE_INFINITY, // and the bytes of the rows these
};
/** Of the stored rows of a document, together. A full one, and as much again that has not been compacted, comes to some 100 MiB. */
export const MOST_STORED_BYTES = 2 ** 27;
/** Each struct of an update pays for these itself. */
const COMPARISONS_PER_STRUCT = 16;
export const TOO_ENTANGLED = "Too many edits at one place know nothing of each other.";
export const IN_TWO_PLACES = "A piece of it lies in two places at once.";
const TOO_SCATTERED = "It takes too much apart or away at once. Do it in several steps.";
const AFRESH = "Export it, and import it as a new one.";
export const TOO_LONG_A_LIST = `One text or value of the graph has a history of more than ${ONE_UPDATE.pieces.toLocaleString("en")} edits. ${AFRESH}`;
const TOO_MANY_CLIENTS = `More than ${ONE_UPDATE.clients.toLocaleString("en")} pages have edited the graph. ${AFRESH}`;
const TOO_LONG = `The graph has a history of more than ${ONE_UPDATE.structs.toLocaleString("en")} edits. ${AFRESH}`;

export type Struct = Y.Item | Y.GC | Y.Skip;
export interface Decoded {
  structs: Struct[];
  /** What it deletes, of each client in order. */
  ds: { clients: Map<number, { clock: number; len: number }[]> };
}

class Work {
  /** Items that were put among others which their authors did not know of. */
  readonly contested = new Set<Y.Item>();
  /** The one that is under way. */
  transaction!: Y.Transaction;

  constructor(readonly left: Allowance) {}

  compare(count: number): void {
    this.left.comparisons -= count;
    if (this.left.comparisons < 0) throw new EditUnfit(TOO_ENTANGLED);
  }

  move(count: number): void {
    this.left.moves -= count;
    if (this.left.moves < 0) throw new EditRefused(TOO_SCATTERED);
  }
}

/** Work that others may go on between. */
export type Steps<T> = Generator<void, T>;

/** Does all of it at once. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** Does it step by step. @param turn lets others go on */
export async function inTurns<T>(steps: Steps<T>, turn: () => Promise<unknown>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    await turn();
  }
}

/** Structs that are put into their places, or deleted, in one transaction of many. What a thread does with them takes some 20 ms. */
export const ONE_STEP = 4096;

/**
 * Applies updates in transactions of `most` structs. What builds on structs that are missing is left out, as if it had not come.
 * @param check runs in each before Yjs tidies up and calls observers; it throws what it refuses. `contested` are the items that were put
 *   among others which their authors did not know of
 * @returns whether all of it was applied
 * @throws EditRefused, after which the document is of no more use
 */
export function* apply(
  doc: Y.Doc,
  updates: Iterable<Decoded>,
  allowance: Allowance,
  check: (transaction: Y.Transaction, contested: ReadonlySet<Y.Item>) => void,
  most: number,
  origin?: unknown,
): Steps<boolean> {
  const work = new Work({ ...allowance });
  const pieces = integrateAll(doc, updates, work);
  for (;;) {
    let isApplied = false;
    const finish = (transaction: Y.Transaction) => {
      try {
        if (isApplied) {
          refuseExcess(transaction, allowance);
          check(transaction, work.contested);
          countMerges(transaction, work);
        }
      } catch (error) {
        isApplied = false;
        throw error;
      } finally {
        if (!isApplied) leaveUntidy(transaction);
      }
    };
    doc.on("beforeObserverCalls", finish);
    let last: IteratorResult<void, boolean> | undefined;
    try {
      Y.transact(
        doc,
        (transaction) => {
          work.transaction = transaction;
          for (let left = most; left > 0 && !last?.done; left--) last = pieces.next();
          isApplied = true;
        },
        origin,
        false,
      );
    } finally {
      doc.off("beforeObserverCalls", finish);
    }
    if (last?.done) return last.value;
    yield;
  }
}

/** Yields after each struct. It goes on in the transaction that `work` has then. */
function* integrateAll(doc: Y.Doc, updates: Iterable<Decoded>, work: Work): Steps<boolean> {
  let isWhole = true;
  for (const { structs, ds } of updates) {
    work.compare(-structs.length * COMPARISONS_PER_STRUCT);
    const isAdded = yield* integrate(doc, structs, work);
    const isDeleted = yield* applyDeletions(doc, ds, work);
    isWhole &&= isAdded && isDeleted;
  }
  return isWhole;
}

export function countStructs({ store }: Y.Doc): number {
  let structs = 0;
  for (const list of store.clients.values()) structs += list.length;
  return structs;
}

/** Each edit costs what the document has of clients, and whoever loads it what it has of structs. What takes away is taken. */
function refuseExcess({ doc, beforeState, afterState }: Y.Transaction, most: Allowance): void {
  const { clients } = doc.store;
  if (clients.size > most.clients && clients.size > beforeState.size) throw new EditUnfit(TOO_MANY_CLIENTS);
  const structs = countStructs(doc);
  if (structs > most.structs && [...afterState].some(([client, clock]) => clock !== beforeState.get(client))) throw new EditUnfit(TOO_LONG);
}

/** Yjs tidies up after a transaction that failed, too; nobody will read this document again. */
function leaveUntidy(transaction: Y.Transaction): void {
  transaction.deleteSet.clients.clear();
  transaction.afterState.clear();
  transaction._mergeStructs.length = 0;
}

/** The order is that of Yjs: the highest client first, and before a struct those that it builds on. It decides what is compared. */
function* integrate(doc: Y.Doc, structs: readonly Struct[], work: Work): Steps<boolean> {
  const { store } = doc;
  const queues = new Map<number, { structs: Struct[]; next: number }>();
  for (const struct of structs) {
    const queue = queues.get(struct.id.client);
    if (queue) queue.structs.push(struct);
    else queues.set(struct.id.client, { structs: [struct], next: 0 });
  }
  if (queues.size > work.left.clients) throw new EditUnfit(TOO_MANY_CLIENTS);
  const nextOf = (client: number): Struct | undefined => {
    const queue = queues.get(client);
    return queue?.structs[queue.next++];
  };
  let isWhole = true;
  const waiting: Struct[] = [];
  for (const client of [...queues.keys()].sort((a, b) => b - a))
    for (let struct = nextOf(client); struct; struct = waiting.pop() ?? nextOf(client)) {
      for (let missing = integrateStruct(struct); missing !== undefined; ) {
        waiting.push(struct);
        const base: Struct | undefined = missing === struct.id.client ? undefined : nextOf(missing);
        if (!base) {
          for (const { id } of waiting) queues.delete(id.client);
          waiting.length = 0;
          isWhole = false;
          break;
        }
        struct = base;
        missing = integrateStruct(struct);
      }
      yield;
    }
  return isWhole;

  /** The client whose structs have to come first; nothing once the struct is in its place. */
  function integrateStruct(struct: Struct): number | undefined {
    if (struct instanceof Y.Skip) return undefined;
    const known = Y.getState(store, struct.id.client) - struct.id.clock;
    if (known < 0) return struct.id.client;
    if (known >= struct.length) return undefined;
    if (struct instanceof Y.Item) {
      if (typeof struct.parent === "string") struct.parent = doc.get(struct.parent);
      const sizes = [struct.origin, struct.rightOrigin].map((id) => sizeOf(store, id));
      const missing = struct.getMissing(work.transaction, store);
      if (missing !== null) return missing;
      refuseTorn(struct, known, store);
      for (const [index, at] of [struct.left, struct.right].entries())
        if (at && sizeOf(store, at.id) > (sizes[index] as number)) countSplit(store, at, work);
      countComparisons(struct, known, store, work);
    }
    struct.integrate(work.transaction, known);
    return undefined;
  }
}

/**
 * Nobody writes between neighbours of two lists, or behind a letter and before the same one, or goes on elsewhere than where one began.
 * Yjs puts such a piece into one place now, and into another, or nowhere, when the document is opened again.
 * @param known how much of it is there already: behind that Yjs puts the rest, wherever the item says that it lies
 * @throws EditRefused
 */
function refuseTorn({ id, origin, left, right, parent, parentSub }: Y.Item, known: number, store: Y.Doc["store"]): void {
  if (known > 0) {
    const begun = Y.getItem(store, Y.createID(id.client, id.clock + known - 1)) as Y.Item | Y.GC;
    const isSame = begun instanceof Y.Item ? begun.parent === parent && begun.parentSub === parentSub : !parent;
    if (!isSame) throw new EditRefused(IN_TWO_PLACES);
  }
  if (!(left instanceof Y.Item && right instanceof Y.Item)) return;
  if (left.parent !== right.parent || left.parentSub !== right.parentSub || !Y.compareIDs(origin, left.lastId))
    throw new EditRefused(IN_TWO_PLACES);
}

const sizeOf = (store: Y.Doc["store"], id: Y.ID | null): number => (id && store.clients.get(id.client)?.length) || 0;

/** What a copy of a value costs, in moves. */
const COPY = 16;

/** A struct is put into the list of its client's, and taken out again where it merges; a list of values is copied. */
function countSplit(store: Y.Doc["store"], { id, left, right, content }: Y.Item, work: Work): void {
  const isCopied = content instanceof Y.ContentAny || content instanceof Y.ContentJSON;
  const values = isCopied ? Math.max(left?.length ?? 0, right?.length ?? 0) + content.getLength() : 0;
  work.move(2 * sizeOf(store, id) + COPY * values);
}

/** Counts what `Item.integrate` of Yjs is about to compare; it walks as that does. */
function countComparisons(item: Y.Item, known: number, store: Y.Doc["store"], work: Work): void {
  const { id, right, rightOrigin, parent, parentSub } = item;
  if (!(parent instanceof Y.AbstractType)) return;
  const left = known > 0 ? (store.clients.get(id.client)?.at(-1) as Y.Item) : item.left;
  const origin = known > 0 ? (left as Y.Item).lastId : item.origin;
  if (left ? left.right === right : right && right.left === null) return;
  let other = left ? left.right : parent._start;
  if (!left && parentSub !== null) {
    other = parent._map.get(parentSub) ?? null;
    for (; other?.left; other = other.left) work.compare(2); // if it stays the first, once more
  }
  if (other !== right) work.contested.add(item);
  const passed = new Set<Y.Item>();
  for (; other && other !== right; other = other.right) {
    work.compare(1);
    passed.add(other);
    if (Y.compareIDs(origin, other.origin)) {
      if (other.id.client >= id.client && Y.compareIDs(rightOrigin, other.rightOrigin)) return;
    } else if (!other.origin || !passed.has(Y.getItem(store, other.origin))) return;
  }
}

function* applyDeletions({ store }: Y.Doc, { clients }: Decoded["ds"], work: Work): Steps<boolean> {
  let isWhole = true;
  for (const [client, ranges] of clients) {
    const state = Y.getState(store, client);
    const structs = store.clients.get(client) ?? [];
    for (const { clock, len } of ranges) {
      const end = clock + len;
      if (end > state) isWhole = false;
      if (clock >= state) break;
      for (let at = clock; at < Math.min(end, state); ) {
        const struct = structs[Y.findIndexSS(structs, at)] as Y.Item | Y.GC;
        const next = Math.min(end, struct.id.clock + struct.length);
        const before = structs.length;
        const deletion = { clients: new Map([[client, [{ clock: at, len: next - at }]]]) };
        Y.iterateDeletedStructs(work.transaction, deletion as Y.Transaction["deleteSet"], (piece) => {
          if (!piece.deleted) (piece as Y.Item).delete(work.transaction);
        });
        const divided = structs[Y.findIndexSS(structs, at)];
        if (divided instanceof Y.Item) for (let splits = structs.length - before; splits > 0; splits--) countSplit(store, divided, work);
        at = next;
        yield;
      }
    }
  }
  return isWhole;
}

/** Counts by how much Yjs will shift its lists when it merges what the transaction added and deleted: each run of structs by one shift. */
function countMerges({ doc, beforeState, afterState, deleteSet, _mergeStructs }: Y.Transaction, work: Work): void {
  const countBetween = (structs: (Y.Item | Y.GC)[], from: number, to: number) => {
    let merged = 0;
    let isRun = false;
    for (let at = Math.min(to, structs.length - 1); at >= Math.max(from, 1); at--) {
      const isMerged = willMerge(structs[at - 1] as Y.Item | Y.GC, structs[at] as Y.Item | Y.GC);
      if (isMerged) merged++;
      else if (isRun) work.move(structs.length - at - merged);
      isRun = isMerged;
    }
    if (isRun) work.move(structs.length - from - merged);
  };
  for (const [client, ranges] of deleteSet.clients) {
    const structs = doc.store.clients.get(client) ?? [];
    for (const { clock, len } of ranges) countBetween(structs, Y.findIndexSS(structs, clock), 1 + Y.findIndexSS(structs, clock + len - 1));
  }
  for (const [client, clock] of afterState) {
    const before = beforeState.get(client) ?? 0;
    const structs = doc.store.clients.get(client) ?? [];
    if (before !== clock) countBetween(structs, Y.findIndexSS(structs, before), structs.length - 1);
  }
  for (const { id } of _mergeStructs) {
    const structs = doc.store.clients.get(id.client) ?? [];
    const at = Y.findIndexSS(structs, id.clock);
    const [left, own, right] = [structs[at - 1], structs[at], structs[at + 1]] as (Y.Item | Y.GC)[];
    if (own && ((left && willMerge(left, own)) || (right && willMerge(own, right)))) work.move(structs.length - at);
  }
}

/** Whether Yjs makes one of two neighbours in the list of a client, once it has dropped the contents of what is deleted. */
function willMerge(left: Y.Item | Y.GC, right: Y.Item | Y.GC): boolean {
  if (left.deleted !== right.deleted || isDropped(left) !== isDropped(right)) return false;
  return isDropped(left) || (left instanceof Y.Item && right instanceof Y.Item && continues(left, right));
}

/** Whether an item goes on where the one on its left ends, so that Yjs makes one of both. */
export const continues = (left: Y.Item, right: Y.Item): boolean =>
  left.right === right &&
  left.id.client === right.id.client &&
  left.id.clock + left.length === right.id.clock &&
  left.deleted === right.deleted &&
  Y.compareIDs(right.origin, left.lastId) &&
  Y.compareIDs(left.rightOrigin, right.rightOrigin) &&
  (left.deleted || (left.content.constructor === right.content.constructor && !(left.content instanceof Y.ContentType)));

/** Whether nothing but the length is kept of a struct: it lay in something that is deleted. */
const isDropped = (struct: Y.Item | Y.GC): boolean =>
  !(struct instanceof Y.Item) || Boolean(struct.deleted && struct.parent instanceof Y.AbstractType && struct.parent._item?.deleted);

// What a person takes back (DESIGN C3): one's own edits, and nothing that somebody else did at the same place since (docs/decisions/0020).
import * as Y from "yjs";
import { rootsOf } from "./layout.ts";

type Deletions = Y.UndoManager["undoStack"][number]["deletions"];
/** Yjs does not export the class. */
type Step = Y.UndoManager["undoStack"][number];
type Held = Y.AbstractType<unknown>;

/**
 * Yjs refuses to bring a value back where another's lies behind it, even in what was deleted as a whole, and brings one back over another's
 * where one's own later edit lies behind that. So it is told to bring back everything, of a step that has been reduced to what it should.
 */
export class Undo extends Y.UndoManager {
  /** What went whenever a step was taken back, or done again, and what went in such a step itself. */
  private gone: Deletions = Y.createDeleteSet();

  /**
   * @param origin of the edits that are taken back
   * @param captureTimeout in ms: edits that follow each other sooner are one step
   */
  constructor(doc: Y.Doc, origin: unknown, captureTimeout: number) {
    super(rootsOf(doc), { trackedOrigins: new Set([origin]), captureTimeout, ignoreRemoteMapChanges: true });
    const link = (transaction: Y.Transaction) => {
      const step = this.undoing ? this.undoStack.at(-1) : this.redoing ? this.redoStack.at(-1) : undefined;
      if (transaction.origin !== this || !step) return;
      divideAlike(transaction, step.insertions); // before anything is linked, which a division would undo
      doc.once("beforeObserverCalls", linkNeighbours(transaction, step));
    };
    const remember = (transaction: Y.Transaction) => {
      if (transaction.origin === this) this.gone = Y.mergeDeleteSets([this.gone, transaction.deleteSet]);
    };
    doc.on("beforeTransaction", link);
    doc.on("afterTransaction", remember);
    doc.on("destroy", () => {
      doc.off("beforeTransaction", link);
      doc.off("afterTransaction", remember);
    });
  }

  /** Takes back the last step of which anything can be taken back. */
  override undo(): Step | null {
    return this.takeBack(this.undoStack, () => super.undo());
  }

  override redo(): Step | null {
    return this.takeBack(this.redoStack, () => super.redo());
  }

  /** One step at a time: what may be brought back of the one before it depends on what this one leaves. */
  private takeBack(stack: Step[], act: () => Step | null): Step | null {
    const before = stack.splice(0, stack.length - 1);
    try {
      for (;;) {
        for (const step of stack) step.deletions = bringsBack(this.doc.store, step, this.gone);
        this.gone = Y.mergeDeleteSets([this.gone, ...stack.map(madeInVain)]);
        const done = act();
        const next = done ? undefined : before.pop();
        if (!next) return done;
        stack.push(next);
      }
    } finally {
      const left = stack.splice(0);
      for (const step of [before, left].flat()) stack.push(step); // there may be more than a call takes arguments
    }
  }
}

/** What of a step's deletions may be brought back: letters of texts, and of each key the last value, unless somebody has set it since. */
function bringsBack(store: Y.Doc["store"], { insertions, deletions }: Step, gone: Deletions): Deletions {
  // What this step deleted, or what was one's own and went when a later step was taken back.
  const isGone = ({ lastId }: Y.Item) => Y.isDeleted(deletions, lastId) || Y.isDeleted(gone, lastId);
  const mine = new Set([...valuesIn(store, insertions).keys()].map((item) => lastOf(store, item)));
  const deleted = valuesIn(store, deletions);
  for (const [item, clocks] of deleted) {
    const older = clocks.filter((clock) => !Y.isDeleted(insertions, Y.createID(item.id.client, clock)));
    if (older.length > 0) deleted.set(item, older);
    else deleted.delete(item);
  }
  const left = new Map<number, Set<number>>();
  const leave = ({ id }: Y.Item, clocks: Iterable<number>) => {
    const own = left.get(id.client) ?? new Set();
    for (const clock of clocks) own.add(clock);
    left.set(id.client, own);
  };
  for (const [item, clocks] of deleted) {
    const current = nowOf(store, item.parent as Held)?._map.get(item.parentSub as string);
    const isMine = !current || (current.deleted ? isGone(current) : mine.has(current));
    leave(item, isMine && !isFollowed(item, deleted) ? clocks.slice(0, -1) : clocks);
  }
  // Yjs would look for the place of these in what another person has deleted since it was brought back, and fail.
  for (const [item, from, to] of itemsIn(store, deletions))
    if (isLost(store, item.parent as Held))
      leave(
        item,
        Array.from({ length: to - from }, (_, at) => from + at),
      );
  return without(deletions, left);
}

/** The values of keys within ranges, by their clocks: values of one key that were deleted may share an item. */
function valuesIn(store: Y.Doc["store"], ranges: Deletions): Map<Y.Item, number[]> {
  const values = new Map<Y.Item, number[]>();
  for (const [item, from, to] of itemsIn(store, ranges))
    if (item.parentSub !== null)
      values.set(item, [...(values.get(item) ?? []), ...Array.from({ length: to - from }, (_, at) => from + at)]);
  return values;
}

/** The items within ranges, each with the part of it that is: from a clock to another. */
function* itemsIn(store: Y.Doc["store"], { clients }: Deletions): Generator<[item: Y.Item, from: number, to: number]> {
  for (const [client, ranges] of clients) {
    const structs = store.clients.get(client) ?? [];
    for (const { clock, len } of ranges)
      for (let at = Y.findIndexSS(structs, clock); at < structs.length; at++) {
        const struct = structs[at] as Y.Item | Y.GC;
        const { id, length } = struct;
        if (id.clock >= clock + len) break;
        if (struct instanceof Y.Item) yield [struct, Math.max(clock, id.clock), Math.min(clock + len, id.clock + length)];
      }
  }
}

/**
 * Of each item that a step inserted Yjs takes back one item of all that came of it. Where that has been joined to what follows, or divided,
 * it would take too much or too little; so both are divided at the same places before.
 */
function divideAlike(transaction: Y.Transaction, insertions: Deletions): void {
  const { store } = transaction.doc;
  for (const [{ id }, from, to] of [...itemsIn(store, insertions)]) {
    Y.getItemCleanEnd(transaction, store, Y.createID(id.client, to - 1));
    for (let at = from; at < to; ) {
      let length = to - at;
      for (let own: Y.ID | null = Y.createID(id.client, at); own; ) {
        const item = Y.getItemCleanStart(transaction, own);
        length = Math.min(length, item.length);
        own = item.redone;
      }
      for (let own: Y.ID | null = Y.createID(id.client, at); own; own = Y.getItem(store, own).redone)
        Y.getItemCleanEnd(transaction, store, Y.createID(own.client, own.clock + length - 1));
      at += length;
    }
  }
}

/**
 * A piece of a text that was deleted as a whole, and brought back, comes back behind what stands there now for the letter before it. Yjs takes
 * the first letters of what came of that, whatever was written into it since, and the first that came of it in the text, which may have been
 * deleted and brought back elsewhere; and it takes what was brought back in the old text itself for what it once stood for. So each piece is
 * linked to the two that it comes between, side by side by then, while Yjs looks for its place. Costs what the texts have of pieces.
 * @returns how to link them as they were
 */
function linkNeighbours(transaction: Y.Transaction, { insertions, deletions }: Step): () => void {
  const { store } = transaction.doc;
  /** With their places in the order in which Yjs brings them back. */
  const pieces = new Map<Y.Item, number>();
  for (const [{ id, parentSub, redone }, from, to] of [...itemsIn(store, deletions)]) {
    // What the step itself made, Yjs does not bring back.
    if (parentSub !== null || redone || Y.isDeleted(insertions, Y.createID(id.client, from))) continue;
    Y.getItemCleanEnd(transaction, store, Y.createID(id.client, to - 1));
    pieces.set(Y.getItemCleanStart(transaction, Y.createID(id.client, from)), pieces.size);
  }
  const links: Link[] = [];
  for (const text of new Set([...pieces.keys()].map(({ parent }) => parent as Held))) {
    const now = nowOf(store, text);
    if (now === text) continue;
    let behind: Y.ID | undefined;
    let passed: Y.Item[] = [];
    // Behind the same letter, those that come back before all behind them so far: from the left, and in that order.
    let open: Link[] = [];
    for (let item = text._start; item; item = item.right) {
      const order = pieces.get(item);
      if (order === undefined) {
        passed.push(item);
        continue;
      }
      const standing = now && lastStanding(transaction, passed, now);
      passed = [];
      if (standing) {
        behind = standing;
        open = [];
      }
      for (let last = open.at(-1); last && last.order > order; last = open.at(-1)) {
        last.right = item;
        open.pop();
      }
      const link = { piece: item, order, now, behind, left: open.at(-1)?.piece };
      links.push(link);
      open.push(link);
    }
  }
  const former = links.map(({ piece }) => ({ piece, left: piece.left, right: piece.right }));
  // Only now is everything divided: where a letter is the end of an item, it stays one.
  const meant = links.map(({ piece, now, behind, left, right }) => {
    const standing = behind ? (Y.getItem(store, behind) as Y.Item) : undefined;
    return { piece, left: left ?? standing ?? null, right: right ?? (standing ? standing.right : now?._start) ?? null };
  });
  const set = (all: typeof meant) => {
    for (const { piece, left, right } of all) Object.assign(piece, { left, right });
  };
  set(meant);
  return () => set(former);
}

/** Where a piece comes back. */
interface Link {
  piece: Y.Item;
  order: number;
  /** The text in which that is, and the letter in it behind which it is. */
  now: Held | undefined;
  behind: Y.ID | undefined;
  /** Pieces that are back by then, between which it is instead. */
  left?: Y.Item | undefined;
  right?: Y.Item | undefined;
}

/** What came of the last letter, of all of some items, that stands in another text now. It is the end of an item afterwards. */
function lastStanding(transaction: Y.Transaction, items: readonly Y.Item[], now: Held): Y.ID | undefined {
  const { store } = transaction.doc;
  for (const { id, length, parent, redone } of [...items].reverse()) {
    if (redone && Y.getItem(store, redone).parent === parent) continue; // what came of it is another one here
    for (let clock = id.clock + length - 1; clock >= id.clock; clock--) {
      const last = lastIdOf(store, Y.createID(id.client, clock));
      if (Y.getItem(store, last).parent !== now) continue;
      Y.getItemCleanEnd(transaction, store, last);
      return last;
    }
  }
  return undefined;
}

/** What came of a letter, or of a value, when it was taken back and made again. */
function lastIdOf(store: Y.Doc["store"], id: Y.ID): Y.ID {
  for (let at = id; ; ) {
    const { id: begin, redone } = Y.getItem(store, at);
    if (!redone) return at;
    at = Y.createID(redone.client, redone.clock + at.clock - begin.clock);
  }
}

/** The item in which what came of the first letter, or of the value, of another is. */
const lastOf = (store: Y.Doc["store"], { id }: Y.Item): Y.Item => Y.getItem(store, lastIdOf(store, id)) as Y.Item;

/** The type that stands in the place of another now; nothing if that one is deleted. */
function nowOf(store: Y.Doc["store"], type: Held): Held | undefined {
  if (!type._item) return type;
  const item = lastOf(store, type._item);
  return item.deleted ? undefined : ((item.content as Y.ContentType).type as Held);
}

/** Whether a type was brought back once, and is deleted again. */
const isLost = (store: Y.Doc["store"], { _item }: Held): boolean => Boolean(_item?.deleted && _item.redone && lastOf(store, _item).deleted);

/** Whether a later value of the same key may come back. */
function isFollowed(item: Y.Item, deleted: ReadonlyMap<Y.Item, unknown>): boolean {
  for (let next = item.right; next; next = next.right) if (deleted.has(next)) return true;
  return false;
}

function without({ clients }: Deletions, left: ReadonlyMap<number, ReadonlySet<number>>): Deletions {
  const rest = Y.createDeleteSet();
  for (const [client, ranges] of clients)
    rest.clients.set(
      client,
      ranges.flatMap((range) => divide(range, left.get(client) ?? new Set())),
    );
  return rest;
}

/** A range without some of its clocks. */
function divide({ clock, len }: { clock: number; len: number }, gone: ReadonlySet<number>): { clock: number; len: number }[] {
  const ends = [...gone].filter((at) => at >= clock && at < clock + len).sort((a, b) => a - b);
  let from = clock;
  const ranges = [...ends, clock + len].map((to) => {
    const range = { clock: from, len: to - from };
    from = to + 1;
    return range;
  });
  return ranges.filter((range) => range.len > 0);
}

/** What a step both made and deleted. */
function madeInVain({ insertions, deletions }: Step): Deletions {
  const both = Y.createDeleteSet();
  for (const [client, ranges] of deletions.clients) {
    const own = insertions.clients.get(client) ?? [];
    const parts = ranges.flatMap(({ clock, len }) =>
      own.flatMap((range) => {
        const from = Math.max(clock, range.clock);
        const to = Math.min(clock + len, range.clock + range.len);
        return from < to ? [{ clock: from, len: to - from }] : [];
      }),
    );
    if (parts.length > 0) both.clients.set(client, parts);
  }
  return both;
}

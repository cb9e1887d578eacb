// Which updates a document takes (DESIGN C5). An update is tried on a replica that nobody reads; what is stored and sent on is what it
// changed there, so that the same bytes have the same effect on every replica and at every load.
import * as Y from "yjs";
import { LIMITS } from "../limits.ts";
import {
  type Allowance,
  apply,
  countStructs,
  type Decoded,
  EditRefused,
  EditUnfit,
  inTurns,
  LOADING,
  ONE_STEP,
  ONE_UPDATE,
  type Steps,
} from "./apply.ts";
import { copy } from "./copy.ts";
import { countInSteps, decode, refuseMisplaced } from "./decode.ts";
import { LOSS } from "./json.ts";
import { headOf, ROOTS, rootsOf } from "./layout.ts";
import { type Addition, refuseUnfitList } from "./lists.ts";
import { addItem, type DocumentSize, refuseLarge, sizeOf, subtractDeleted } from "./size.ts";
import { isText } from "./text.ts";

export { EditRefused, EditUnfit } from "./apply.ts";

export interface Admitted {
  /** What the update changed, as updates, each of which builds on those before it; none if it changed nothing. */
  news: Uint8Array[];
  /** Whether it builds on edits that the replica lacks. That part of it had no effect. */
  gap: boolean;
  /** Of which clients it brought something. */
  clients: number[];
}

/**
 * Applies an update to `replica`. Costs what the update touches.
 * @param size of the replica, which is brought up to date
 * @throws EditRefused, after which the replica and its size are of no more use
 */
export function* admit(
  replica: Y.Doc,
  update: Decoded,
  allowance: Allowance = ONE_UPDATE,
  size: DocumentSize = sizeOf(replica),
  most = Number.POSITIVE_INFINITY,
): Steps<Admitted> {
  const roots = new Set<unknown>(rootsOf(replica));
  const news: Uint8Array[] = [];
  const keep = (bytes: Uint8Array) => void news.push(bytes);
  const before = { ...size };
  const known = new Map(update.structs.map(({ id: { client } }) => [client, Y.getState(replica.store, client)]));
  replica.on("update", keep);
  try {
    const check = (transaction: Y.Transaction, contested: ReadonlySet<Y.Item>) =>
      refuseUnfit(transaction, { roots, contested, allowance, size });
    const isWhole = yield* apply(replica, [update], allowance, check, most);
    refuseLarge(size, before, allowance);
    return {
      news,
      gap: !isWhole,
      clients: [...known].flatMap(([client, clock]) => (Y.getState(replica.store, client) > clock ? [client] : [])),
    };
  } catch (cause) {
    throw cause instanceof EditRefused ? cause : new EditRefused("It cannot be applied to the graph.", { cause });
  } finally {
    replica.off("update", keep);
  }
}

/**
 * Runs before Yjs calls observers: it lists every change at each of its ancestors, which takes minutes and gigabytes for deep nesting.
 * @throws EditRefused if what a transaction added does not belong in a document
 */
function refuseUnfit(
  transaction: Y.Transaction,
  {
    roots,
    contested,
    allowance,
    size,
  }: { roots: ReadonlySet<unknown>; contested: ReadonlySet<Y.Item>; allowance: Allowance; size: DocumentSize },
): void {
  const { doc, beforeState, afterState } = transaction;
  const lists = new Map<Y.Item["parent"], Map<string | null, Addition>>();
  for (const [client, clock] of afterState) {
    const from = beforeState.get(client) ?? 0;
    if (from === clock) continue;
    const structs = doc.store.clients.get(client) ?? [];
    for (let at = Y.findIndexSS(structs, from); at < structs.length; at++) {
      const struct = structs[at];
      if (!(struct instanceof Y.Item)) continue;
      const depth = struct.deleted ? 0 : depthOf(struct.parent, roots);
      const reason = struct.deleted ? undefined : whyUnfitItem(struct, depth);
      if (reason) throw new EditRefused(reason);
      addItem(size, struct, depth ?? 0);
      const keys = lists.get(struct.parent) ?? new Map<string | null, Addition>();
      lists.set(struct.parent, keys);
      const addition = keys.get(struct.parentSub) ?? { item: struct, count: 0, contested: [] };
      keys.set(struct.parentSub, addition);
      addition.count++;
      if (contested.has(struct)) addition.contested.push(struct);
    }
  }
  subtractDeleted(size, transaction);
  for (const keys of lists.values()) for (const addition of keys.values()) refuseUnfitList(doc.store, addition, allowance);
}

/** What the content is by itself was seen when it was decoded, and how deep its values lie is seen when they are counted. */
function whyUnfitItem({ parent, parentSub, content }: Y.Item, depth: number | undefined): string | undefined {
  if (depth === undefined) return "It belongs to no part of a graph.";
  if (depth + (content instanceof Y.ContentType ? 1 : 0) > LIMITS.depth) return LOSS.depth;
  if (isText(parent)) return parentSub === null && content instanceof Y.ContentString ? undefined : LOSS.type;
  return parentSub !== null && (content instanceof Y.ContentType || content instanceof Y.ContentAny) ? undefined : LOSS.type;
}

interface Range {
  id: Y.ID;
  length: number;
}

/** The values of an update that come several in one piece, as those of one key do that followed each other and were overwritten. */
const valuesTogether = ({ structs }: Decoded): Range[] =>
  structs.flatMap((struct) => {
    const { id, length } = struct;
    return struct instanceof Y.Item && struct.content instanceof Y.ContentAny && length > 1 ? [{ id, length }] : [];
  });

/**
 * A key has one value, its last: of several that came in one piece, and were not overwritten, some would stand before it, and whatever takes
 * their node away would fail.
 * @throws EditRefused
 */
function refuseSeveral(store: Y.Doc["store"], ranges: readonly Range[]): void {
  for (const { id, length } of ranges)
    for (let clock = id.clock; clock < Math.min(id.clock + length, Y.getState(store, id.client)); ) {
      const struct: Y.Item | Y.GC = Y.getItem(store, Y.createID(id.client, clock));
      if (struct instanceof Y.Item && !struct.deleted && (struct.length > 1 || struct.right)) throw new EditRefused(LOSS.type);
      clock = struct.id.clock + struct.length;
    }
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

/** Bytes of rows that are decoded, and applied, at once: of what was overwritten since, no more than these make is in memory. */
const AT_ONCE = 4 * 1024 * 1024;

const TOO_LARGE = "Its edits are more than can be opened. Export its last readable version, import that, and remove it.";

/** A document whose rows would fill the memory. The message is a sentence that a person reads, of at most 123 bytes: it closes sockets. */
export class DocumentTooLarge extends Error {
  constructor() {
    super(TOO_LARGE);
  }
}

/**
 * How many parts each row has, without decoding its values. Ends before the first row with which they are more than a document is opened with.
 * @param turn lets others go on
 */
export async function measure(rows: readonly StoredUpdate[], turn: () => Promise<unknown>): Promise<number[]> {
  let [left, unseen] = [LOADING.parts, 0];
  const parts: number[] = [];
  for (const row of rows) {
    const count = await inTurns(countInSteps(row.bytes, left, ONE_STEP), turn);
    left -= count;
    if (left < 0) break;
    parts.push(count);
    unseen += count;
    if (unseen < ONE_STEP) continue;
    unseen = 0;
    await turn();
  }
  return parts;
}

/**
 * The document that stored updates make. Rows are looked at singly only when they are not fit together.
 * @param rows that were measured
 */
export function* replay(rows: readonly StoredUpdate[], most = Number.POSITIVE_INFINITY): Steps<Loaded> {
  try {
    const { doc, whole } = yield* replayTogether(rows, most);
    if (whole) return { doc, refused: [] };
  } catch {
    // One of them; which one is found below.
  }
  return yield* replaySingly(rows, most);
}

function* replayTogether(rows: readonly StoredUpdate[], most: number): Steps<{ doc: Y.Doc; whole: boolean }> {
  const doc = new Y.Doc();
  const roots = new Set<unknown>(rootsOf(doc));
  const size: DocumentSize = { values: 0, characters: 0 };
  let whole = true;
  for (let from = 0, to = 0; from < rows.length; from = to) {
    for (let bytes = 0; to < rows.length && (to === from || bytes + lengthOf(rows[to]) <= AT_ONCE); to++) bytes += lengthOf(rows[to]);
    // Refuses pieces that can be applied, but not encoded and applied again.
    const updates: Decoded[] = [];
    let left = most;
    for (const { bytes } of rows.slice(from, to)) {
      const update: Decoded = yield* decode(bytes, LOADING.parts, most);
      updates.push(update);
      left -= 1 + update.structs.length;
      if (left > 0) continue;
      yield;
      left = most;
    }
    const check = (transaction: Y.Transaction, contested: ReadonlySet<Y.Item>) =>
      refuseUnfit(transaction, { roots, contested, allowance: LOADING, size });
    const isApplied: boolean = yield* apply(doc, updates, LOADING, check, most, "load");
    whole = isApplied && whole;
  }
  return { doc, whole };
}

const lengthOf = (row: StoredUpdate | undefined): number => row?.bytes.length ?? 0;

/** A row that builds on a later one is tried again after it. */
function* replaySingly(rows: readonly StoredUpdate[], most: number): Steps<Loaded> {
  const tried = new Tried(new Y.Doc(), true);
  const refused: Loaded["refused"] = [];
  let waiting = rows;
  for (let before = -1; waiting.length > 0 && waiting.length !== before; ) {
    before = waiting.length;
    const incomplete: StoredUpdate[] = [];
    for (const row of waiting) {
      try {
        const { news, gap } = yield* tried.admit(row.bytes, LOADING, most);
        for (const update of news) Y.applyUpdate(tried.doc, update, "load");
        if (gap) incomplete.push(row);
      } catch (error) {
        refused.push({ seq: row.seq, reason: (error as Error).message });
      }
      yield;
    }
    waiting = incomplete;
  }
  refused.push(...waiting.map((row) => ({ seq: row.seq, reason: LOST_BASE })));
  return { doc: tried.doc, refused };
}

const OTHER_LAYOUT = "It changes the layout of the graph's document, which only the server does.";

const PARTS: ReadonlySet<string> = new Set(ROOTS);

const OF_ANOTHER = "It was made under the name of another page.";

/**
 * Refuses what is new under the id of somebody else: Yjs would leave out what its owner does under it next, as known. What the document
 * has already Yjs leaves out, whatever is said of it now.
 * @throws EditUnfit
 */
function refuseOthers({ structs }: Decoded, store: Y.Doc["store"], mayWrite: (client: number) => boolean): void {
  for (const struct of structs) {
    const { client, clock } = struct.id;
    const isNew = !(struct instanceof Y.Skip) && clock + struct.length > Y.getState(store, client);
    if (isNew && !mayWrite(client)) throw new EditUnfit(OF_ANOTHER);
  }
}

/** A document with the replica on which its updates are tried: it holds the same, and what was admitted and is not applied yet. */
export class Tried {
  private replica: Y.Doc | undefined;
  private size: DocumentSize | undefined;

  /** @param migrates whether an update may change the document's layout, as a stored one may have */
  constructor(
    readonly doc: Y.Doc,
    private readonly migrates = false,
  ) {}

  /**
   * @param mayWrite whether its sender may add to what the client of this id did
   * @throws EditRefused, and the document is as it was
   */
  *admit(
    update: Uint8Array,
    allowance: Allowance = ONE_UPDATE,
    most = Number.POSITIVE_INFINITY,
    mayWrite: (client: number) => boolean = () => true,
  ): Steps<Admitted> {
    const decoded = yield* decode(update, allowance.parts, most);
    if (!this.migrates) refuseMisplaced(decoded, PARTS);
    if (decoded.structs.length === 0 && decoded.ds.clients.size === 0) return { news: [], gap: false, clients: [] };
    refuseOthers(decoded, (this.replica ?? this.doc).store, mayWrite); // the replica may be ahead
    if (!this.replica) {
      this.replica = yield* copy(this.doc, most);
      yield;
    }
    this.size ??= sizeOf(this.doc);
    try {
      const layout = headOf(this.replica).get("layout");
      const values = valuesTogether(decoded);
      const admitted = yield* admit(this.replica, decoded, allowance, this.size, most);
      // Of what is stored the rest may be in a later row.
      if (!this.migrates) refuseSeveral(this.replica.store, values);
      if (!this.migrates && headOf(this.replica).get("layout") !== layout) throw new EditUnfit(OTHER_LAYOUT);
      return admitted;
    } catch (error) {
      if (error instanceof EditRefused && this.replica) error.lost = countStructs(this.replica);
      this.forget();
      throw error;
    }
  }

  /** What was admitted last is not applied to the document after all. */
  forget(): void {
    this.replica = undefined;
    this.size = undefined;
  }
}

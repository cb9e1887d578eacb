// Reads an update. What it is made of is counted before it becomes objects: a byte can describe thirty of memory (docs/decisions/0026).
import * as Y from "yjs";
import { LIMITS } from "../limits.ts";
import { atOnce, type Decoded, EditRefused, type Steps, type Struct } from "./apply.ts";
import { LOSS } from "./json.ts";

const NO_UPDATE = "It cannot be applied to the graph.";
const TOO_MUCH = "It brings too many values at once. Do it in several steps.";

/** Kinds of content, by their numbers in an update, that no graph has. `Y.decodeUpdate` would make a whole `Y.Doc` for each document inside. */
const UNFIT: Readonly<Record<number, string>> = { 2: LOSS.type, 3: LOSS.bytes, 5: LOSS.type, 6: LOSS.type, 9: LOSS.type };
/** The types that a graph has, by their numbers in an update: maps and texts. */
const [MAP, TEXT] = [1, 2];

class Decoder extends Y.UpdateDecoderV1 {
  /** Parts that were read. */
  parts = 0;

  /** @param most parts that may be read */
  constructor(
    update: Uint8Array,
    private readonly most: number,
  ) {
    super({ arr: update, pos: 0 });
  }

  override readInfo(): number {
    this.spend();
    const info = super.readInfo();
    const reason = UNFIT[info & 31];
    if (reason) throw new EditRefused(reason);
    return info;
  }
  override readDsClock(): number {
    this.spend();
    return super.readDsClock();
  }
  override readTypeRef(): number {
    const type = super.readTypeRef();
    if (type !== MAP && type !== TEXT) throw new EditRefused(LOSS.type);
    return type;
  }
  override readAny(): unknown {
    const { pos } = this.restDecoder;
    this.pass(2);
    this.restDecoder.pos = pos;
    return super.readAny();
  }

  /** Goes past one value. `depth` is the least that it can have in its document. @throws EditRefused for what JSON cannot carry */
  protected pass(depth: number): void {
    this.spend();
    const kind = this.byte();
    switch (kind) {
      case 127: // undefined
      case 126: // null
      case 121: // false
      case 120: // true
        return;
      case 125: // an integer
        while (this.byte() > 127);
        return;
      case 124: // of 32 bits
        this.skip(4);
        return;
      case 123: // of 64 bits
        this.skip(8);
        return;
      case 122:
        throw new EditRefused("It holds a bigint, which JSON cannot carry.");
      case 119: // a string
        this.skip(this.readLen());
        return;
      case 118: // an object
      case 117: // a list
        if (depth > LIMITS.depth) throw new EditRefused(LOSS.depth);
        for (let count = this.readLen(); count > 0; count--) {
          if (kind === 118) this.skip(this.readLen());
          this.pass(depth + 1);
        }
        return;
      case 116:
        throw new EditRefused(LOSS.bytes);
      default:
        throw new Error(`A value of the update is of the unknown kind ${kind}.`);
    }
  }

  private spend(): void {
    if (++this.parts > this.most) throw new EditRefused(TOO_MUCH);
  }

  private byte(): number {
    this.skip(1);
    return this.restDecoder.arr[this.restDecoder.pos - 1] as number;
  }

  private skip(bytes: number): void {
    const { arr, pos } = this.restDecoder;
    if (bytes > arr.length - pos) throw new Error("The update ends in the middle of a value.");
    this.restDecoder.pos += bytes;
  }
}

/** Makes no values. */
class Counter extends Decoder {
  override readAny(): undefined {
    this.pass(2);
  }
}

/** What one page can have written, in characters and values. */
const MOST_CLOCK = 2 ** 31 - 1;

/**
 * Yjs takes pieces of no length, and pieces that end beyond what its decoder can read, and makes a document of them whose own encoding is
 * no update: nobody could open the graph again.
 * @param most parts that the update may have: structs, values in them, each object and list as one, and ranges that it deletes
 * @param step parts that are read in one step; one struct is not divided
 * @throws EditRefused
 */
export function* decode(update: Uint8Array, most: number, step = Number.POSITIVE_INFINITY): Steps<Decoded> {
  const structs: Struct[] = [];
  try {
    const ds = yield* read(new Decoder(update, most), step, (struct) => void structs.push(struct));
    return { structs, ds };
  } catch (cause) {
    throw cause instanceof EditRefused ? cause : new EditRefused(NO_UPDATE, { cause });
  }
}

/** The structs of an update one by one, and what it deletes, as Yjs reads them. */
function* read(decoder: Decoder, step: number, keep: (struct: Struct) => void): Steps<Decoded["ds"]> {
  let { parts } = decoder;
  const isDue = () => decoder.parts - parts >= step;
  for (let clients = decoder.readLen(); clients > 0; clients--) {
    let count = decoder.readLen();
    const client = decoder.readClient();
    for (let clock = decoder.readLen(); count > 0; count--) {
      const struct = readStruct(decoder, client, clock);
      refuseOdd(client, clock, struct.length);
      keep(struct);
      clock += struct.length;
      if (!isDue()) continue;
      yield;
      parts = decoder.parts;
    }
  }
  const ds: Decoded["ds"] = { clients: new Map() };
  for (let clients = decoder.readLen(); clients > 0; clients--) {
    const client = decoder.readLen();
    const ranges = ds.clients.get(client) ?? [];
    ds.clients.set(client, ranges);
    for (let count = decoder.readLen(); count > 0; count--) {
      const [clock, len] = [decoder.readDsClock(), decoder.readDsLen()];
      refuseOdd(client, clock, len);
      const before = ranges.at(-1);
      // Yjs writes them so, and walks each range that it reads.
      if (before && clock < before.clock + before.len) throw new Error("The deletions of the update are not in order.");
      ranges.push({ clock, len });
      if (!isDue()) continue;
      yield;
      parts = decoder.parts;
    }
  }
  return ds;
}

/** What the first byte of a struct says: its kind, and which of the others are there. */
const KIND = 31;
const [HAS_ORIGIN, HAS_RIGHT_ORIGIN, HAS_KEY] = [128, 64, 32];
const [GC, SKIP] = [0, 10];

function readStruct(decoder: Decoder, client: number, clock: number): Struct {
  const id = Y.createID(client, clock);
  const info = decoder.readInfo();
  if (info === SKIP) return new Y.Skip(id, decoder.readLen());
  if ((info & KIND) === GC) return new Y.GC(id, decoder.readLen());
  const origin = info & HAS_ORIGIN ? decoder.readLeftID() : null;
  const rightOrigin = info & HAS_RIGHT_ORIGIN ? decoder.readRightID() : null;
  // Of a neighbour it has the parent and the key.
  const isAlone = !origin && !rightOrigin;
  const parent = isAlone ? (decoder.readParentInfo() ? decoder.readString() : decoder.readLeftID()) : null;
  const key = isAlone && info & HAS_KEY ? decoder.readString() : null;
  // Yjs puts the type in the place of its name, or of the id of what it lies in, when it integrates the item.
  return new Y.Item(id, null, origin, null, rightOrigin, parent as Y.Item["parent"], key, readContent(decoder, info & KIND));
}

function readContent(decoder: Decoder, kind: number): Y.Item["content"] {
  switch (kind) {
    case 1:
      return new Y.ContentDeleted(decoder.readLen());
    case 4:
      return new Y.ContentString(decoder.readString());
    case 7:
      return new Y.ContentType(decoder.readTypeRef() === TEXT ? new Y.Text() : new Y.Map());
    case 8:
      return new Y.ContentAny(readValues(decoder));
    default:
      throw new Error(`A piece of the update is of the unknown kind ${kind}.`);
  }
}

/** One after the other: a length that is claimed lays out nothing. */
function readValues(decoder: Decoder): unknown[] {
  const values: unknown[] = [];
  for (let count = decoder.readLen(); count > 0; count--) values.push(decoder.readAny());
  return values;
}

function refuseOdd(client: number, clock: number, length: number): void {
  if (!(length >= 1)) throw new Error("A piece of the update has no length.");
  if (!Number.isSafeInteger(client) || !(clock + length <= MOST_CLOCK))
    throw new Error("A piece of the update ends beyond what can be read.");
}

/** How many parts an update has, or more than `most`. Of what is no update, or does not fit, those are counted that come before it shows. */
export function* countInSteps(update: Uint8Array, most: number, step: number): Steps<number> {
  const counter = new Counter(update, most);
  try {
    yield* read(counter, step, () => {});
  } catch {
    // Whoever decodes it hears why.
  }
  return counter.parts;
}

export const countParts = (update: Uint8Array, most: number): number => atOnce(countInSteps(update, most, Number.POSITIVE_INFINITY));

/**
 * Refuses what can be known to have no place in a graph without a look at the document, so that no replica is lost for it.
 * @throws EditRefused
 */
export function refuseMisplaced({ structs }: Decoded, roots: ReadonlySet<string>): void {
  /** How deep what lies in the types of this update is at least, by client and clock. */
  const inside = new Map<number, Map<number, number>>();
  for (const struct of structs) {
    if (!(struct instanceof Y.Item)) continue;
    const { id, content } = struct;
    const parent: unknown = struct.parent;
    if (typeof parent === "string" && !roots.has(parent)) throw new EditRefused("It belongs to no part of a graph.");
    if (typeof parent === "string" && struct.parentSub === null) throw new EditRefused(LOSS.type);
    const depth = (parent instanceof Y.ID && inside.get(parent.client)?.get(parent.clock)) || 1;
    if (!(content instanceof Y.ContentType)) continue;
    if (depth + 1 > LIMITS.depth) throw new EditRefused(LOSS.depth);
    const types = inside.get(id.client) ?? new Map<number, number>();
    inside.set(id.client, types.set(id.clock, depth + 1));
  }
}

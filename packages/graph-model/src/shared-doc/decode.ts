// Reads an update. What it is made of is counted before it becomes objects: a byte can describe thirty of memory (docs/decisions/0026).
import * as Y from "yjs";
import { LIMITS } from "../limits.ts";
import { type Decoded, EditRefused } from "./apply.ts";
import { LOSS } from "./json.ts";

const NO_UPDATE = "It cannot be applied to the graph.";
const TOO_MUCH = "It brings too many values at once. Do it in several steps.";

/** Kinds of content, by their numbers in an update, that no graph has. `Y.decodeUpdate` would make a whole `Y.Doc` for each document inside. */
const UNFIT: Readonly<Record<number, string>> = { 2: LOSS.type, 3: LOSS.bytes, 5: LOSS.type, 6: LOSS.type, 9: LOSS.type };
/** The types that a graph has, by their numbers in an update: maps and texts. */
const FIT_TYPES: ReadonlySet<number> = new Set([1, 2]);

/** Parts that may still be read of the update that is being read: Yjs makes the decoder itself, so nothing can be handed to it. */
let left = 0;

function spend(): void {
  if (--left < 0) throw new EditRefused(TOO_MUCH);
}

class Decoder extends Y.UpdateDecoderV1 {
  override readInfo(): number {
    spend();
    const info = super.readInfo();
    const reason = UNFIT[info & 31];
    if (reason) throw new EditRefused(reason);
    return info;
  }
  override readDsClock(): number {
    spend();
    return super.readDsClock();
  }
  override readTypeRef(): number {
    const type = super.readTypeRef();
    if (!FIT_TYPES.has(type)) throw new EditRefused(LOSS.type);
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
    spend();
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
 * @throws EditRefused
 */
export function decode(update: Uint8Array, most: number): Decoded {
  left = most;
  try {
    const decoded: Decoded = Y.decodeUpdateV2(update, Decoder);
    const { structs, ds } = decoded;
    for (const { id, length } of structs) refuseOdd(id.client, id.clock, length);
    for (const [client, ranges] of ds.clients) for (const { clock, len } of ranges) refuseOdd(client, clock, len);
    // Yjs writes them so, and walks each range that it reads.
    for (const ranges of ds.clients.values())
      for (const [at, { clock }] of ranges.entries()) {
        const before = ranges[at - 1];
        if (before && clock < before.clock + before.len) throw new Error("The deletions of the update are not in order.");
      }
    return decoded;
  } catch (cause) {
    throw cause instanceof EditRefused ? cause : new EditRefused(NO_UPDATE, { cause });
  }
}

function refuseOdd(client: number, clock: number, length: number): void {
  if (!(length >= 1)) throw new Error("A piece of the update has no length.");
  if (!Number.isSafeInteger(client) || !(clock + length <= MOST_CLOCK))
    throw new Error("A piece of the update ends beyond what can be read.");
}

/** How many parts an update has, or more than `most`. Of what is no update, or does not fit, those are counted that come before it shows. */
export function countParts(update: Uint8Array, most: number): number {
  left = most;
  try {
    Y.decodeUpdateV2(update, Counter);
  } catch {
    // Whoever decodes it hears why.
  }
  return most - left;
}

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

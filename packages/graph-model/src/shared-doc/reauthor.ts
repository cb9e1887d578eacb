// An update under other client ids. What was made under another's id has no place in a document; under an id that nobody has it does.
import * as Y from "yjs";
import type { Decoded, Struct } from "./apply.ts";

/** Of clients, from which clock on what is under their ids goes under another's. */
export type Bases = ReadonlyMap<number, number>;

/**
 * Of the clients of an update that its sender may not add to, what the document has of each.
 * @param state the clock up to which it has a client's edits
 */
export function basesOf(
  { structs }: Decoded,
  state: (client: number) => number,
  mayWrite: (client: number) => boolean,
): Map<number, number> {
  const clients = new Set(structs.map(({ id }) => id.client));
  return new Map([...clients].filter((client) => !mayWrite(client)).map((client) => [client, state(client)]));
}

/**
 * What is under the id of a client from its base on, as the first that the client `idFor(client)` does. What is under it before that base
 * is left out: the document has it, whoever made it.
 */
export function reauthor({ structs, ds }: Decoded, bases: Bases, idFor: (client: number) => number): Uint8Array {
  const moved = (id: Y.ID): Y.ID => {
    const base = bases.get(id.client);
    return base === undefined || id.clock < base ? id : Y.createID(idFor(id.client), id.clock - base);
  };
  const encoder = new Y.UpdateEncoderV1();
  const uint = (value: number) => encoder.writeDsClock(value);
  const blocks = new Map<number, Struct[]>();
  for (const struct of structs) {
    const piece = fromBase(struct, bases.get(struct.id.client) ?? 0);
    if (!piece) continue;
    const { client } = moved(piece.id);
    const block = blocks.get(client) ?? [];
    blocks.set(client, block);
    block.push(piece);
  }
  uint(blocks.size);
  for (const [client, pieces] of [...blocks].sort(([a], [b]) => b - a)) {
    uint(pieces.length);
    encoder.writeClient(client);
    uint(moved((pieces[0] as Struct).id).clock);
    for (const piece of pieces) (piece instanceof Y.Item ? withIds(piece, moved) : piece).write(encoder, 0);
  }
  const gone = new Map<number, [clock: number, length: number][]>();
  for (const [client, ranges] of ds.clients)
    for (const { clock, len } of ranges)
      for (const [from, to] of divided(clock, clock + len, bases.get(client) ?? 0)) {
        const id = moved(Y.createID(client, from));
        gone.set(id.client, [...(gone.get(id.client) ?? []), [id.clock, to - from]]);
      }
  uint(gone.size);
  for (const [client, ranges] of gone) {
    uint(client);
    uint(ranges.length);
    for (const range of ranges) for (const value of range) uint(value);
  }
  return encoder.toUint8Array();
}

const divided = (from: number, to: number, at: number): [from: number, to: number][] =>
  from < at && at < to
    ? [
        [from, at],
        [at, to],
      ]
    : [[from, to]];

/** What of a struct is not before a clock. */
function fromBase(struct: Struct, base: number): Struct | undefined {
  const { id, length } = struct;
  const known = base - id.clock;
  if (known <= 0) return struct;
  if (known >= length) return undefined;
  const next = Y.createID(id.client, base);
  if (struct instanceof Y.GC) return new Y.GC(next, length - known);
  if (struct instanceof Y.Skip) return new Y.Skip(next, length - known);
  const origin = Y.createID(id.client, base - 1);
  return new Y.Item(next, null, origin, null, struct.rightOrigin, struct.parent, struct.parentSub, struct.content.splice(known));
}

function withIds({ id, origin, rightOrigin, parent, parentSub, content }: Y.Item, moved: (id: Y.ID) => Y.ID): Y.Item {
  const within = parent instanceof Y.ID ? moved(parent) : parent;
  return new Y.Item(moved(id), null, origin && moved(origin), null, rightOrigin && moved(rightOrigin), within, parentSub, content);
}

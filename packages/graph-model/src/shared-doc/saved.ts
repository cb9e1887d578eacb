// What the server has stored of a document, so that an editor can say that everything is saved. A state vector tells what was added;
// deletions are not in it and go along as ranges.
import * as Y from "yjs";

/** The message that carries it, beside those of y-websocket. (4 was the state vector alone, in release 0.1.0.) */
export const SAVED = 5;
/** The message that carries the epoch of the document, as text: edits of another epoch are not merged into it. */
export const EPOCH = 6;
/** The message that an edit was refused, as JSON: why, and the code (CLOSE) that says whose fault it is. */
export const EDIT_REFUSED = 7;
/**
 * The message with what is kept of one's own edits that were refused: about them, as JSON, then all of them as an update that its author may
 * make. A page answers with the number of the last of them when they are wanted no more.
 */
export const KEPT = 8;

/** All that `doc` holds, for an editor that has just come. */
export const savedOf = (doc: Y.Doc): Uint8Array => Y.encodeSnapshot(Y.snapshot(doc));

/** After `update` was stored and applied to `doc`: what it brought, so as large as the update, however many have edited the document. */
export function savedBy(doc: Y.Doc, update: Uint8Array): Uint8Array {
  const { structs, ds } = Y.decodeUpdate(update);
  const vector = new Map(structs.map(({ id: { client } }) => [client, Y.getState(doc.store, client)]));
  return Y.encodeSnapshot(new Y.Snapshot(ds as ConstructorParameters<typeof Y.Snapshot>[0], vector));
}

interface Range {
  client: number;
  from: number;
  to: number;
}

/** What a replica has and the server has not said to have stored. */
export class Unsaved {
  private readonly server = new Map<number, number>();
  private deleted: Range[] = [];

  constructor(private readonly doc: Y.Doc) {
    doc.on("afterTransaction", ({ local, deleteSet }: Y.Transaction) => {
      if (!local) return;
      for (const [client, ranges] of deleteSet.clients)
        for (const { clock, len } of ranges) this.deleted.push({ client, from: clock, to: clock + len });
    });
  }

  /** All that is deleted may be unknown to the server: the replica comes from a copy that does not say. */
  doubt(): void {
    for (const [client, ranges] of Y.createDeleteSetFromStructStore(this.doc.store).clients)
      for (const { clock, len } of ranges) this.deleted.push({ client, from: clock, to: clock + len });
  }

  get isEmpty(): boolean {
    if (this.deleted.length > 0) return false;
    return [...Y.decodeStateVector(Y.encodeStateVector(this.doc))].every(([client, clock]) => (this.server.get(client) ?? 0) >= clock);
  }

  /** @param saved what `savedOf` or `savedBy` gave */
  acknowledge(saved: Uint8Array): void {
    const { sv, ds } = Y.decodeSnapshot(saved);
    for (const [client, clock] of sv) this.server.set(client, Math.max(clock, this.server.get(client) ?? 0));
    this.deleted = this.deleted.flatMap((range) => {
      let left = [range];
      for (const { clock, len } of ds.clients.get(range.client) ?? []) left = left.flatMap((one) => without(one, clock, clock + len));
      return left;
    });
  }
}

function without({ client, from, to }: Range, start: number, end: number): Range[] {
  const rest = [
    { client, from, to: Math.min(to, start) },
    { client, from: Math.max(from, end), to },
  ];
  return end <= from || start >= to ? [{ client, from, to }] : rest.filter((one) => one.from < one.to);
}

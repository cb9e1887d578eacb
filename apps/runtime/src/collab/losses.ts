// What refused edits may cost: each can cost a copy of its document.
import { EditRefused } from "@spindle/graph-model/shared-doc";

/** Pieces copied for one principal within a minute: the largest document, once. */
const MOST_PIECES = 2 ** 19;
/** A page that only reads says with each connect what it knows to be deleted. That is tried a little longer. */
const MOST_FOR_DELETIONS = 4 * MOST_PIECES;
const WITHIN_MS = 60_000;

/** The sender's refused edits have cost too much lately. */
export class MustWait extends Error {
  constructor(ms: number) {
    super(`Several edits from here were refused. The next one is taken in ${Math.ceil(ms / 1000)} s.`);
  }
}

/** An update begins with the number of clients of which it brings anything. */
const addsNothing = (update: Uint8Array): boolean => update[0] === 0;

/** Of one principal, over all its connections. */
export class Losses {
  private since = 0;
  private pieces = 0;
  private tail: Promise<unknown> = Promise.resolve();

  /** Tries one update after another, so that each is asked for after those before it were refused. @throws MustWait */
  pay<T>(update: Uint8Array, tryOut: () => Promise<T>): Promise<T> {
    const done = this.tail.then(async () => {
      this.check(update);
      try {
        return await tryOut();
      } catch (error) {
        if (error instanceof EditRefused) this.count(error.lost);
        throw error;
      }
    });
    this.tail = done.catch(() => {});
    return done;
  }

  private check(update: Uint8Array): void {
    const left = this.since + WITHIN_MS - Date.now();
    if (left > 0 && this.pieces > (addsNothing(update) ? MOST_FOR_DELETIONS : MOST_PIECES)) throw new MustWait(left);
  }

  /** @param pieces of a document's replica that was lost for an edit */
  private count(pieces: number): void {
    if (pieces === 0) return;
    const isOver = Date.now() - this.since >= WITHIN_MS;
    if (isOver) this.since = Date.now();
    this.pieces = isOver ? pieces : this.pieces + pieces;
  }
}

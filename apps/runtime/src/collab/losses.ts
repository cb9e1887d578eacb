// What refused edits may cost: each can cost a copy of its document.
import { countParts, EditRefused } from "@spindle/graph-model/shared-doc";

/** Pieces copied for one principal within a minute: the largest document, once. */
const MOST_PIECES = 2 ** 19;
/** A page that only reads says with each connect what it knows to be deleted. That is tried a little longer. */
const MOST_FOR_DELETIONS = 4 * MOST_PIECES;
const WITHIN_MS = 60_000;
/** A part of an update is a piece more, and may split two that are there. */
const PIECES_PER_PART = 3;

/** The sender's refused edits have cost too much lately. */
export class MustWait extends Error {
  constructor(ms: number) {
    super(`Several edits from here were refused. The next one is taken in ${Math.ceil(ms / 1000)} s.`);
  }
}

/** An update begins with the number of clients of which it brings anything. */
const addsNothing = (update: Uint8Array): boolean => update[0] === 0;

/** Of one principal, over all its connections and graphs. */
export class Losses {
  private since = 0;
  private pieces = 0;
  /** Pieces that the edits being tried cost at most, should all be refused. */
  private atStake = 0;
  private readonly waiting: { stake: number; begin(): void }[] = [];

  /**
   * Tries an update as soon as those that are being tried cannot cost too much together with it; until then it waits behind those that
   * came before it. So many that come at once cost no more than one after another, and a large edit of one graph delays no small one of
   * another graph.
   * @param pieces of the document
   * @throws MustWait
   */
  async pay<T>(update: Uint8Array, pieces: number, tryOut: () => Promise<T>): Promise<T> {
    const stake = pieces + PIECES_PER_PART * countParts(update, MOST_PIECES);
    await new Promise<void>((begin) => {
      this.waiting.push({ stake, begin });
      this.next();
    });
    try {
      this.check(update);
      return await tryOut();
    } catch (error) {
      if (error instanceof EditRefused) this.count(error.lost);
      throw error;
    } finally {
      this.atStake -= stake;
      this.next();
    }
  }

  private next(): void {
    const lost = Date.now() - this.since < WITHIN_MS ? this.pieces : 0;
    for (let [first] = this.waiting; first; [first] = this.waiting) {
      if (this.atStake > 0 && lost + this.atStake + first.stake > MOST_PIECES) return;
      this.waiting.shift();
      this.atStake += first.stake;
      first.begin();
    }
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

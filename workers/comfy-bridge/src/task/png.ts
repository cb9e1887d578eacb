// PNG as ComfyUI writes it: its size, and what it tells of the workflow, which stored bytes never carry (DESIGN G8).
const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const TELLS = new Set(["tEXt", "iTXt", "zTXt"]);

export const isPng = (bytes: Buffer): boolean => bytes.length > 33 && bytes.subarray(0, 8).equals(SIGNATURE);

export function imageSize(bytes: Buffer): { width: number; height: number } | undefined {
  return isPng(bytes) ? { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) } : undefined;
}

/** The bytes from `start` up to, and without, `end`. */
export type Span = readonly [start: number, end: number];

/** Finds the text chunks of a PNG, of which no more than a chunk's head is kept. */
export class TextFinder {
  private readonly found: Span[] = [];
  private read = 0;
  /** Where the next chunk begins. */
  private next = SIGNATURE.length;
  private readonly head = Buffer.alloc(8);

  add(piece: Uint8Array): void {
    const [from, until] = [this.read, this.read + piece.length];
    this.read = until;
    while (this.next < until) {
      const start = Math.max(from, this.next);
      const end = Math.min(until, this.next + this.head.length);
      if (end > start) this.head.set(piece.subarray(start - from, end - from), start - this.next);
      if (until < this.next + this.head.length) return;
      const after = this.next + 12 + this.head.readUInt32BE(0);
      if (TELLS.has(this.head.toString("latin1", 4))) this.found.push([this.next, after]);
      this.next = after;
    }
  }

  /** None in a PNG that is cut off. */
  get spans(): readonly Span[] {
    return this.next === this.read ? this.found : [];
  }
}

/** The pieces without the bytes of these spans, which follow one another. */
export async function* without(spans: readonly Span[], pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let at = 0;
  for await (const piece of pieces) {
    let kept = at;
    for (const [start, end] of spans) {
      if (end <= kept || start >= at + piece.length) continue;
      if (start > kept) yield piece.subarray(kept - at, start - at);
      kept = Math.min(end, at + piece.length);
    }
    if (kept < at + piece.length) yield piece.subarray(kept - at);
    at += piece.length;
  }
}

/** The same picture without its text chunks; other bytes, and a PNG that is cut off, as they are. */
export function withoutText(bytes: Buffer): Buffer {
  if (!isPng(bytes)) return bytes;
  const finder = new TextFinder();
  finder.add(bytes);
  const edges = [0, ...finder.spans.flat(), bytes.length];
  const kept = edges.flatMap((edge, at) => (at % 2 === 0 ? [bytes.subarray(edge, edges[at + 1])] : []));
  return Buffer.concat(kept);
}

// The rows that a document in memory was made of, and those that were stored of it since (docs/decisions/0026).
import { countParts } from "@spindle/graph-model/shared-doc";

const MANY = 1000;
/** What is stored beside the first row may come to this, or to half of that, which a compaction leaves as the only one. */
const LITTLE = { bytes: 4 * 1024 * 1024, parts: 2 ** 18 };
const NO_LIMIT = 2 ** 40;

export class Rows {
  private seqs: string[] = [];
  private bytes = 0;
  private first: { bytes: number; parts: number } | undefined;
  /** What they are made of, that which was overwritten included: how much memory the document takes at most. */
  parts = 0;

  add(seq: string, bytes: Uint8Array, parts = countParts(bytes, NO_LIMIT)): void {
    this.seqs.push(seq);
    this.bytes += bytes.length;
    this.parts += parts;
    this.first ??= { bytes: bytes.length, parts };
  }

  /** Whether one row should be made of them: there are many, or much of what they say was overwritten since. */
  get areMany(): boolean {
    const { first, seqs, bytes, parts } = this;
    if (!first || seqs.length < 2) return false;
    const beside = { bytes: bytes - first.bytes, parts: parts - first.parts };
    return seqs.length > MANY || (["bytes", "parts"] as const).some((what) => beside[what] > Math.max(LITTLE[what], first[what] / 2));
  }

  get all(): readonly string[] {
    return this.seqs;
  }
}

// The rows that a document in memory was made of, and those that were stored of it since (docs/decisions/0026).
import { countParts } from "@spindle/graph-model/shared-doc";

const MANY = 1000;
/** What is stored beside the first row may come to this, or to half of that, which a compaction leaves as the only one. */
const LITTLE = { bytes: 4 * 1024 * 1024, parts: 2 ** 18 };

interface Row {
  seq: string;
  bytes: number;
  parts: number;
}

export class Rows {
  private rows: Row[] = [];
  private bytes = 0;
  /** What they are made of, that which was overwritten included: how much memory the document takes at most. */
  parts = 0;

  add(seq: string, bytes: Uint8Array, parts = countParts(bytes, Number.POSITIVE_INFINITY)): void {
    this.insert(this.rows.length, { seq, bytes: bytes.length, parts });
  }

  /** One row took the place of the first `count`. */
  replace(count: number, by: Row): void {
    for (const row of this.rows.splice(0, count)) {
      this.bytes -= row.bytes;
      this.parts -= row.parts;
    }
    this.insert(0, by);
  }

  /** Whether one row should be made of them: there are many, or much of what they say was overwritten since. */
  get areMany(): boolean {
    const { rows, bytes, parts } = this;
    const first = rows[0];
    if (!first || rows.length < 2) return false;
    const beside = { bytes: bytes - first.bytes, parts: parts - first.parts };
    return rows.length > MANY || (["bytes", "parts"] as const).some((what) => beside[what] > Math.max(LITTLE[what], first[what] / 2));
  }

  get seqs(): string[] {
    return this.rows.map(({ seq }) => seq);
  }

  private insert(at: number, row: Row): void {
    this.rows.splice(at, 0, row);
    this.bytes += row.bytes;
    this.parts += row.parts;
  }
}

// A log in memory, of one graph.
import type { UpdateLog } from "./update-log.ts";

export class MemoryLog implements UpdateLog {
  rows: { seq: string; bytes: Uint8Array }[] = [];
  quarantine: { seq: string; reason: string }[] = [];
  reads = 0;
  private last = 0;
  append(_graph: string, updates: readonly Uint8Array[]): Promise<string[]> {
    return Promise.resolve(updates.map((bytes) => this.insert(bytes)));
  }
  insert(bytes: Uint8Array): string {
    const seq = String(++this.last);
    this.rows.push({ seq, bytes });
    return seq;
  }
  read(): Promise<MemoryLog["rows"]> {
    this.reads++;
    return Promise.resolve([...this.rows]);
  }
  async setAside(_graph: string, refused: { seq: string; reason: string }[], rest: Uint8Array): Promise<string> {
    this.rows = this.rows.filter((row) => !refused.some(({ seq }) => seq === row.seq));
    this.quarantine.push(...refused);
    return this.insert(rest);
  }
  async compact(_graph: string, seqs: readonly string[], whole: Uint8Array): Promise<string | undefined> {
    if (!seqs.every((known) => this.rows.some(({ seq }) => seq === known))) return undefined;
    this.rows = this.rows.filter((row) => !seqs.includes(row.seq));
    return this.insert(whole);
  }
  async migrate(_graph: string, make: (rows: MemoryLog["rows"]) => Promise<Uint8Array | undefined>): Promise<void> {
    const update = await make(this.rows);
    if (update) this.insert(update);
  }
}

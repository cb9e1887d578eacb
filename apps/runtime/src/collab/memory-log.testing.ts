// A log in memory, of one graph.
import type { UpdateLog } from "./update-log.ts";

export class MemoryLog implements UpdateLog {
  rows: { seq: string; bytes: Uint8Array }[] = [];
  quarantine: { seq: string; reason: string }[] = [];
  reads = 0;
  private last = 0;
  append(_graph: string, bytes: Uint8Array): Promise<string> {
    const seq = String(++this.last);
    this.rows.push({ seq, bytes });
    return Promise.resolve(seq);
  }
  read(): Promise<MemoryLog["rows"]> {
    this.reads++;
    return Promise.resolve([...this.rows]);
  }
  async setAside(graph: string, refused: { seq: string; reason: string }[], rest: Uint8Array): Promise<string> {
    this.rows = this.rows.filter((row) => !refused.some(({ seq }) => seq === row.seq));
    this.quarantine.push(...refused);
    return this.append(graph, rest);
  }
  async compact(graph: string, seqs: readonly string[], whole: Uint8Array): Promise<string | undefined> {
    if (!seqs.every((known) => this.rows.some(({ seq }) => seq === known))) return undefined;
    this.rows = this.rows.filter((row) => !seqs.includes(row.seq));
    return this.append(graph, whole);
  }
  async migrate(graph: string, make: (rows: MemoryLog["rows"]) => Uint8Array | undefined): Promise<void> {
    const update = make(this.rows);
    if (update) await this.append(graph, update);
  }
}

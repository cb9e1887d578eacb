// A log in memory, of one graph.
import type { RefusedLog } from "./refused-edits.ts";
import type { UpdateLog } from "./update-log.ts";

export class MemoryLog implements UpdateLog {
  rows: { seq: string; bytes: Uint8Array }[] = [];
  quarantine: { seq: string; reason: string }[] = [];
  reads = 0;
  inserts = 0;
  private last = 0;
  owners = new Map<number, string>();
  clients(): Promise<Map<number, string>> {
    return Promise.resolve(new Map(this.owners));
  }
  append(_graph: string, updates: readonly Uint8Array[], { owners }: Parameters<UpdateLog["append"]>[2]): Promise<string[]> {
    this.inserts++;
    for (const [client, author] of owners) this.owners.set(client, author);
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

/** What is kept of refused edits, in memory, of one graph. */
export class MemoryRefused implements RefusedLog {
  rows: (Awaited<ReturnType<RefusedLog["of"]>>[number] & { author: string })[] = [];
  async keep(_graph: string, author: string, edit: Parameters<RefusedLog["keep"]>[2]): Promise<boolean> {
    this.rows.push({ id: String(this.rows.length + 1), author, at: new Date(0), ...edit });
    return true;
  }
  async of(_graph: string, authors: readonly string[]): Promise<MemoryRefused["rows"]> {
    return this.rows.filter(({ author }) => authors.includes(author));
  }
  async forget(_graph: string, authors: readonly string[], last: string): Promise<void> {
    this.rows = this.rows.filter(({ id, author }) => !authors.includes(author) || Number(id) > Number(last));
  }
}

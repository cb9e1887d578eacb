// A file as the sound library reads it, with every read counted.
import type { FileHandle } from "node:fs/promises";
import { setImmediate as others } from "node:timers/promises";
import { AbstractTokenizer, EndOfStreamError, type IReadChunkOptions } from "strtok3";

/** Some hundred reads take about a millisecond; then other work gets the thread. */
const READS_A_TURN = 256;
/** Sections of a file that are jumped over are never read; those that are read come from here, a few bytes at a time. */
const WINDOW = 64 * 1024;

/** The reading came to its bound. Reads and bytes and not time, so that a file is judged alike on every machine. */
export class TooManyReads extends Error {}

export class CountedFile extends AbstractTokenizer {
  readonly fileInfo: { size: number; mimeType: string };
  private readonly window = Buffer.allocUnsafe(WINDOW);
  private start = 0;
  private filled = 0;
  private jumped?: { at: number; to: number };
  private changed?: { position: number; to: (byte: number) => number };
  private reads = 0;
  private bytes = 0;

  /**
   * @param most.reads how often the file may be asked for bytes, or told to pass over some
   * @param most.bytes how many of its bytes may be taken; those passed over are free
   * @param from where the reading begins
   * @param signal ends the reading with its reason
   */
  constructor(
    private readonly file: FileHandle,
    info: { size: number; mimeType: string },
    private readonly most: { reads: number; bytes: number },
    from: number,
    private readonly signal?: AbortSignal,
  ) {
    super({ maxBufferSize: most.bytes });
    this.fileInfo = info;
    this.position = from;
  }

  /** Shows one byte as another. */
  change(position: number, to: (byte: number) => number): void {
    this.changed = { position, to };
  }

  /** Goes on at another place once the reading comes to one. */
  jump(at: number, to: number): void {
    this.jumped = { at, to };
  }

  override async readBuffer(into: Uint8Array, asked?: IReadChunkOptions): Promise<number> {
    const isJump = this.jumped && (asked?.position ?? this.position) === this.jumped.at;
    const options = isJump ? { ...asked, position: this.jumped?.to as number } : asked;
    const { position, length } = this.normalizeOptions(into, options);
    this.bytes += length;
    const got = await this.peekBuffer(into, options);
    this.position = position + got;
    return got;
  }

  override async peekBuffer(into: Uint8Array, options?: IReadChunkOptions): Promise<number> {
    await this.count();
    const { position, length, mayBeLess } = this.normalizeOptions(into, options);
    let got = 0;
    while (got < length) {
      const at = position + got - this.start;
      if (at < 0 || at >= this.filled) {
        this.start = position + got;
        this.filled = (await this.file.read(this.window, 0, WINDOW, this.start)).bytesRead;
        if (this.filled === 0) break;
      } else got += this.window.copy(into, got, at, Math.min(this.filled, at + length - got));
    }
    const { position: at = -1, to } = this.changed ?? {};
    if (to && at >= position && at < position + got) into[at - position] = to(into[at - position] as number);
    if (got < length && !mayBeLess) throw new EndOfStreamError();
    return got;
  }

  override async ignore(length: number): Promise<number> {
    await this.count();
    return super.ignore(length);
  }

  override supportsRandomAccess(): boolean {
    return false;
  }

  private async count(): Promise<void> {
    if (++this.reads > this.most.reads || this.bytes > this.most.bytes) throw new TooManyReads();
    if (this.reads % READS_A_TURN > 0) return;
    await others();
    this.signal?.throwIfAborted();
  }
}

// The server's documents (DESIGN C1): one Y.Doc per graph; an update is in PostgreSQL before anybody is told of it. A document is in
// memory while somebody has it open, and a little longer.
import {
  copyOf,
  DocumentTooLarge,
  isOutdated,
  LayoutUnknown,
  measure,
  migrate,
  replay,
  Tried,
  WHOLE_GRAPH,
} from "@spindle/graph-model/shared-doc";
import * as Y from "yjs";
import { Refused } from "../refused.ts";
import { Rows } from "./rows.ts";
import type { UpdateLog } from "./update-log.ts";

/** Why a document ends under those who have it open: its graph was removed, or what is stored could not be applied here. */
export type Ending = "removed" | "failed";
type OnEnd = (ending: Ending) => void;

export interface OpenDocument {
  /** For reading. Its `update` events come after the update is stored. */
  readonly doc: Y.Doc;
  /** Stores an update, then applies it. Returns whether it was whole: else the edits it builds on are wanted. @throws EditRefused */
  append(update: Uint8Array, origin: unknown): Promise<boolean>;
  close(): void;
}

/** The origin of what the server itself edits. */
const SERVER = "server";
/** Documents that nobody has open, and that are kept a little longer. */
const MOST_IDLE = 32;
/** What these may be made of together: one full document. */
const MOST_IDLE_PARTS = 2 ** 21;

interface Kept {
  doc: Y.Doc;
  rows: Rows;
}

interface Hosted {
  loading: Promise<Kept>;
  /** Once it is loaded. */
  kept?: Kept;
  tried?: Tried;
  /** Updates are tried, stored and applied one after another, in order of arrival. */
  tail: Promise<unknown>;
  holders: Set<OnEnd>;
  idle?: NodeJS.Timeout;
}

export class DocumentHost {
  private readonly hosted = new Map<string, Hosted>();
  /** Whoever opens and closes one after the other would fill the memory. */
  private readonly idle = new Map<Hosted, string>();
  private turns = Promise.resolve();

  constructor(
    private readonly log: UpdateLog,
    private readonly onError: (where: string, error: unknown) => void,
    private readonly idleMs = 60_000,
  ) {}

  /** How many documents are in memory. */
  get size(): number {
    return this.hosted.size;
  }

  /** Whoever opens a document closes it. */
  async open(id: string, onEnd: OnEnd = () => {}): Promise<OpenDocument> {
    const hosted = this.hosted.get(id) ?? this.host(id);
    const close = this.hold(id, hosted, onEnd);
    try {
      const { doc } = await hosted.loading;
      return { doc, close, append: (update, origin) => this.append(id, hosted, update, origin) };
    } catch (error) {
      close();
      throw error;
    }
  }

  async use<T>(id: string, act: (document: OpenDocument) => T | Promise<T>): Promise<T> {
    const document = await this.open(id);
    try {
      return await act(document);
    } finally {
      document.close();
    }
  }

  /** An edit by the server itself, made on a copy, so that it takes everybody's way. */
  change(id: string, edit: (doc: Y.Doc) => void): Promise<void> {
    return this.use(id, async ({ doc, append }) => {
      const copy = copyOf(doc);
      const before = Y.encodeStateVector(copy);
      edit(copy);
      await append(Y.encodeStateAsUpdate(copy, before), SERVER);
    });
  }

  /** Ends a document for everybody who has it open. */
  drop(id: string, ending: Ending): void {
    const hosted = this.hosted.get(id);
    if (!hosted) return;
    this.forget(id, hosted);
    for (const onEnd of [...hosted.holders]) onEnd(ending);
  }

  private host(id: string): Hosted {
    const hosted: Hosted = { loading: this.load(id), tail: Promise.resolve(), holders: new Set() };
    this.hosted.set(id, hosted);
    hosted.loading.then(
      (kept) => {
        hosted.kept = kept;
      },
      () => this.forget(id, hosted),
    );
    return hosted;
  }

  /** A document of an older layout is migrated before anybody sees it. @throws Refused for one of a newer layout, or too large a one */
  private async load(id: string): Promise<Kept> {
    try {
      let kept = await this.read(id);
      if (isOutdated(kept.doc)) {
        await this.log.migrate(id, (rows) => {
          const { doc: now } = replay(rows);
          return isOutdated(now) ? migrate(now) : undefined;
        });
        kept = await this.read(id);
      }
      await this.compact(id, kept);
      return kept;
    } catch (cause) {
      throw cause instanceof LayoutUnknown || cause instanceof DocumentTooLarge
        ? new Refused(409, "request.invalid", cause.message)
        : cause;
    }
  }

  /** One document is loaded in each turn of the event loop, so that what else this process does goes on in between. */
  private turn(): Promise<void> {
    this.turns = this.turns.then(() => new Promise((resolve) => void setImmediate(resolve)));
    return this.turns;
  }

  private async read(id: string): Promise<Kept> {
    const stored = await this.log.read(id);
    const parts = await measure(stored, () => this.turn());
    await this.turn();
    const { doc, refused } = replay(stored);
    const rows = new Rows();
    const isRefused = new Set(refused.map(({ seq }) => seq));
    for (const [at, { seq, bytes }] of stored.entries()) if (!isRefused.has(seq)) rows.add(seq, bytes, parts[at]);
    if (refused.length > 0) {
      const rest = Y.encodeStateAsUpdate(doc);
      rows.add(await this.log.setAside(id, refused, rest), rest);
      this.onError("collaboration", `${refused.length} stored edits of graph ${id} were set aside: ${refused[0]?.reason}`);
    }
    return { doc, rows };
  }

  /** Makes one row of all, where there are many: whoever loads the document pays for what was overwritten, too. */
  private async compact(id: string, kept: Kept): Promise<void> {
    if (!kept.rows.areMany) return;
    const whole = Y.encodeStateAsUpdate(kept.doc);
    try {
      const rows = new Rows();
      rows.add(await this.log.compact(id, kept.rows.all, whole), whole);
      kept.rows = rows;
    } catch (error) {
      this.onError("collaboration", error); // the rows are as they were
    }
  }

  /** Keeps a document in memory until the function returned is called. */
  private hold(id: string, hosted: Hosted, onEnd: OnEnd = () => {}): () => void {
    const holder: OnEnd = (ending) => onEnd(ending);
    hosted.holders.add(holder);
    clearTimeout(hosted.idle);
    this.idle.delete(hosted);
    return () => {
      if (!hosted.holders.delete(holder) || hosted.holders.size > 0) return;
      clearTimeout(hosted.idle);
      hosted.idle = setTimeout(() => this.forget(id, hosted), this.idleMs).unref();
      this.idle.set(hosted, id);
      this.forgetOldest();
    };
  }

  private forgetOldest(): void {
    const partsOf = ({ kept }: Hosted) => kept?.rows.parts ?? 0;
    let parts = 0;
    for (const hosted of this.idle.keys()) parts += partsOf(hosted);
    for (const [hosted, id] of this.idle) {
      if (this.idle.size <= MOST_IDLE && (parts <= MOST_IDLE_PARTS || this.idle.size === 1)) return;
      parts -= partsOf(hosted);
      this.forget(id, hosted);
    }
  }

  /** The next to open it gets it from its rows, which hold all that was acknowledged. */
  private forget(id: string, hosted: Hosted): void {
    clearTimeout(hosted.idle);
    this.idle.delete(hosted);
    if (this.hosted.get(id) === hosted) this.hosted.delete(id);
  }

  private append(id: string, hosted: Hosted, update: Uint8Array, origin: unknown): Promise<boolean> {
    const close = this.hold(id, hosted);
    const done = hosted.tail.then(() => this.store(id, hosted, update, origin)).finally(close);
    hosted.tail = done.catch(() => {});
    return done;
  }

  private async store(id: string, hosted: Hosted, update: Uint8Array, origin: unknown): Promise<boolean> {
    const kept = await hosted.loading;
    const { doc } = kept;
    hosted.tried ??= new Tried(doc);
    const { news, gap } = hosted.tried.admit(update, origin === SERVER ? WHOLE_GRAPH : undefined);
    if (!news) return !gap;
    try {
      kept.rows.add(await this.log.append(id, news), news);
    } catch (error) {
      hosted.tried.forget();
      throw error;
    }
    try {
      Y.applyUpdate(doc, news, origin);
    } catch (error) {
      this.onError("collaboration", error);
      this.drop(id, "failed");
      return !gap;
    }
    await this.compact(id, kept);
    return !gap;
  }
}

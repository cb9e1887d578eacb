// The server's documents (DESIGN C1): one Y.Doc per graph; an update is in PostgreSQL before anybody is told of it. A document is in
// memory while somebody has it open, and a little longer.
import {
  copy,
  countInSteps,
  DocumentTooLarge,
  inTurns,
  isOutdated,
  LayoutUnknown,
  measure,
  migrate,
  ONE_STEP,
  replay,
  type Steps,
  Tried,
} from "@spindle/graph-model/shared-doc";
import pLimit from "p-limit";
import * as Y from "yjs";
import { isOutage } from "../store/patient.ts";
import { type Author, Clients, SERVER } from "./clients.ts";
import type { Claimed, DocumentLeases, Runtime } from "./document-leases.ts";
import type { Losses } from "./losses.ts";
import { type AdmittedEdit, admitBeside, applyTogether, type Edit, ownersOf, takeNeighbours } from "./neighbours.ts";
import { asRefused, readStored } from "./reading.ts";
import { Rows } from "./rows.ts";
import { DocumentLost, type UpdateLog } from "./update-log.ts";

/** Why a document ends under those who have it open: its graph was removed, or what is stored could not be applied here. */
export type Ending = "removed" | "failed";
type OnEnd = (ending: Ending) => void;

export interface OpenDocument {
  /** For reading. Its `update` events come after the update is stored. */
  readonly doc: Y.Doc;
  /**
   * Stores an update, then applies it. Returns whether it was whole: else the edits it builds on are wanted.
   * @param author its sender, whose the client ids are from now on that nobody has used
   * @param losses of its sender, who pays for a replica that is lost for it
   * @throws EditRefused, or MustWait where its sender has lost too much
   */
  append(update: Uint8Array, author: Author, losses?: Losses): Promise<boolean>;
  /** Whether a client id is an author's. @param isThere one that nobody has is theirs as soon as they say that its page is there */
  isOf(author: Author, client: number, isThere: boolean): boolean;
  /** As the document is between two edits. */
  copy(): Promise<Y.Doc>;
  close(): void;
}

/** Documents that nobody has open, and that are kept a little longer. */
const MOST_IDLE = 32;
/** What these may be made of together: one full document. */
const MOST_IDLE_PARTS = 2 ** 21;

interface Kept extends Claimed {
  doc: Y.Doc;
  rows: Rows;
  clients: Clients;
}

interface Hosted {
  loading: Promise<Kept>;
  /** Once it is loaded. */
  kept?: Kept;
  tried?: Tried;
  /** Updates are tried, stored and applied in order of arrival. */
  edits: Edit[];
  tail: Promise<unknown>;
  holders: Set<OnEnd>;
  isCompacting?: boolean;
  /** What is stored could not be applied: the document lacks something, so nothing more may be made of it. */
  hasFailed?: boolean;
  idle?: NodeJS.Timeout;
}

export class DocumentHost {
  private readonly hosted = new Map<string, Hosted>();
  /** Whoever opens and closes one after the other would fill the memory. */
  private readonly idle = new Map<Hosted, string>();
  private turns = Promise.resolve();
  /** Each takes as much memory as a document may, and nobody shares it. */
  private readonly oneReading = pLimit(1);

  constructor(
    private readonly log: UpdateLog,
    private readonly onError: (where: string, error: unknown) => void,
    private readonly idleMs = 60_000,
    /** Absent where no other runtime is on its database. */
    private readonly leases?: Pick<DocumentLeases, "claim" | "release" | "otherOwner" | "own">,
  ) {}

  /** How many documents are in memory. */
  get size(): number {
    return this.hosted.size;
  }

  /** The other runtime that has a document, if one does. */
  async otherOwner(id: string): Promise<Runtime | undefined> {
    return this.hosted.has(id) ? undefined : this.leases?.otherOwner(id);
  }

  /** Whoever opens a document closes it. @throws DocumentLost if another runtime has it */
  async open(id: string, onEnd: OnEnd = () => {}): Promise<OpenDocument> {
    const hosted = this.hosted.get(id) ?? this.host(id);
    const close = this.hold(id, hosted, onEnd);
    try {
      const { doc, clients } = await hosted.loading;
      return {
        doc,
        close,
        append: (update, author, losses) => this.append(id, hosted, { update, author, losses }),
        isOf(author, client, isThere) {
          if (isThere) clients.announce(author, client);
          return clients.isOf(author, client);
        },
        copy: () => this.inTurn(hosted, () => this.inSteps(copy(doc, ONE_STEP))),
      };
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

  /** What was stored of a document, whichever runtime has it; for reading. One that was away may take itself for the owner. */
  async view<T>(id: string, act: (doc: Y.Doc) => T): Promise<T> {
    try {
      if (!(await this.leases?.otherOwner(id))) return await this.use(id, ({ doc }) => act(doc));
    } catch (cause) {
      if (!(cause instanceof DocumentLost)) throw cause;
    }
    return act(await this.oneReading(() => readStored(this.log, id, "all", () => this.turn())));
  }

  /** Ends the documents that another runtime has claimed, or whose graph another has deleted. */
  async check(): Promise<void> {
    const open = [...this.hosted].filter(([, { kept }]) => kept !== undefined);
    const own = open.length > 0 ? await this.leases?.own() : undefined;
    for (const [id, hosted] of own ? open : []) {
      if (this.hosted.get(id) !== hosted) continue;
      const claim = own?.get(id);
      if (claim?.fence !== hosted.kept?.fence) this.drop(id, "failed");
      else if (claim?.isDeleted) this.drop(id, "removed");
    }
  }

  /** Checks again and again. Returns how to stop. */
  checkAgain(everyMs: number): () => void {
    const check = () => void this.check().catch((error) => isOutage(error) || this.onError("collaboration", error));
    const timer = setInterval(check, everyMs).unref();
    return () => clearInterval(timer);
  }

  /** An edit by the server itself, made on a copy, so that it takes everybody's way. */
  change(id: string, edit: (doc: Y.Doc) => void): Promise<void> {
    return this.use(id, async ({ append, copy }) => {
      const mine = await copy();
      const before = Y.encodeStateVector(mine);
      edit(mine);
      await append(Y.encodeStateAsUpdate(mine, before), SERVER);
    });
  }

  /**
   * The graph's document as its oldest rows make it, as many of them as can be opened: of one that opens, all of it. For reading; nothing
   * is stored.
   * @throws Refused if not even the first of them can be
   */
  readable(id: string): Promise<Y.Doc> {
    return this.oneReading(() => readStored(this.log, id, "oldest", () => this.turn()));
  }

  /** Ends a document for everybody who has it open. */
  drop(id: string, ending: Ending): void {
    const hosted = this.hosted.get(id);
    if (!hosted) return;
    this.forget(id, hosted);
    for (const onEnd of [...hosted.holders]) onEnd(ending);
  }

  private host(id: string): Hosted {
    const hosted: Hosted = { loading: this.load(id), edits: [], tail: Promise.resolve(), holders: new Set() };
    this.hosted.set(id, hosted);
    hosted.loading.then(
      (kept) => {
        hosted.kept = kept;
        void this.compact(id, hosted, kept);
      },
      () => this.forget(id, hosted),
    );
    return hosted;
  }

  /** A document of an older layout is migrated before anybody sees it. @throws Refused for one of a newer layout, or too large a one */
  private async load(id: string): Promise<Kept> {
    const { fence } = this.leases ? await this.leases.claim(id) : {};
    if (this.leases && fence === undefined) throw new DocumentLost(id);
    try {
      return { ...(await this.loadOwn(id)), fence };
    } catch (cause) {
      await this.release(id, fence);
      throw asRefused(cause);
    }
  }

  private async release(id: string, fence: string | undefined): Promise<void> {
    if (fence !== undefined) await this.leases?.release(id, fence).catch((error) => this.onError("collaboration", error));
  }

  private async loadOwn(id: string): Promise<Kept> {
    let kept = await this.read(id);
    if (isOutdated(kept.doc)) {
      await this.log.migrate(id, async (rows) => {
        const { doc: now } = await this.inSteps(replay(rows, ONE_STEP));
        return isOutdated(now) ? migrate(now) : undefined;
      });
      kept = await this.read(id);
    }
    return kept;
  }

  /** One step is made in each turn of the event loop, of all documents, so that what else this process does goes on in between. */
  private turn(): Promise<void> {
    this.turns = this.turns.then(() => new Promise((resolve) => void setImmediate(resolve)));
    return this.turns;
  }

  private inSteps<T>(steps: Steps<T>): Promise<T> {
    return inTurns(steps, () => this.turn());
  }

  private async read(id: string): Promise<Kept> {
    const stored = await this.log.read(id);
    const parts = await measure(stored, () => this.turn());
    if (parts.length < stored.length) throw new DocumentTooLarge();
    await this.turn();
    const { doc, refused } = await this.inSteps(replay(stored, ONE_STEP));
    const rows = new Rows();
    const isRefused = new Set(refused.map(({ seq }) => seq));
    for (const [at, { seq, bytes }] of stored.entries()) if (!isRefused.has(seq)) rows.add(seq, bytes, parts[at]);
    if (refused.length > 0) {
      const rest = Y.encodeStateAsUpdate(doc);
      rows.add(await this.log.setAside(id, refused, rest), rest);
      this.onError("collaboration", `${refused.length} stored edits of graph ${id} were set aside: ${refused[0]?.reason}`);
    }
    return { doc, rows, clients: new Clients(await this.log.clients(id)) };
  }

  /**
   * Makes one row of all, where there are many: whoever loads the document pays for what was overwritten, too. Nobody waits for it, and
   * what is stored meanwhile stays beside.
   */
  private async compact(id: string, hosted: Hosted, kept: Kept): Promise<void> {
    if (hosted.isCompacting || !kept.rows.areMany) return;
    hosted.isCompacting = true;
    const release = this.hold(id, hosted);
    try {
      while (kept.rows.areMany) {
        await this.turn();
        if (this.hosted.get(id) !== hosted) return;
        const seqs = kept.rows.seqs;
        const whole = Y.encodeStateAsUpdate(kept.doc);
        const parts = await this.inSteps(countInSteps(whole, Number.POSITIVE_INFINITY, ONE_STEP));
        const seq = await this.log.compact(id, seqs, whole);
        if (seq) kept.rows.replace(seqs.length, { seq, bytes: whole.length, parts });
        else await this.inTurn(hosted, () => this.catchUp(id, hosted, kept));
      }
    } catch (error) {
      this.onError("collaboration", error); // the rows are as they were
    } finally {
      hosted.isCompacting = false;
      release();
    }
  }

  /** Another runtime made one row of rows that are known here. That one says more than this document, so nothing can be made of it here. */
  private async catchUp(id: string, hosted: Hosted, kept: Kept): Promise<void> {
    if (this.hosted.get(id) !== hosted) return;
    try {
      const { doc, rows } = await this.read(id);
      if (isOutdated(doc)) return this.drop(id, "removed"); // with the rows, its layout is gone
      hosted.tried = undefined;
      Y.applyUpdate(kept.doc, Y.encodeStateAsUpdate(doc, Y.encodeStateVector(kept.doc)), SERVER);
      kept.rows = rows;
    } catch (error) {
      if (error instanceof LayoutUnknown) this.drop(id, "failed");
      else throw error;
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
    if (this.hosted.get(id) !== hosted) return;
    this.hosted.delete(id);
    // What is under way is stored under this claim as long as nobody else has made one.
    void hosted.tail.then(() => this.release(id, hosted.kept?.fence));
  }

  /** What is done with a document, one thing after another. */
  private inTurn<T>(hosted: Hosted, act: () => Promise<T>): Promise<T> {
    const done = hosted.tail.then(act);
    hosted.tail = done.catch(() => {});
    return done;
  }

  private append(id: string, hosted: Hosted, edit: Pick<Edit, "update" | "author" | "losses">): Promise<boolean> {
    const close = this.hold(id, hosted);
    return new Promise<boolean>((resolve, reject) => {
      hosted.edits.push({ ...edit, resolve, reject });
      if (hosted.edits.length === 1) void this.inTurn(hosted, () => this.storeNext(id, hosted));
    }).finally(close);
  }

  /** What came while others were stored: it shares an INSERT, and a message to everybody. */
  private async storeNext(id: string, hosted: Hosted): Promise<void> {
    const edits = takeNeighbours(hosted.edits);
    if (hosted.edits.length > 0) void this.inTurn(hosted, () => this.storeNext(id, hosted));
    let admitted: AdmittedEdit[] = [];
    for (const edit of edits) {
      try {
        const { doc, clients } = await hosted.loading;
        if (hosted.hasFailed) throw new Error(`An edit of graph ${id} came when its document had failed.`);
        hosted.tried ??= new Tried(doc);
        admitted.push(await admitBeside(admitted, edit, { tried: hosted.tried, clients, inSteps: (steps) => this.inSteps(steps) }));
      } catch (error) {
        // The replica is made anew of the document, which has to hold by then what was admitted before.
        await this.store(id, hosted, admitted);
        admitted = [];
        edit.reject(error);
      }
    }
    await this.store(id, hosted, admitted);
  }

  private async store(id: string, hosted: Hosted, admitted: readonly AdmittedEdit[]): Promise<void> {
    const news = admitted.flatMap((one) => one.news);
    try {
      if (news.length > 0) await this.storeNews(id, hosted, news, admitted);
      for (const { edit, isWhole } of admitted) edit.resolve(isWhole);
    } catch (error) {
      hosted.tried?.forget();
      if (error instanceof DocumentLost) this.drop(id, "failed");
      for (const { edit, news, isWhole } of admitted) news.length > 0 ? edit.reject(error) : edit.resolve(isWhole);
    }
  }

  private async storeNews(id: string, hosted: Hosted, news: readonly Uint8Array[], admitted: readonly AdmittedEdit[]): Promise<void> {
    const kept = await hosted.loading;
    const seqs = await this.log.append(id, news, { owners: ownersOf(admitted), fence: kept.fence });
    for (const { edit, unowned } of admitted) kept.clients.own(edit.author, unowned);
    try {
      await applyTogether(kept.doc, admitted, () => this.turn());
    } catch (error) {
      this.onError("collaboration", error);
      hosted.hasFailed = true;
      this.drop(id, "failed");
      return;
    }
    // Not before it is in the document: of the rows that are known one is made, which says what the document says.
    for (const [at, seq] of seqs.entries()) kept.rows.add(seq, news[at] as Uint8Array);
    void this.compact(id, hosted, kept);
  }
}

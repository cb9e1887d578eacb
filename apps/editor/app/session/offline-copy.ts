// The copy of a document that this browser keeps, so that edits which the server does not have yet outlive the page (DESIGN C1).
import { LAYOUT } from "@spindle/graph-model/shared-doc";
import { IndexeddbPersistence } from "y-indexeddb";
import type * as Y from "yjs";

/** A copy that another tab is about to remove does not answer; the page goes on, and what comes later is merged then. */
const PATIENCE_MS = 3000;

export class OfflineCopy {
  private readonly key: string;
  private kept: IndexeddbPersistence | undefined;

  constructor(
    graph: string,
    private readonly doc: Y.Doc,
  ) {
    this.key = `spindle.copy.${LAYOUT}.${graph}`;
  }

  /** Of the document that the copy is of; nothing where there is no copy. */
  get epoch(): string | undefined {
    return this.name?.split(" ")[1];
  }

  /** Puts the copy, if there is one, into the document, and keeps it up to date from then on. */
  async load(): Promise<void> {
    const { name } = this;
    if (name === undefined) return;
    const patience = new Promise((resolve) => setTimeout(resolve, PATIENCE_MS));
    await Promise.race([this.open(name), patience]);
  }

  /** Begins a copy, unless there is one. As long as there is one of another epoch, it stays the only one. */
  keep(epoch: string): void {
    if (this.kept || this.name !== undefined) return;
    const name = `${this.key} ${epoch} ${Date.now()}`; // the one of before may still be on its way out
    localStorage.setItem(this.key, name);
    void this.open(name);
  }

  drop(): void {
    const { name, kept } = this;
    localStorage.removeItem(this.key);
    this.kept = undefined;
    if (kept) void kept.clearData();
    else if (name !== undefined) indexedDB.deleteDatabase(name);
  }

  private get name(): string | undefined {
    return localStorage.getItem(this.key) ?? undefined;
  }

  private async open(name: string): Promise<void> {
    const kept = new IndexeddbPersistence(name, this.doc);
    this.kept = kept;
    try {
      await kept._db;
      await kept.whenSynced;
    } catch (error) {
      // The browser gives no storage, as in a private window: the page goes on as one without a copy.
      console.warn("This browser keeps no copy of the graph:", error);
      localStorage.removeItem(this.key);
      this.kept = undefined;
    }
  }
}

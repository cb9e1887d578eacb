// The copies of a graph's document that this browser keeps, so that edits which the server does not have yet outlive the page (DESIGN C1).
// Each page writes a copy of its own, so what one page is refused or removes touches no other; a page takes over what pages that are gone
// have left. y-indexeddb cannot do this: a write of its that fails is heard by nobody.
import { LAYOUT } from "@spindle/graph-model/shared-doc";
import { createStores, deleteDB, getAll, openDB, transact } from "lib0/indexeddb";
import * as Y from "yjs";

const STORE = "updates";
/** A copy of more updates than these is written anew, as the whole document. */
const MOST_UPDATES = 500;
/** A browser whose storage does not answer keeps no page from the server. */
const PATIENCE_MS = 3000;
/** How long a page is given to say that a copy is its own, where the browser has no locks. */
const ANSWER_MS = 500;

/** The name says whose copy it is, so that it can be found without opening it. */
const namesOf = (graph: string): string => `spindle.copy.${graph} `;

/** What pages that are gone have left of a graph, of one epoch. It is this page's alone until it is removed or released. */
export class LeftCopy {
  constructor(
    readonly epoch: string,
    private readonly parts: { name: string; updates: Uint8Array[]; release(): void }[],
  ) {}

  putInto(doc: Y.Doc): void {
    for (const { name, updates } of this.parts)
      try {
        doc.transact(() => {
          for (const update of updates) Y.applyUpdate(doc, update);
        });
      } catch (error) {
        console.warn(`The copy ${name} cannot be read whole:`, error);
      }
  }

  remove(): void {
    for (const { name, release } of this.parts) void removeDatabase(name).then(release);
  }

  release(): void {
    for (const { release } of this.parts) release();
  }
}

/** What pages that are gone have left of a graph, by epoch, the latest first. Nothing where the browser does not say in time. */
export async function copiesLeft(graph: string): Promise<LeftCopy[]> {
  const finding = findCopies(graph).catch((error) => {
    console.warn("This browser does not say which copies it has:", error);
    return [];
  });
  const late = new Promise<undefined>((resolve) => setTimeout(resolve, PATIENCE_MS));
  const found = await Promise.race([finding, late]);
  // What comes later stays for the next page.
  if (!found) void finding.then((copies) => copies.forEach((copy) => copy.release()));
  return found ?? [];
}

async function findCopies(graph: string): Promise<LeftCopy[]> {
  const copies = new Map<string, ConstructorParameters<typeof LeftCopy>[1]>();
  const takeOver = async (name: string) => {
    const release = await hold(name);
    if (!release) return;
    const [layout, epoch = ""] = name.slice(namesOf(graph).length).split(" ");
    try {
      const updates = Number(layout) === LAYOUT ? await readDatabase(name) : [];
      if (updates.length > 0) {
        copies.set(epoch, [...(copies.get(epoch) ?? []), { name, updates, release }]);
        return;
      }
      // No page of a later layout can read it.
      if (Number(layout) <= LAYOUT) await removeDatabase(name);
    } catch (error) {
      console.warn(`The copy ${name} cannot be read:`, error);
    }
    release();
  };
  const names = (await indexedDB.databases()).flatMap(({ name }) => (name?.startsWith(namesOf(graph)) ? [name] : []));
  await Promise.all(names.map(takeOver));
  return [...copies].sort(([a], [b]) => Number(b) - Number(a)).map(([epoch, parts]) => new LeftCopy(epoch, parts));
}

/** The copy that this page writes of its document, from now until the document is destroyed. */
export class OfflineCopy {
  /** Whether the document would outlive the page, as far as its edits have been written; undefined until the first was. */
  isKept: boolean | undefined;
  private readonly name: string;
  private readonly holding: Promise<(() => void) | undefined>;
  private database: IDBDatabase | undefined;
  private opening: Promise<void> | undefined;
  /** Updates in the database. 0: what is there is not the whole document. */
  private updates = 0;
  /** Until it is released or removed. */
  private isOwn = true;
  private isRemoved = false;

  /**
   * @param left what the document was made of; it goes once this copy is written
   * @param onChange of `isKept`
   */
  constructor(
    private readonly doc: Y.Doc,
    graph: string,
    epoch: string,
    private left: LeftCopy | undefined,
    private readonly onChange: () => void,
  ) {
    this.name = `${namesOf(graph)}${LAYOUT} ${epoch} ${Date.now()}.${doc.clientID}`;
    this.holding = hold(this.name);
    doc.on("update", this.write);
    doc.on("destroy", this.close);
    window.addEventListener("pagehide", this.release);
    this.open();
  }

  /** Leaves it to the next page that opens the graph. */
  readonly release = (): void => {
    this.isOwn = false;
    window.removeEventListener("pagehide", this.release);
    void this.holding.then((release) => release?.());
    this.left?.release();
  };

  remove(): void {
    this.isOwn = false;
    this.isRemoved = true;
    this.doc.off("update", this.write);
    this.left?.remove();
    this.left = undefined;
    void (async () => {
      await this.opening;
      this.database?.close();
      await removeDatabase(this.name);
      this.release();
    })();
  }

  private open(): void {
    this.opening ??= (async () => {
      try {
        // Held first: a database without a page is taken over by another.
        await this.holding;
        if (!indexedDB.databases) throw new Error("The browser does not say which databases it has, so a copy would not be found again.");
        this.database = await openDatabase(this.name);
        this.database.onclose = this.database.onversionchange = () => this.lose();
      } catch (error) {
        this.fail(error);
      } finally {
        this.opening = undefined;
      }
      if (this.database && !this.isRemoved) this.write();
    })();
  }

  private readonly close = (): void => {
    this.database?.close();
    this.database = undefined;
    this.updates = 0;
  };

  /** The person has cleared what the browser keeps, or another page took this one for gone. */
  private lose(): void {
    this.close();
    if (!this.isOwn) return;
    this.isKept = undefined;
    this.onChange();
    this.open();
  }

  private readonly write = (update?: Uint8Array): void => {
    if (!this.database) {
      this.open();
      return;
    }
    const isWhole = !update || this.updates === 0 || this.updates >= MOST_UPDATES;
    this.updates = isWhole ? 1 : this.updates + 1;
    try {
      const [store] = transact(this.database, [STORE]) as [IDBObjectStore];
      const { transaction } = store;
      transaction.oncomplete = () => this.succeed();
      transaction.onabort = () => this.fail(transaction.error);
      if (isWhole) store.clear();
      store.add(isWhole ? Y.encodeStateAsUpdate(this.doc) : update);
      transaction.commit(); // what a page that is closed has not committed is lost
    } catch (error) {
      this.fail(error);
    }
  };

  private succeed(): void {
    this.left?.remove();
    this.left = undefined;
    if (this.isKept) return;
    this.isKept = true;
    this.onChange();
  }

  /** The next edit tries again, with the whole document. */
  private fail(error: unknown): void {
    this.close();
    if (this.isRemoved || this.isKept === false) return;
    console.warn("This browser cannot keep a copy of the graph:", error);
    this.isKept = false;
    this.onChange();
  }
}

const openDatabase = (name: string): Promise<IDBDatabase> =>
  openDB(name, (database) => createStores(database, [[STORE, { autoIncrement: true }]]));

async function readDatabase(name: string): Promise<Uint8Array[]> {
  const database = await openDatabase(name);
  try {
    return await getAll((transact(database, [STORE], "readonly") as [IDBObjectStore])[0]);
  } finally {
    database.close();
  }
}

const removeDatabase = (name: string): Promise<unknown> =>
  deleteDB(name).catch((error) => console.warn(`The copy ${name} could not be removed:`, error));

/** Makes a name this page's own for as long as it lives. Resolves to how to release it, or to nothing if another has it. */
function hold(name: string): Promise<(() => void) | undefined> {
  // A page that did not come by HTTPS has no locks.
  if (!navigator.locks) return holdByAsking(name);
  return new Promise((resolve) => {
    const keep = (lock: Lock | null) => (lock ? new Promise<void>((release) => resolve(release)) : resolve(undefined));
    navigator.locks.request(name, { ifAvailable: true }, keep).catch(() => resolve(undefined));
  });
}

/** A page that is too busy to answer loses its copy to another, which brings the edits to the server; then it writes another. */
async function holdByAsking(name: string): Promise<(() => void) | undefined> {
  const channel = new BroadcastChannel(name);
  const isHeld = await new Promise<boolean>((resolve) => {
    channel.onmessage = ({ data }) => data === "mine" && resolve(true);
    channel.postMessage("whose?");
    setTimeout(() => resolve(false), ANSWER_MS);
  });
  if (isHeld) {
    channel.close();
    return undefined;
  }
  channel.onmessage = ({ data }) => data === "whose?" && channel.postMessage("mine");
  return () => channel.close();
}

// What anybody may send to a shared document or as a graph, against the code that accepts it. SEEDS=100 sends 100,000 updates and 10,000
// graphs; SEED=2 sends others.
import { EditRefused, normalise } from "@spindle/graph-model/shared-doc";
import { afterEach, expect, test, vi } from "vitest";
import * as Y from "yjs";
import { type Author, authorOf } from "../../apps/runtime/src/collab/clients.ts";
import { DocumentHost, type OpenDocument } from "../../apps/runtime/src/collab/document-host.ts";
import { MemoryLog } from "../../apps/runtime/src/collab/memory-log.testing.ts";
import type { UpdateLog } from "../../apps/runtime/src/collab/update-log.ts";
import { oddText, survive } from "../../apps/runtime/src/export/odd-graphs.testing.ts";
import {
  craftAtRandom,
  damage,
  editAtRandom,
  type Random,
  updateOf,
} from "../../packages/graph-model/src/shared-doc/random-updates.testing.ts";
import { bytesAtRandom, everySeed, heldHere, MOST_GROWTH, pick, SEED, SEEDS } from "../support/hostile.ts";

afterEach(() => void vi.restoreAllMocks());

const DOCUMENTS = 10;
const UPDATES = 100;
const GRAPHS = 100;

/** A log of several graphs, each in memory. */
class MemoryLogs {
  private readonly logs = new Map<string, MemoryLog>();
  readonly log: UpdateLog = {
    read: (graph) => this.of(graph).read(),
    clients: (graph) => this.of(graph).clients(),
    append: (graph, ...rest) => this.of(graph).append(graph, ...rest),
    setAside: (graph, refused, rest) => this.of(graph).setAside(graph, [...refused], rest),
    compact: (graph, ...rest) => this.of(graph).compact(graph, ...rest),
    migrate: (graph, ...rest) => this.of(graph).migrate(graph, ...rest),
  };
  of(graph: string): MemoryLog {
    const log = this.logs.get(graph) ?? new MemoryLog();
    this.logs.set(graph, log);
    return log;
  }
}

/** A person's page: what it edits is sent, and what was stored of others comes back. */
class Page {
  readonly doc = new Y.Doc();
  private readonly unsent: Uint8Array[] = [];

  constructor(
    readonly author: Author,
    client: number,
    private readonly document: OpenDocument,
  ) {
    this.doc.clientID = client;
    this.doc.on("update", (update: Uint8Array, origin: unknown) => void (origin !== document && this.unsent.push(update)));
    this.read();
  }

  read(): void {
    Y.applyUpdate(this.doc, Y.encodeStateAsUpdate(this.document.doc, Y.encodeStateVector(this.doc)), this.document);
  }

  /** One edit, as it would be sent. */
  edit(next: Random): Uint8Array {
    this.read();
    editAtRandom(this.doc, next);
    const sent = this.unsent.splice(0);
    return sent.length > 0 ? Y.mergeUpdates(sent) : Uint8Array.from([0, 0]);
  }
}

test(`[C5] whatever is sent to a document, it opens again, and the others' edits and documents stay, ${SEEDS * DOCUMENTS * UPDATES} times`, {
  timeout: 600_000,
}, async () => {
  const counts = { taken: 0, refused: 0 };
  let warm = 0;
  await everySeed(async (next) => {
    vi.spyOn(Math, "random").mockImplementation(next);
    for (let at = 0; at < DOCUMENTS; at++) await attack(next, counts);
    if (warm === 0) warm = heldHere();
  });
  expect(Math.min(counts.taken, counts.refused), JSON.stringify(counts)).toBeGreaterThan(SEEDS * DOCUMENTS * 10);
  expect(heldHere() / warm, "what is held").toBeLessThan(MOST_GROWTH);
});

async function attack(next: Random, counts: { taken: number; refused: number }): Promise<void> {
  const logs = new MemoryLogs();
  const host = new DocumentHost(logs.log, () => {}, 0);
  const [document, other] = [await host.open("attacked"), await host.open("other")];
  await other.append(
    updateOf(other.doc, (doc) => editAtRandom(doc, next)),
    authorOf("cy"),
  );
  const untouched = Y.encodeStateAsUpdate(other.doc);
  const ada = new Page(authorOf("ada"), 1, document);
  const eve = new Page(authorOf("eve"), 2, document);
  await document.append(
    ada.edit(() => 0),
    ada.author,
  );
  const sent: Uint8Array[] = [Y.encodeStateAsUpdate(document.doc)];
  for (let at = 0; at < UPDATES; at++) {
    if (at % 5 === 0) await document.append(ada.edit(next), ada.author);
    const update = hostile(next, document.doc, eve, sent);
    const before = Y.encodeStateAsUpdate(document.doc);
    const rows = logs.of("attacked").rows.length;
    try {
      await document.append(update, eve.author);
      counts.taken++;
    } catch (error) {
      if (!(error instanceof EditRefused)) throw error;
      counts.refused++;
      expect(logs.of("attacked").rows.length, "what was refused is not stored").toBe(rows);
      expect(Buffer.compare(Y.encodeStateAsUpdate(document.doc), before), "what was refused changes nothing").toBe(0);
    }
  }
  const { store } = document.doc;
  expect(Y.getState(store, 1), "what Ada was told to be stored").toBe(Y.getState(ada.doc.store, 1));
  expect(logs.of("attacked").owners.get(1)).toBe("ada");
  expect(Y.encodeStateAsUpdate(other.doc)).toEqual(untouched);
  const again = await new DocumentHost(logs.log, (_, error) => expect.fail(String(error)), 0).open("attacked");
  expect([Y.encodeStateVector(again.doc), normalise(again.doc)]).toEqual([Y.encodeStateVector(document.doc), normalise(document.doc)]);
  expect(logs.of("attacked").quarantine).toEqual([]);
  for (const opened of [document, other, again]) opened.close();
}

/** One update of Eve's: an edit, one that is damaged, made by hand, noise, sent again, or made under Ada's id. */
function hostile(next: Random, doc: Y.Doc, eve: Page, sent: Uint8Array[]): Uint8Array {
  const kind = next();
  const known = pick(next, sent);
  if (kind < 0.2) {
    const update = eve.edit(next);
    sent.push(update);
    return update;
  }
  if (kind < 0.65) return damage(known, pick(next, sent), next);
  if (kind < 0.8) return craftAtRandom(doc, next);
  if (kind < 0.87) return bytesAtRandom(next, 200);
  if (kind < 0.94) return known;
  return underAdas(doc, next);
}

/** As if Ada had made it, after what the document has of hers or among it. */
function underAdas(doc: Y.Doc, next: Random): Uint8Array {
  const copy = new Y.Doc();
  Y.applyUpdate(copy, Y.encodeStateAsUpdate(doc));
  const before = Y.encodeStateVector(copy);
  copy.clientID = 1;
  editAtRandom(copy, next);
  return Y.encodeStateAsUpdate(copy, next() < 0.5 ? before : undefined);
}

test(`[G6] whatever stands in a graph, what is wrong is an issue, ${SEEDS * GRAPHS} times`, { timeout: 600_000 }, () => {
  const ends = { refused: 0, bad: 0, good: 0 };
  const first = SEED * 1_000_000;
  for (let seed = first; seed < first + SEEDS * GRAPHS; seed++) ends[survive(oddText(seed))]++;
  expect(Math.min(...Object.values(ends)), JSON.stringify(ends)).toBeGreaterThan(SEEDS);
});

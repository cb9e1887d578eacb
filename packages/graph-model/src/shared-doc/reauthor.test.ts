// What is put under another client id says the same as before.
import { expect, test } from "vitest";
import * as Y from "yjs";
import { ONE_UPDATE } from "./apply.ts";
import { undivided } from "./at-once.testing.ts";
import { addNode, setParam } from "./commands.ts";
import { migrate } from "./migrate.ts";
import { normalise } from "./normalise.ts";
import { craft, editAtRandom, random, updateOf } from "./random-updates.testing.ts";
import { basesOf, reauthor } from "./reauthor.ts";

const decoded = (update: Uint8Array) => undivided.decode(update, ONE_UPDATE.parts);
const others = (client: number) => client !== 7;
const moved = (doc: Y.Doc, update: Uint8Array) => {
  const read = decoded(update);
  return reauthor(
    read,
    basesOf(read, (client) => Y.getState(doc.store, client), others),
    () => 8,
  );
};
const start = () => {
  const doc = new Y.Doc();
  Y.applyUpdate(doc, migrate(new Y.Doc()));
  return doc;
};
const PROSE = "A harbour in the morning, with ships of every nation at anchor and gulls over the water.";

test("[C5] the edits of a page under another id make the same graph, and leave its first id alone", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const doc = start();
    const page = new Y.Doc();
    page.clientID = 7;
    Y.applyUpdate(page, Y.encodeStateAsUpdate(doc));
    const next = random(seed);
    for (let edits = 0; edits < 10; edits++) editAtRandom(page, next);
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(page));
    const before = Y.encodeStateVector(doc);
    for (let edits = 0; edits < 20; edits++) editAtRandom(page, next);
    const known = Y.getState(doc.store, 7);
    Y.applyUpdate(doc, moved(doc, Y.encodeStateAsUpdate(page, before)));
    expect(doc.store.pendingStructs, `seed ${seed}`).toBeNull();
    expect(normalise(doc), `seed ${seed}`).toEqual(normalise(page));
    expect(Y.getState(doc.store, 7)).toBe(known);
  }
});

test("[C5] of what the document has in part the rest goes on behind that part", () => {
  const doc = start();
  const page = new Y.Doc();
  page.clientID = 7;
  Y.applyUpdate(page, Y.encodeStateAsUpdate(doc));
  const id = addNode(page, "me", { service: "pass", plane: "node", position: { x: 0, y: 0 } });
  setParam(page, "me", id, "prompt", PROSE);
  Y.applyUpdate(doc, Y.encodeStateAsUpdate(page));
  setParam(page, "me", id, "prompt", `${PROSE} At dusk.`);
  Y.applyUpdate(doc, moved(doc, Y.encodeStateAsUpdate(page)));
  expect(normalise(doc)).toEqual(normalise(page));
});

test("[C5] deletions go with what they delete", () => {
  const doc = start();
  Y.applyUpdate(doc, craft({ 7: [{ parent: "graph", key: "a", content: new Y.ContentAny([1]) }] }));
  const two = { parent: "graph", key: "b", content: new Y.ContentAny([2]) };
  const update = moved(doc, craft({ 7: [two, { ...two, key: "c" }] }, { 7: [[0, 2]] }, { 7: 1 }));
  const { structs, ds } = decoded(update);
  expect(structs.map(({ id }) => [id.client, id.clock])).toEqual([
    [8, 0],
    [8, 1],
  ]);
  expect([...ds.clients]).toEqual([
    [7, [{ clock: 0, len: 1 }]],
    [8, [{ clock: 0, len: 1 }]],
  ]);
  Y.applyUpdate(doc, update);
  expect(doc.getMap("graph").toJSON()).toEqual({ layout: 2, c: 2 });
});

test("what is under ids that its sender may use stays as it is", () => {
  const doc = start();
  const update = updateOf(doc, (copy) => void addNode(copy, "me", { service: "pass", plane: "node", position: { x: 0, y: 0 } }));
  expect(moved(doc, update)).toEqual(update);
});

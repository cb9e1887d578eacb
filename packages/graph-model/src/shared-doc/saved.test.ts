import { expect, test } from "vitest";
import * as Y from "yjs";
import { SAVED, savedBy, savedOf, Unsaved } from "./saved.ts";

/** An editor's replica and the server's; `store` is the way of the edits made since. */
function pair() {
  const [editor, server] = [new Y.Doc(), new Y.Doc()];
  const unsaved = new Unsaved(editor);
  const sent: Uint8Array[] = [];
  editor.on("update", (update: Uint8Array, origin: unknown) => origin !== "server" && sent.push(update));
  const store = () => {
    for (const update of sent.splice(0)) {
      Y.applyUpdate(server, update);
      unsaved.acknowledge(savedBy(server, update));
    }
  };
  return { editor, server, unsaved, store, nodes: editor.getMap("nodes") };
}

test("[C1] an edit is saved once the server has said so, a deletion too", () => {
  const { unsaved, store, nodes } = pair();
  expect(unsaved.isEmpty).toBe(true);
  for (const edit of [() => nodes.set("a", 1), () => nodes.delete("a"), () => nodes.set("b", 1), () => nodes.set("b", 2)]) {
    edit();
    expect(unsaved.isEmpty).toBe(false);
    store();
    expect(unsaved.isEmpty).toBe(true);
  }
});

test("[C1] what was deleted while the connection was away is not saved by the server's first word, which does not know of it", () => {
  const { editor, server, unsaved, store, nodes } = pair();
  for (const id of ["a", "b", "c"]) nodes.set(id, id);
  store();
  editor.transact(() => {
    nodes.delete("a");
    nodes.delete("c");
  });
  unsaved.acknowledge(savedOf(server));
  expect(unsaved.isEmpty).toBe(false);
  store();
  expect(unsaved.isEmpty).toBe(true);
});

test("another's deletion is nobody's unsaved edit, and of the same thing it saves both", () => {
  const { editor, server, unsaved, store, nodes } = pair();
  nodes.set("a", 1);
  store();
  const before = Y.encodeStateVector(server);
  server.getMap("nodes").delete("a");
  const theirs = Y.encodeStateAsUpdate(server, before);
  nodes.delete("a");
  expect(unsaved.isEmpty).toBe(false);
  Y.applyUpdate(editor, theirs, "server");
  unsaved.acknowledge(savedBy(server, theirs));
  expect(unsaved.isEmpty).toBe(true);
  const other = pair();
  Y.applyUpdate(other.editor, Y.encodeStateAsUpdate(server), "server");
  other.unsaved.acknowledge(savedOf(server));
  expect(other.unsaved.isEmpty).toBe(true);
});

test("a range that is told of in pieces is saved after the last of them", () => {
  const { editor, server, unsaved } = pair();
  const text = editor.getText("t");
  text.insert(0, "abcdef");
  Y.applyUpdate(server, Y.encodeStateAsUpdate(editor));
  unsaved.acknowledge(savedOf(server));
  text.delete(0, 6);
  for (const [from, length, empty] of [
    [1, 2, false],
    [0, 1, false],
    [3, 3, true],
  ] as const) {
    const copy = new Y.Doc();
    Y.applyUpdate(copy, Y.encodeStateAsUpdate(server));
    const before = Y.encodeStateVector(copy);
    copy.getText("t").delete(from === 3 ? 0 : from === 0 ? 0 : from, length);
    const piece = Y.encodeStateAsUpdate(copy, before);
    Y.applyUpdate(server, piece);
    unsaved.acknowledge(savedBy(server, piece));
    expect(unsaved.isEmpty).toBe(empty);
  }
});

test("what the server says of one edit does not grow with the pages that have edited, and what it said before still holds", () => {
  const { editor, server, unsaved, store, nodes } = pair();
  for (let page = 0; page < 1000; page++) {
    const doc = new Y.Doc();
    doc.getMap("nodes").set(`${page}`, 1);
    Y.applyUpdate(server, Y.encodeStateAsUpdate(doc));
  }
  Y.applyUpdate(editor, Y.encodeStateAsUpdate(server), "server");
  expect(unsaved.isEmpty).toBe(false);
  unsaved.acknowledge(savedOf(server));
  expect(unsaved.isEmpty).toBe(true);
  const before = Y.encodeStateVector(editor);
  nodes.set("a", 1);
  const edit = Y.encodeStateAsUpdate(editor, before);
  store();
  expect(savedBy(server, edit).length).toBeLessThan(20);
  expect(unsaved.isEmpty).toBe(true);
});

test("the message has a number of its own", () => expect(SAVED).toBe(5));

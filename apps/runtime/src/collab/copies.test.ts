// What an edit may not cost: a copy of the whole document.
import { addNode } from "@spindle/graph-model/shared-doc";
import { expect, test, vi } from "vitest";
import * as Y from "yjs";
import { authorOf } from "./clients.ts";
import { DocumentHost } from "./document-host.ts";
import type { UpdateLog } from "./update-log.ts";

/** Documents that were made, replicas among them. */
const made = vi.hoisted(() => ({ docs: 0 }));
vi.mock("yjs", async (original) => {
  const yjs = await original<typeof Y>();
  class Doc extends yjs.Doc {
    constructor(options?: ConstructorParameters<typeof yjs.Doc>[0]) {
      super(options);
      made.docs++;
    }
  }
  return { ...yjs, Doc };
});

test("[C5] the copy that updates are tried on is made once, not for each of them", async () => {
  const log = {
    append: async () => ["0"],
    read: async () => [],
    clients: async () => new Map(),
    migrate: async () => {},
  } as unknown as UpdateLog;
  const { append, close } = await new DocumentHost(log, () => {}).open("g");
  const mine = new Y.Doc();
  made.docs = 0;
  const edit = async () => {
    const before = Y.encodeStateVector(mine);
    addNode(mine, "me", { service: "pass", plane: "node", position: { x: 0, y: 0 } });
    await append(Y.encodeStateAsUpdate(mine, before), authorOf("me"));
  };
  await edit();
  for (let count = 0; count < 20; count++) await edit();
  expect(made.docs).toBe(1);
  close();
});

test("[C5] an edit that is refused for what it is costs no copy, nor does a page that brings nothing", async () => {
  const log = {
    append: async () => ["0"],
    read: async () => [],
    clients: async () => new Map(),
    migrate: async () => {},
  } as unknown as UpdateLog;
  const { append } = await new DocumentHost(log, () => {}).open("g");
  const page = new Y.Doc();
  addNode(page, "me", { service: "pass", plane: "node", position: { x: 0, y: 0 } });
  await append(Y.encodeStateAsUpdate(page), authorOf("me"));
  const bad = new Y.Doc();
  bad.getMap("graph").set("x", 10n);
  made.docs = 0;
  for (let times = 0; times < 5; times++) {
    await expect(append(Y.encodeStateAsUpdate(bad), authorOf("me"))).rejects.toThrow("bigint");
    await append(Y.encodeStateAsUpdate(page), authorOf("me"));
    expect(await append(Uint8Array.from([0, 0]), authorOf("me"))).toBe(true);
  }
  expect(made.docs).toBe(0);
});

// What the log says of stored edits that have no place in their document. The person's notice is the editor's (document-notices.tsx).
import { addNode } from "@spindle/graph-model/shared-doc";
import { expect, test } from "vitest";
import * as Y from "yjs";
import { UNAPPLIABLE } from "../../../../packages/graph-model/src/shared-doc/random-updates.testing.ts";
import { DocumentHost } from "./document-host.ts";
import type { UpdateLog } from "./update-log.ts";

test("[C5] edits that are set aside at load are told once, with their number, their graph and the reason of the first", async () => {
  const tab = new Y.Doc();
  addNode(tab, "me", { service: "pass", plane: "node", position: { x: 0, y: 0 } });
  let rows = [Y.encodeStateAsUpdate(tab), UNAPPLIABLE, UNAPPLIABLE].map((bytes, index) => ({ seq: `${index + 1}`, bytes }));
  const log: UpdateLog = {
    read: async () => rows,
    clients: async () => new Map(),
    append: async () => ["0"],
    compact: async () => "0",
    setAside: async (_, refused) => {
      rows = rows.filter(({ seq }) => refused.every((one) => one.seq !== seq));
      return "0";
    },
    migrate: async () => {},
  };
  const messages: unknown[] = [];
  for (let times = 0; times < 2; times++) await new DocumentHost(log, (...what) => void messages.push(what)).use("g7", () => {});
  expect(messages).toEqual([["collaboration", "2 stored edits of graph g7 were set aside: It cannot be applied to the graph."]]);
});

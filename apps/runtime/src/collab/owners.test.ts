// A document that another runtime has, or claims: nothing more of it is made here.
import { addNode, migrate, normalise } from "@spindle/graph-model/shared-doc";
import { expect, test, vi } from "vitest";
import * as Y from "yjs";
import { updateOf } from "../../../../packages/graph-model/src/shared-doc/random-updates.testing.ts";
import { authorOf } from "./clients.ts";
import { DocumentHost, type Ending } from "./document-host.ts";
import type { DocumentLeases } from "./document-leases.ts";
import { MemoryLog } from "./memory-log.testing.ts";
import { DocumentLost } from "./update-log.ts";

const add = (doc: Y.Doc) => void addNode(doc, "me", { service: "pass", plane: "node", position: { x: 0, y: 0 } });
const ME = authorOf("me");

function start() {
  const log = new MemoryLog();
  log.insert(migrate(new Y.Doc()));
  const claims = { owner: "", fence: 0, isDeleted: false };
  const leasesOf = (id: string): Pick<DocumentLeases, "claim" | "release" | "otherOwner" | "own"> => ({
    claim: async () => {
      if (claims.owner && claims.owner !== id) return {};
      claims.owner = id;
      return { fence: String(++claims.fence) };
    },
    release: async (_, fence) => {
      if (claims.owner === id && String(claims.fence) === fence) claims.owner = "";
    },
    otherOwner: async () => (claims.owner && claims.owner !== id ? { id: claims.owner, url: "http://there" } : undefined),
    own: async () => new Map(claims.owner === id ? [["g", { fence: String(claims.fence), isDeleted: claims.isDeleted }]] : []),
  });
  const append = log.append.bind(log);
  log.append = (graph, updates, claim) =>
    claim.fence === String(claims.fence) ? append(graph, updates, claim) : Promise.reject(new DocumentLost(graph));
  const host = (id: string, idleMs?: number) => new DocumentHost(log, () => {}, idleMs, leasesOf(id));
  return { log, claims, host };
}
const nodes = (doc: Y.Doc) => normalise(doc).graph.nodes.length;

test("[C1] a document that another runtime has is read from what is stored, and edited by nobody here", async () => {
  const { host } = start();
  const [first, other] = [host("first"), host("other")];
  const { doc, append } = await first.open("g");
  await append(updateOf(doc, add), ME);
  await expect(other.open("g")).rejects.toThrow(DocumentLost);
  expect([await other.view("g", nodes), await first.view("g", nodes)]).toEqual([1, 1]);
  await append(updateOf(doc, add), ME);
  expect(await other.view("g", nodes)).toBe(2);
  expect([await first.otherOwner("g"), await other.otherOwner("g")]).toEqual([undefined, { id: "first", url: "http://there" }]);
  expect(other.size).toBe(0);
});

test("[C1] an edit under a claim that is no longer the last is not stored, and the document ends for who has it open", async () => {
  const { log, claims, host } = start();
  const [first, other] = [host("first"), host("other")];
  const ended: Ending[] = [];
  const { doc, append } = await first.open("g", (ending) => ended.push(ending));
  claims.owner = ""; // its lease is over
  const there = await other.open("g");
  await there.append(updateOf(there.doc, add), ME);
  expect([nodes(doc), await first.view("g", nodes)], "what it still has in memory is not what is stored").toEqual([0, 1]);
  const rows = log.rows.length;
  await expect(append(updateOf(doc, add), ME)).rejects.toThrow(DocumentLost);
  expect([log.rows.length, ended, first.size]).toEqual([rows, ["failed"], 0]);
});

test("[C1] who only reads a document hears that another runtime has it, or has deleted its graph", async () => {
  const { claims, host } = start();
  const [first, other] = [host("first"), host("other")];
  const ended: Ending[] = [];
  await first.open("g", (ending) => ended.push(ending));
  await first.check();
  expect(ended).toEqual([]);
  claims.owner = "";
  await other.open("g", (ending) => ended.push(ending));
  await first.check();
  expect(ended).toEqual(["failed"]);
  claims.isDeleted = true;
  await other.check();
  expect(ended).toEqual(["failed", "removed"]);
});

test("[C1] a document that leaves the memory is given back", async () => {
  const { claims, host } = start();
  const first = host("first", 0);
  await first.use("g", () => expect(claims.owner).toBe("first"));
  await vi.waitUntil(() => claims.owner === "");
  await host("other").open("g");
  expect(claims).toMatchObject({ owner: "other", fence: 2 });
});

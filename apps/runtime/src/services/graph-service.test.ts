import { expect, test } from "vitest";
import type { DocumentHost } from "../collab/document-host.ts";
import type { Database } from "../store/database.ts";
import { GraphService } from "./graph-service.ts";

const LIBRARY = { find: () => undefined, all: () => [] };

test("a graph that cannot be read is one of the list, with the reason, and the others are as they are", async () => {
  const rows = ["good", "bad"].map((id) => ({ id, name: id, updatedAt: new Date(0), runs: [], _count: { setAside: 0 } }));
  const db = { prisma: { graph: { findMany: async () => rows } }, pool: { query: async () => ({ rows: [] }) } } as unknown as Database;
  const view = async (id: string) => {
    if (id === "bad") throw new Error("row 7 is damaged");
    return { graph: { nodes: [{}, {}], edges: [] }, issues: [] };
  };
  const graphs = new GraphService(db, { view } as unknown as DocumentHost, () => LIBRARY);
  const [good, bad] = await graphs.list();
  expect([good?.nodes, good?.unreadable]).toEqual([2, undefined]);
  expect([bad?.nodes, bad?.unreadable]).toEqual([0, "This graph cannot be read: row 7 is damaged"]);
});

test("the list has few documents in memory at a time, whatever their number", async () => {
  const rows = Array.from({ length: 50 }, (_, at) => ({
    id: `${at}`,
    name: "",
    updatedAt: new Date(0),
    runs: [],
    _count: { setAside: 0 },
  }));
  const db = { prisma: { graph: { findMany: async () => rows } }, pool: { query: async () => ({ rows: [] }) } } as unknown as Database;
  let open = 0;
  let most = 0;
  const view = async () => {
    most = Math.max(most, ++open);
    await new Promise(setImmediate);
    open--;
    return { graph: { nodes: [{}], edges: [] }, issues: [] };
  };
  const listed = await new GraphService(db, { view } as unknown as DocumentHost, () => LIBRARY).list();
  expect([listed.length, most]).toEqual([50, 4]);
});

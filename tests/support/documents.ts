// A server and its database, for tests of shared documents.
import { addNode } from "@spindle/graph-model/shared-doc";
import type pg from "pg";
import type * as Y from "yjs";
import { type Spindle, startSpindle } from "./spindle.ts";

export interface Documents {
  spindle: Spindle;
  db: pg.Pool;
  stop(): Promise<void>;
}

export async function startDocuments(): Promise<Documents> {
  const spindle = await startSpindle({ worker: false });
  return { spindle, db: spindle.db, stop: spindle.stop };
}

/** Returns the id of the node. */
export const addPreview = (doc: Y.Doc): string =>
  addNode(doc, "me", { service: "output.preview", plane: "node", position: { x: 0, y: 0 } });

// A server and its database, for tests of shared documents.
import { addNode, EDIT_REFUSED, LAYOUT } from "@spindle/graph-model/shared-doc";
import type pg from "pg";
import { WebSocket } from "ws";
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

/** Sends one update over a socket of its own. Returns how the server refused it. */
export async function refusalTo(url: string, graph: string, update: Uint8Array, cookie = ""): Promise<{ code: number; reason: string }> {
  const address = `${url.replace("http", "ws")}/collab/${graph}?layout=${LAYOUT}`;
  const socket = new WebSocket(address, { headers: cookie ? { cookie } : {} });
  await new Promise((resolve) => socket.once("open", resolve));
  const refused = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.on("message", (bytes: Buffer) => {
      if (bytes[0] === EDIT_REFUSED) resolve(JSON.parse(String(bytes.subarray(bytes.indexOf("{")))));
    }),
  );
  socket.send(Uint8Array.from([0, 2, ...varUint(update.length), ...update]));
  return refused.finally(() => socket.close());
}

export function varUint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    bytes.push(rest > 127 ? (rest % 128) + 128 : rest);
    if (rest <= 127) return bytes;
  }
}

// Edits of one document that came while others were being stored: they share an INSERT, and a message to everybody.
import { countStructs, ONE_STEP, ONE_UPDATE, type Steps, type Tried, WHOLE_GRAPH } from "@spindle/graph-model/shared-doc";
import * as Y from "yjs";
import { type Author, type Clients, SERVER } from "./clients.ts";
import type { Losses } from "./losses.ts";

/** An edit on its way to the rows of its document. */
export interface Edit {
  update: Uint8Array;
  author: Author;
  losses: Losses | undefined;
  /** @param isWhole whether nothing is missing that it builds on */
  resolve(isWhole: boolean): void;
  reject(error: unknown): void;
}

/** An edit that fits the document and the edits before it. */
export interface AdmittedEdit {
  edit: Edit;
  /** What of it the document does not have yet. */
  news: readonly Uint8Array[];
  isWhole: boolean;
  /** Client ids that it is the first under. */
  unowned: readonly number[];
}

/** Of what is stored together; what is larger goes alone. */
const MOST_EDITS = 100;
const MOST_BYTES = 64 * 1024;
/** Of one message, which is applied in one turn of the event loop. */
const MOST_TOLD_BYTES = 16 * 1024;

/** Takes the oldest edits out of those that wait: one at least. */
export function takeNeighbours(waiting: Edit[]): Edit[] {
  let bytes = 0;
  let count = 0;
  for (const { update } of waiting) {
    bytes += update.length;
    if (count === MOST_EDITS || (count > 0 && bytes > MOST_BYTES)) break;
    count++;
  }
  return waiting.splice(0, count);
}

/**
 * Tries an edit on the replica, which has all that was admitted before.
 * @throws EditRefused, or MustWait where its sender has lost too much
 */
export async function admitBeside(
  before: readonly AdmittedEdit[],
  edit: Edit,
  { tried, clients, inSteps }: { tried: Tried; clients: Clients; inSteps<T>(steps: Steps<T>): Promise<T> },
): Promise<AdmittedEdit> {
  const { update, author, losses } = edit;
  const isOthers = (client: number) =>
    before.some(({ edit: { author: other }, unowned }) => !author.names.has(other.name) && unowned.includes(client));
  const mayWrite = (client: number) => clients.isOf(author, client) && !isOthers(client);
  const tryOut = () => inSteps(tried.admit(update, author === SERVER ? WHOLE_GRAPH : ONE_UPDATE, ONE_STEP, mayWrite));
  const { news, gap, clients: used } = await (losses ? losses.pay(update, countStructs(tried.doc), tryOut) : tryOut());
  return { edit, news, isWhole: !gap, unowned: clients.unowned(used) };
}

/** Of each client id the name of whoever used it first. */
export function ownersOf(admitted: readonly AdmittedEdit[]): Map<number, string> {
  const owners = new Map<number, string>();
  for (const { edit, unowned } of admitted) for (const client of unowned) if (!owners.has(client)) owners.set(client, edit.author.name);
  return owners;
}

/** Applies what was admitted: small edits in one transaction, of which everybody is told with one message, and each part of a large one alone. */
export async function applyTogether(doc: Y.Doc, admitted: readonly AdmittedEdit[], turn: () => Promise<void>): Promise<void> {
  for (const [at, parts] of inMessages(admitted).entries()) {
    if (at > 0) await turn();
    doc.transact(() => {
      for (const part of parts) Y.applyUpdate(doc, part);
    }, SERVER);
  }
}

function inMessages(admitted: readonly AdmittedEdit[]): Uint8Array[][] {
  const messages: Uint8Array[][] = [];
  let room = 0;
  for (const { news } of admitted)
    for (const part of news) {
      room -= part.length;
      if (news.length > 1 || room < 0) messages.push([part]);
      else messages.at(-1)?.push(part);
      if (news.length > 1) room = 0;
      else if (room < 0) room = MOST_TOLD_BYTES - part.length;
    }
  return messages;
}

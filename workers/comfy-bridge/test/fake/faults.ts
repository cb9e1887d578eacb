// What a ComfyUI is known to do wrong.
import type { JsonObject } from "./program.ts";

export interface Faults {
  /** Milliseconds before each answer and step. */
  slow?: number;
  /** The socket is cut after so many messages and frames from now on, once. */
  dropAfter?: number;
  /** The history is written so long after the end. */
  historyLag?: number;
  /** Answers 200, and says that these nodes are wrong. */
  nodeErrors?: JsonObject;
  /** Status and body of the answer to a prompt. */
  refuse?: { status: number; body: JsonObject };
  /** A cycle that is found too late: an error on the wire, success in the history. */
  liesAboutSuccess?: boolean;
  /** Type 1 previews only, no answer to feature flags, no /api/jobs. */
  old?: boolean;
  /** Gives each prompt an id of its own, whatever id it was sent with: servers of before 0.3.45. */
  ownIds?: boolean;
  /** Files of earlier runs are gone. */
  forgetsFiles?: boolean;
  /** Everything needs a login, which says so, sends away, or is a page. */
  login?: boolean | "redirect" | "page";
  /** Before each frame comes one that nobody can read. */
  unreadable?: boolean;
  /** So many interrupts from now on are taken, and not heeded. */
  deafTo?: number;
  /** So many requests and sockets from now on are too many. */
  limited?: number;
  /** What is asked is answered once this is over; sockets that are open stay so, and nothing comes by them. */
  silent?: boolean;
  /** A prompt whose answer nobody waited for is not kept. */
  losesPrompts?: boolean;
}

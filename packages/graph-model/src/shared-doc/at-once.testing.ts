// What the server does step by step, done at once.
import type * as Y from "yjs";
import * as admission from "./admit.ts";
import { type Allowance, atOnce, type Decoded } from "./apply.ts";
import * as reading from "./decode.ts";

const all = ({ news: [news], gap }: admission.Admitted) => ({ news, gap });

const replay = (rows: readonly admission.StoredUpdate[]): admission.Loaded => atOnce(admission.replay(rows));
const admit = (...args: Parameters<typeof admission.admit>) => all(atOnce(admission.admit(...args)));

class Tried {
  private readonly tried: admission.Tried;
  constructor(readonly doc: Y.Doc) {
    this.tried = new admission.Tried(doc);
  }
  admit(update: Uint8Array, allowance?: Allowance) {
    return all(atOnce(this.tried.admit(update, allowance)));
  }
}

const decode = (update: Uint8Array, most: number): Decoded => atOnce(reading.decode(update, most));

export const undivided = { admit, decode, replay, Tried };

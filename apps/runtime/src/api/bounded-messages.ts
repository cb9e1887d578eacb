// A message of many calls is refused before tRPC answers each of them, which costs it a fifth of a millisecond even where no call is known.
import { WebSocket } from "ws";

/** How many calls one message, or one HTTP address, may hold. A page that opens asks for some twenty. */
export const MAX_CALLS_AT_ONCE = 100;
/** RFC 6455: the message cannot be taken as it is. */
const TOO_MANY_CALLS = 1008;

const [QUOTE, BACKSLASH, COMMA, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST] = [...'"\\,{}[]'].map((sign) => sign.charCodeAt(0));

/** Whether the JSON text is a list of more than so many entries. It reads no further than that many, and takes any text. */
export function isLongList(text: Uint8Array, most: number): boolean {
  let at = 0;
  while (text[at] === 0x20 || text[at] === 0x0a || text[at] === 0x0d || text[at] === 0x09) at++;
  if (text[at] !== OPEN_LIST) return false;
  let entries = 1;
  let depth = 0;
  let isText = false;
  for (; at < text.length; at++) {
    const sign = text[at];
    if (isText) {
      if (sign === BACKSLASH) at++;
      else if (sign === QUOTE) isText = false;
    } else if (sign === QUOTE) isText = true;
    else if (sign === OPEN || sign === OPEN_LIST) depth++;
    else if (sign === CLOSE || sign === CLOSE_LIST) depth--;
    else if (sign === COMMA && depth === 1 && ++entries > most) return true;
  }
  return false;
}

/** A socket that is closed by a message of too many calls. */
export class CallSocket extends WebSocket {
  override emit(event: string | symbol, ...about: unknown[]): boolean {
    const [data] = about;
    if (event !== "message" || !(data instanceof Uint8Array) || !isLongList(data, MAX_CALLS_AT_ONCE)) return super.emit(event, ...about);
    this.close(TOO_MANY_CALLS, `A message holds ${MAX_CALLS_AT_ONCE} calls at most.`);
    return true;
  }
}

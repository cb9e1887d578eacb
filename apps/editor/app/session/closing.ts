import { CLOSE, MOST_MESSAGE_BYTES } from "@spindle/graph-model/shared-doc";

/** How the server ended the connection to a document for good (CLOSE says for which reasons). */
export interface Closing {
  code: number;
  reason: string;
}

export const {
  refused: REFUSED,
  unfit: UNFIT,
  removed: REMOVED,
  gone: GONE,
  tooLarge: TOO_LARGE,
  layout: OTHER_LAYOUT,
  epoch: OTHER_EPOCH,
} = CLOSE;

/** A connection that was closed for what this tab sent would be closed again for the same. */
export const reconnects = ({ code }: { code: number }): boolean => code !== TOO_LARGE && !(code >= 4400 && code < 4500);

/** How many edits of a tab are refused before it stops. A tab whose every edit is refused is better reloaded. */
const MOST_REFUSALS = 3;

/** Whether a tab takes back what was refused and goes on by itself. @param refusals how many there were, with this one */
export const goesOn = ({ code }: Closing, refusals: number): boolean =>
  code === UNFIT || code === OTHER_EPOCH || ((code === REFUSED || code === TOO_LARGE) && refusals < MOST_REFUSALS);

/** Whether it was for an edit that this tab made. */
export const isOfEdit = ({ code }: Closing): boolean => code === REFUSED || code === UNFIT || code === TOO_LARGE;

/** Why an edit was refused, as a sentence. */
export const whyRefused = ({ code, reason }: Closing): string =>
  code === TOO_LARGE ? `It is larger than ${MOST_MESSAGE_BYTES / 2 ** 20} MB.` : reason;

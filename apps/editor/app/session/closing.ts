/** How the server ended the connection to a document for good (apps/runtime/src/collab/socket.ts). */
export interface Closing {
  code: number;
  reason: string;
}

/** An edit that this tab made is not taken, whoever makes it. */
export const REFUSED = 4400;
/** An edit that this tab made does not go with what is there by now. */
export const UNFIT = 4409;
/** The graph was deleted, and can be restored. */
export const REMOVED = 4404;
/** There is no such graph, or no longer one that can be restored. */
export const GONE = 4410;
export const TOO_LARGE = 1009;
/** The page or the document is of another layout than the server's. */
export const OTHER_LAYOUT = 4426;
/** What the page knows is of another epoch than the document, which was put back to an earlier state. */
export const OTHER_EPOCH = 4427;

/** A connection that was closed for what this tab sent would be closed again for the same. */
export const reconnects = ({ code }: { code: number }): boolean => code !== TOO_LARGE && !(code >= 4400 && code < 4500);

/** How many edits of a tab are refused before it stops. A tab whose every edit is refused is better reloaded. */
const MOST_REFUSALS = 3;

/** Whether a tab takes back what was refused and goes on by itself. @param refusals how many there were, with this one */
export const goesOn = ({ code }: Closing, refusals: number): boolean =>
  code === UNFIT || code === OTHER_EPOCH || ((code === REFUSED || code === TOO_LARGE) && refusals < MOST_REFUSALS);

/** Whether it was for an edit that this tab made. */
export const isOfEdit = ({ code }: Closing): boolean => [REFUSED, UNFIT, TOO_LARGE].includes(code);

/** Why an edit was refused, as a sentence. */
export const whyRefused = ({ code, reason }: Closing): string => (code === TOO_LARGE ? "It is larger than 4 MB." : reason);

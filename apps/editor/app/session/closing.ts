/** How the server ended the connection to a document for good (apps/runtime/src/collab/socket.ts). */
export interface Closing {
  code: number;
  reason: string;
}

export const REMOVED = 4404;
export const TOO_LARGE = 1009;
/** The page or the document is of another layout than the server's. */
export const OTHER_LAYOUT = 4426;

/** A connection that was closed for what this tab sent would be closed again for the same. */
export const reconnects = ({ code }: { code: number }): boolean => code !== TOO_LARGE && !(code >= 4400 && code < 4500);

// How the server ends a page's connection to a document, and what the page knows by that.

/** Close codes. y-websocket connects again after any but 4400 to 4499: those last, and the page says so. */
export const CLOSE = {
  /** Nobody may send what the page sent. */
  refused: 4400,
  /** The graph was deleted, and can be restored. */
  removed: 4404,
  /** What the page sent does not go with what is there by now. */
  unfit: 4409,
  /** There is no such graph, or no longer one that can be restored. */
  gone: 4410,
  /** The page, or the document, is of another layout than this server's. */
  layout: 4426,
  /** What the page knows is of another epoch than the document, which was restored or repaired since. */
  epoch: 4427,
  /** The page connects again, and brings all that is missing in one message. */
  crowded: 1008,
  /** A message was larger than `MOST_MESSAGE_BYTES`; `ws` says so by itself. */
  tooLarge: 1009,
  broken: 1011,
  restart: 1012,
  /** The page connects again, and is let in when its time has come. */
  later: 1013,
} as const;

/** The largest message that the server reads, in bytes. */
export const MOST_MESSAGE_BYTES = 4 * 1024 * 1024;

import { initTRPC, TRPCError } from "@trpc/server";
import { Refused } from "../refused.ts";
import type { Services } from "../services/services.ts";
import { MOST, type Share } from "../shares.ts";
import { isDiskFull, isOutage } from "../store/patient.ts";

const CODES = {
  400: "BAD_REQUEST",
  401: "UNAUTHORIZED",
  403: "FORBIDDEN",
  404: "NOT_FOUND",
  409: "CONFLICT",
  413: "PAYLOAD_TOO_LARGE",
  415: "UNSUPPORTED_MEDIA_TYPE",
  422: "UNPROCESSABLE_CONTENT",
  429: "TOO_MANY_REQUESTS",
  405: "METHOD_NOT_SUPPORTED",
  503: "SERVICE_UNAVAILABLE",
} as const;

/**
 * How many calls one connection may have open, subscriptions among them. An editor has at most a handful of subscriptions, and all that
 * it asks for while a page opens is some twenty calls.
 */
const MAX_OPEN_CALLS = 100;

/** What the calls of one socket, or of one HTTP batch, have in common. */
export interface Connection {
  submitter: string;
  openCalls: number;
  /** What its principal has over all its connections. */
  share: Pick<Share, "calls">;
}

const t = initTRPC.context<Services & { connection: Connection }>().create({
  isDev: false, // without this, tRPC makes a stack trace of each refusal: milliseconds of source maps for what nobody is shown
  errorFormatter: ({ shape, error }) => ({
    ...shape,
    data: {
      ...shape.data,
      stack: undefined,
      refused: error.cause instanceof Refused ? { code: error.cause.code, ...error.cause.details } : undefined,
    },
  }),
});

/** What the services refuse becomes a 4xx with its reason; an outage a 503. */
const refusals = t.middleware(async ({ next }) => {
  const result = await next();
  if (result.ok) return result;
  const { cause } = result.error;
  if (cause instanceof Refused) throw new TRPCError({ code: CODES[cause.status], message: cause.message, cause });
  if (isOutage(cause)) throw new TRPCError({ code: "SERVICE_UNAVAILABLE", message: "The database or the bus does not answer now.", cause });
  if (isDiskFull(cause))
    throw new TRPCError({
      code: "SERVICE_UNAVAILABLE",
      message: "The server's disk is full. Free some space there, then try again.",
      cause,
    });
  return result;
});

function open(connection: Connection): void {
  if (connection.openCalls >= MAX_OPEN_CALLS)
    throw new TRPCError({
      code: "TOO_MANY_REQUESTS",
      message: `This connection has ${MAX_OPEN_CALLS} calls open, which is the limit. End one, or wait for an answer.`,
    });
  if (connection.share.calls >= MOST.calls)
    throw new TRPCError({
      code: "TOO_MANY_REQUESTS",
      message: `${MOST.calls} calls are open from here, which is the limit. Close some pages, or wait for an answer.`,
    });
  keep(connection, 1);
}

function keep(connection: Connection, calls: 1 | -1): void {
  connection.openCalls += calls;
  connection.share.calls += calls;
}

/** Events that keep a connection's place until they end. tRPC drops a call whose id is in use without ever asking for its events. */
function closing(connection: Connection, events: AsyncIterable<unknown>): AsyncIterable<unknown> {
  let isHeld = true;
  let isAsked = false;
  const giveBack = () => {
    if (isHeld) keep(connection, -1);
    isHeld = false;
  };
  setImmediate(() => isAsked || giveBack());
  return {
    [Symbol.asyncIterator]() {
      isAsked = true;
      if (!isHeld) keep(connection, 1);
      isHeld = true;
      const own = (async function* () {
        try {
          yield* events;
        } finally {
          giveBack();
        }
      })();
      const end = own.return.bind(own);
      own.return = (value) => {
        giveBack(); // the subscription may end before it has begun
        return end(value);
      };
      return own;
    },
  };
}

/** Refuses before anything is made for a call. */
const limited = t.middleware(async ({ ctx: { connection }, type, next }) => {
  open(connection);
  const result = await next();
  if (type === "subscription" && result.ok) return { ...result, data: closing(connection, result.data as AsyncIterable<unknown>) };
  keep(connection, -1);
  return result;
});

export const router = t.router;
export const procedure = t.procedure.use(limited).use(refusals);

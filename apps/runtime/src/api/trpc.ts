import { initTRPC, TRPCError } from "@trpc/server";
import { Refused } from "../refused.ts";
import type { Services } from "../services/services.ts";
import { isOutage } from "../store/patient.ts";

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
  503: "SERVICE_UNAVAILABLE",
} as const;

const t = initTRPC.context<Services & { submitter: string }>().create({
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
const told = t.middleware(async ({ next }) => {
  const result = await next();
  if (result.ok) return result;
  const { cause } = result.error;
  if (cause instanceof Refused) throw new TRPCError({ code: CODES[cause.status], message: cause.message, cause });
  if (isOutage(cause)) throw new TRPCError({ code: "SERVICE_UNAVAILABLE", message: "The database or the bus does not answer now.", cause });
  return result;
});

export const router = t.router;
export const procedure = t.procedure.use(told);

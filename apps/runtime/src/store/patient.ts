import pRetry from "p-retry";

const OUTAGE = new Set([
  "ECONNREFUSED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "ENOTFOUND",
  "57P01",
  "57P02",
  "57P03",
  "57014", // a statement timed out: the database is busy
  "08000",
  "08003",
  "08006",
  "53300",
  "40001",
  // Prisma's own codes: not reachable, timed out, closed, no connection free.
  "P1001",
  "P1002",
  "P1008",
  "P1017",
  "P2024",
  "40P01", // deadlock: two runtimes changed rows of the same runs in a different order
]);

/** Whether the database or the bus could not be reached, so that the same call may go through later. */
export function isOutage(error: unknown): boolean {
  const { message = "" } = (error ?? {}) as { message?: string };
  if (codesOf(error).some((code) => OUTAGE.has(code))) return true;
  return /Connection terminated|timeout exceeded when trying to connect|Connection is closed|Command timed out|Socket timeout|Query read timeout|Function not found|LOADING|canceling statement due to statement timeout|Stream isn't writeable/i.test(
    message,
  );
}

/** Its own code, and PostgreSQL's where Prisma wraps the error that came from there. */
function codesOf(error: unknown): string[] {
  const { code, meta } = (error ?? {}) as { code?: string; meta?: { driverAdapterError?: { cause?: { originalCode?: string } } } };
  return [code, meta?.driverAdapterError?.cause?.originalCode].filter((known) => typeof known === "string");
}

/** Whether Redis answers, and has lost what the runtime loaded into it. */
export const isFunctionMissing = (error: unknown): boolean => error instanceof Error && /Function not found/i.test(error.message);

/** Whether there was no space, on this machine's disk or on the database's. */
export function isDiskFull(error: unknown): boolean {
  const { message = "" } = (error ?? {}) as { message?: string };
  return codesOf(error).some((code) => ["ENOSPC", "EDQUOT", "53100"].includes(code)) || /No space left on device/.test(message);
}

const FOREVER = { retries: Number.POSITIVE_INFINITY, minTimeout: 50, maxTimeout: 1000, randomize: true };

/**
 * Waits out an outage. The call may have gone through although its answer was lost: use it only for changes that are
 * fenced or idempotent, and read the row again when such a change says "nothing moved".
 */
export function patient<T>(call: () => Promise<T>, closed: () => boolean = () => false): Promise<T> {
  return pRetry(call, { ...FOREVER, shouldRetry: ({ error }) => !closed() && isOutage(error) });
}

/** Repeats a call that nothing else can stand in for until it succeeds; every error but an outage is reported. @throws once `closed` */
export function persistent<T>(call: () => Promise<T>, closed: () => boolean, report: (error: unknown) => void): Promise<T> {
  return pRetry(call, {
    ...FOREVER,
    shouldRetry: () => !closed(),
    onFailedAttempt: ({ error }) => {
      if (!closed() && !isOutage(error)) report(error);
    },
  });
}

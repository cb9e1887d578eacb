import type { ErrorRequestHandler, RequestHandler } from "express";
import { Refused } from "../refused.ts";
import { isDiskFull, isOutage } from "../store/patient.ts";

/** Express 4 ignores the promise that a handler returns; this wrapper answers when it is rejected. */
export const handle =
  (handler: (...args: Parameters<RequestHandler>) => Promise<unknown>): RequestHandler =>
  (request, response, next) => {
    handler(request, response, next).catch(next);
  };

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** @param what the kind of thing that the value names; what is no UUID names none */
export function uuid(value: unknown, what: "run" | "graph" | "artifact"): string {
  if (typeof value === "string" && UUID.test(value)) return value;
  throw new Refused(404, `${what}.not_found`, `There is no such ${what}.`);
}

export const errors =
  (onError: (where: string, error: unknown) => void): ErrorRequestHandler =>
  (error, request, response, next) => {
    if (response.headersSent) return next(error);
    if (request.destroyed && !request.complete) return; // the client cut the request off: nobody reads the answer, and nothing failed here
    if (error instanceof Refused) return void response.status(error.status).json(error);
    if (typeof error?.status === "number" && error.status >= 400 && error.status < 500)
      return void response.status(error.status).json({ error: { code: "request.invalid", message: String(error.message) } });
    if (isOutage(error))
      return void response
        .status(503)
        .set("retry-after", "2")
        .json({ error: { code: "service.unavailable", message: "The database or the bus does not answer now. Try again in a moment." } });
    if (isDiskFull(error)) {
      onError(`${request.method} ${request.path}`, error);
      return void response.status(507).json({
        error: { code: "service.disk_full", message: "The server's disk is full. Free some space there, then try again." },
      });
    }
    onError(`${request.method} ${request.path}`, error);
    response.status(500).json({ error: { code: "internal", message: "The runtime failed; its log says where." } });
  };

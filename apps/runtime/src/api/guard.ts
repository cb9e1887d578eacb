// DESIGN section 9: whom this server answers. Checked for every request and before any socket opens.
import { timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Config } from "../config.ts";
import { Refused } from "../refused.ts";

const LOOPBACK = new Set(["127.0.0.1", "localhost", "[::1]", "::1"]);
const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

/** @throws Error that says what to change: other addresses need somebody who checks who is there */
export function assertBindAllowed(config: Pick<Config, "host" | "proxySecret">): void {
  if (LOOPBACK.has(config.host) || config.proxySecret.length >= 16) return;
  throw new Error(
    `Spindle has no accounts yet and refuses to listen on ${config.host}. Use HOST=127.0.0.1, or put a proxy that authenticates in front and set SPINDLE_PROXY_SECRET (16 characters or more), which it sends as X-Spindle-Proxy.`,
  );
}

export type Guard = (request: Pick<IncomingMessage, "headers" | "method">, kind: "http" | "socket") => string | undefined;

/** Returns why a request is refused, or undefined. */
export function makeGuard(config: Pick<Config, "publicHosts" | "proxySecret">): Guard {
  const allowed = new Set([...LOOPBACK, ...config.publicHosts]);
  return ({ headers, method = "GET" }, kind) => {
    const host = headers.host ?? "";
    const name = host.replace(/:\d+$/, "");
    if (!allowed.has(name)) return `The host ${JSON.stringify(name.slice(0, 80))} is not one that this server answers for.`;
    if (config.proxySecret && !equal(String(headers["x-spindle-proxy"] ?? ""), config.proxySecret))
      return "The request did not come through the proxy.";
    if (kind === "http" && SAFE.has(method)) return undefined;
    const { origin } = headers;
    if (origin === undefined) {
      // A browser always says where a state change or a socket comes from; a program says nothing, and carries no cookies.
      return headers["sec-fetch-site"] === undefined ? undefined : "The request does not say where it comes from.";
    }
    const same = origin === `http://${host}` || origin === `https://${host}`;
    return same ? undefined : "The request comes from another site.";
  };
}

/** The user whom the proxy names; without a proxy everybody is the same unnamed user. */
export function submitterOf({ headers }: Pick<IncomingMessage, "headers">, { proxySecret }: Pick<Config, "proxySecret">): string {
  return proxySecret ? String(headers["x-spindle-user"] ?? "").slice(0, 200) : "";
}

const KEY = /^[\x21-\x7e]{1,200}$/;

/**
 * By which a request that starts something starts it once, however often it is sent.
 * @throws Refused 422
 */
export function requestKeyOf({ headers }: Pick<IncomingMessage, "headers">): { key?: string } {
  const key = headers["idempotency-key"];
  if (key === undefined) return {};
  if (typeof key === "string" && KEY.test(key)) return { key };
  const message = "Idempotency-Key: 1 to 200 letters, digits or signs are needed, without a space.";
  throw new Refused(422, "request.invalid", message, { field: "Idempotency-Key" });
}

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}

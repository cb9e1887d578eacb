import { describe, expect, test } from "vitest";
import { assertBindAllowed, makeGuard } from "./guard.ts";

const guard = makeGuard({ publicHosts: ["spindle.example"], proxySecret: "" });
const ask = (method: string, headers: Record<string, string>, kind: "http" | "socket" = "http") =>
  guard({ method, headers }, kind) === undefined;

describe("the guard", () => {
  test.each<[string, boolean, string, Record<string, string>, ("http" | "socket")?]>([
    ["a page of this machine", true, "GET", { host: "127.0.0.1:3000" }],
    ["a host that is named", true, "GET", { host: "spindle.example" }],
    ["a host that rebinds", false, "GET", { host: "evil.example:3000" }],
    ["a change from the page itself", true, "POST", { host: "127.0.0.1:3000", origin: "http://127.0.0.1:3000" }],
    ["a change from another site", false, "POST", { host: "127.0.0.1:3000", origin: "https://evil.example" }],
    ["a change from a sandbox", false, "POST", { host: "127.0.0.1:3000", origin: "null" }],
    ["a change from another port", false, "POST", { host: "127.0.0.1:3000", origin: "http://127.0.0.1:4000" }],
    ["a program", true, "POST", { host: "127.0.0.1:3000" }],
    ["a browser that hides its origin", false, "POST", { host: "127.0.0.1:3000", "sec-fetch-site": "cross-site" }],
    ["a socket from another site", false, "GET", { host: "127.0.0.1:3000", origin: "https://evil.example" }, "socket"],
    ["a socket from the page itself", true, "GET", { host: "127.0.0.1:3000", origin: "http://127.0.0.1:3000" }, "socket"],
  ])("[S3] %s: %s", (_, allowed, method, headers, kind) => expect(ask(method, headers, kind)).toBe(allowed));

  test("[S1] other addresses need somebody who checks who is there", () => {
    expect(() => assertBindAllowed({ host: "0.0.0.0", proxySecret: "" })).toThrow(/SPINDLE_PROXY_SECRET/);
    expect(() => assertBindAllowed({ host: "127.0.0.1", proxySecret: "" })).not.toThrow();
    const proxied = makeGuard({ publicHosts: [], proxySecret: "0123456789abcdef" });
    expect(proxied({ method: "GET", headers: { host: "localhost" } }, "http")).toMatch(/proxy/);
    expect(proxied({ method: "GET", headers: { host: "localhost", "x-spindle-proxy": "0123456789abcdef" } }, "http")).toBeUndefined();
  });
});

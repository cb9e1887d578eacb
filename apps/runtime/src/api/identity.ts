// Who edits (DESIGN C5, docs/decisions/0032). A browser profile has a signed name in a cookie, given with the first page that it opens; a
// program has the name of whom the proxy says that it is, else of its address.
import { createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { RequestHandler } from "express";
import { type Author, authorOf } from "../collab/clients.ts";

/**
 * Two tabs of a first visit are each given a name before either brings one. So each name is a cookie of its own: neither takes the
 * other's away, and a profile is all whom it brings.
 */
const COOKIE = /^spindle-profile-([0-9a-f-]{36})$/;
const MOST_NAMES = 8;
/** Cookies of other servers on this host, or of a database that is no more. The oldest go, or the browser's header grows too large. */
const MOST_STRANGE = 8;
/** The longest that browsers keep a cookie. */
const DAYS = 400;

const cookieOf = (id: string): string => `spindle-profile-${id}`;

export class Identities {
  constructor(private readonly secret: Buffer) {}

  /**
   * @param principal whose it is where it brings no name: a program, or a browser that keeps no cookies. Anybody there can leave a cookie
   *   out, so it is a name of whoever brings one as well: who has forgotten theirs is given another, and finds what was refused in between
   */
  authorOf({ headers }: Pick<IncomingMessage, "headers">, principal: string): Author {
    const { ids } = this.read(headers.cookie);
    const [name, ...others] = [...ids.map((id) => `profile:${id}`), `from:${principal}`];
    return authorOf(name as string, ...others);
  }

  /** The cookies of an answer that is a page: one's own anew, or a first one. */
  cookiesFor({ headers }: Pick<IncomingMessage, "headers">, isSecure: boolean): string[] {
    const { ids, strange } = this.read(headers.cookie);
    const own = ids.length > 0 ? ids : [randomUUID()];
    const rules = `Path=/; HttpOnly; SameSite=Lax${isSecure ? "; Secure" : ""}`;
    return [
      ...own.map((id) => `${cookieOf(id)}=${this.sign(id)}; Max-Age=${DAYS * 24 * 60 * 60}; ${rules}`),
      ...strange.slice(0, -MOST_STRANGE).map((id) => `${cookieOf(id)}=; Max-Age=0; ${rules}`),
    ];
  }

  private read(cookies = ""): { ids: string[]; strange: string[] } {
    const ids: string[] = [];
    const strange: string[] = [];
    for (const cookie of cookies.split(";")) {
      const [name = "", value = ""] = cookie.trim().split("=");
      const id = COOKIE.exec(name)?.[1];
      if (id === undefined) continue;
      const [given, right] = [Buffer.from(value), Buffer.from(this.sign(id))];
      const isOwn = given.length === right.length && timingSafeEqual(given, right);
      (isOwn ? ids : strange).push(id);
    }
    return { ids: ids.sort().slice(0, MOST_NAMES), strange };
  }

  private sign(id: string): string {
    return createHmac("sha256", this.secret).update(`profile:${id}`).digest("base64url");
  }
}

/** Gives whoever opens a page a name. @param isProxied by which the header that says how the request came can be believed */
export const identify =
  (identities: Identities, isProxied: boolean): RequestHandler =>
  (request, response, next) => {
    const isPage = request.method === "GET" && String(request.headers.accept ?? "").includes("text/html");
    const isSecure = isProxied && request.headers["x-forwarded-proto"] === "https";
    if (isPage) response.append("set-cookie", identities.cookiesFor(request, isSecure));
    next();
  };

// Names of browser profiles: signed, lasting, and nobody else's.
import { expect, test } from "vitest";
import { Identities } from "./identity.ts";

const own = new Identities(Buffer.alloc(32, 1));
const other = new Identities(Buffer.alloc(32, 2));
const bring = (...cookies: string[]) => ({ headers: { cookie: cookies.map((cookie) => cookie.split(";")[0]).join("; ") } });
const first = (identities = own) => identities.cookiesFor({ headers: {} }, false)[0] as string;
const LOCAL = "127.0.0.1";

test("[C5] a browser profile is given a name that no script reads, and keeps it", () => {
  const cookie = first();
  expect(cookie).toMatch(/^spindle-profile-[0-9a-f-]{36}=[\w-]{43}; Max-Age=34560000; Path=\/; HttpOnly; SameSite=Lax$/);
  expect(own.cookiesFor(bring(cookie), false)).toEqual([cookie]);
  expect(own.cookiesFor(bring(cookie), true)).toEqual([`${cookie}; Secure`]);
  const author = own.authorOf(bring("theme=dark", cookie), LOCAL);
  expect(author.name).toBe(`profile:${cookie.slice("spindle-profile-".length).split("=")[0]}`);
});

test("[C5] two tabs of a first visit are one author, whichever name the browser brings first", () => {
  const [a, b] = [first(), first()];
  const [both, reversed] = [own.authorOf(bring(a, b), LOCAL), own.authorOf(bring(b, a), LOCAL)];
  expect([both.name, [...both.names].sort()]).toEqual([reversed.name, [...reversed.names].sort()]);
  for (const cookie of [a, b]) expect(both.names).toContain(own.authorOf(bring(cookie), LOCAL).name);
});

test.each<[string, (cookie: string) => string]>([
  ["another server's", () => first(other)],
  ["changed", (cookie) => cookie.replace(/profile-./, "profile-g").replace("profile-g", "profile-0")],
  ["without its signature", (cookie) => `${cookie.split("=")[0]}=`],
  ["no name of ours", () => "spindle-profile-x=y"],
])("[C5] a name that is %s is none: its sender is known by where the request comes from", (_, make) => {
  const cookie = make("spindle-profile-1bc00000-0000-4000-8000-000000000000=abc");
  expect(own.authorOf(bring(cookie), LOCAL).name).toBe(`from:${LOCAL}`);
});

test("cookies of other servers stay, but for more than a browser should bring", () => {
  const strange = Array.from({ length: 10 }, () => first(other));
  const [cookie, ...gone] = own.cookiesFor(bring(...strange), false);
  expect(own.authorOf(bring(cookie as string), LOCAL).name).toMatch(/^profile:/);
  expect(gone).toEqual(strange.slice(0, 2).map((one) => `${one.split("=")[0]}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax`));
});

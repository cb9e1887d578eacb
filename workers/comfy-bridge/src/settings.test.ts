import { describe, expect, test } from "vitest";
import { readSettings } from "./settings.ts";

const env = {
  NODE_ENV: "test" as const,
  REDIS_URL: "redis://r",
  SPINDLE_RUNTIME_URL: "http://r/",
  SPINDLE_WORKER_KEY: "k",
  COMFY_URL: "http://a:8188/, http://b",
};

describe("the environment", () => {
  test("names servers by host and port, each once", () => {
    expect(readSettings({ ...env, COMFY_URL: `${env.COMFY_URL},http://a:8188` }).servers).toEqual([
      { id: "a-8188", url: "http://a:8188" },
      { id: "b-80", url: "http://b" },
    ]);
    expect(readSettings({ ...env, COMFY_URL: "HTTP://A:80/,http://a" }).servers).toEqual([{ id: "a-80", url: "http://a" }]);
  });

  test("keeps apart hosts whose names begin alike, with ids that a library may have", () => {
    const host = (end: string) => `http://${"a".repeat(63)}.${end.repeat(20)}:8188`;
    const ids = readSettings({ ...env, COMFY_URL: `${host("b")},${host("c")}` }).servers.map(({ id }) => id);
    expect(new Set(ids).size).toBe(2);
    for (const id of ids) expect(id).toMatch(/^a{55}-[0-9a-f]{8}$/);
  });

  test("has a login of each server apart from its address", () => {
    const given = "http://joe:p%40ss%C3%A9@a:8188/, https://only@b/comfy, http://c";
    const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;
    expect(readSettings({ ...env, COMFY_URL: given }).servers).toEqual([
      { id: "a-8188", url: "http://a:8188", authorization: basic("joe:p@ssé") },
      { id: "b-443", url: "https://b/comfy", authorization: basic("only:") },
      { id: "c-80", url: "http://c" },
    ]);
  });

  test.each([
    ["joe:s3cret@a:8188", /its part 1 is not a URL/],
    ["http://a,http://joe:s3cret@ho st", /its part 2 is not a URL/],
    ["http://joe:s3,cret@a", /its part 1 is not a URL.*%2C/],
    ["http://joe:s3cret%@a", /the login of a is not written as in a URL.*%25/],
    ["http://joe:s3cret@a:1/x,http://a:1/y", /http:\/\/a:1\/x and http:\/\/a:1\/y are one host and port/],
    ["http://joe:s3cret@a,http://a", /a-80 has two logins/],
    ["http://joe:12/s3cret@a:8188", /its part 1 has @ behind its host.*%2F/],
    ["http://joe:12#s3cret@a:8188", /its part 1 has @ behind its host.*%23/],
    ["http://joe:12?s3cret@a:8188", /its part 1 has @ behind its host.*%3F/],
    ["http://a:8188/?token=s3cret", /its part 1 has a part behind \? or #/],
    ["http://a:8188/#s3cret", /its part 1 has a part behind \? or #/],
  ])("with a login in COMFY_URL=%j that cannot be read is refused without it", (value, message) => {
    const read = () => readSettings({ ...env, COMFY_URL: value });
    expect(read).toThrow(message);
    expect(read).not.toThrow(/s3/);
  });

  test.each([
    ["REDIS_URL", "", "REDIS_URL is not set."],
    ["COMFY_URL", " , ", "COMFY_URL names no server."],
    ["COMFY_URL", "a:8188", '"a:8188" is not a URL'],
    ["COMFY_URL", "http://a:1/x,http://a:1/y", "http://a:1/x and http://a:1/y are one host and port"],
    ["SPINDLE_COMFY_LIBRARY_MS", "abc", 'SPINDLE_COMFY_LIBRARY_MS: "abc" is no number of milliseconds above 0.'],
    ["SPINDLE_COMFY_LIBRARY_MS", "", "SPINDLE_COMFY_LIBRARY_MS"],
    ["SPINDLE_COMFY_LIBRARY_MS", "0", "SPINDLE_COMFY_LIBRARY_MS"],
    ["SPINDLE_COMFY_LIBRARY_MS", "1e12", "SPINDLE_COMFY_LIBRARY_MS"],
  ])("with %s=%j is refused by name", (name, value, message) => {
    expect(() => readSettings({ ...env, [name]: value })).toThrow(message);
  });
});

// What `spindle run`, and `npm run demo` with it, wait for where a server runs already.
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import { findServer } from "./server.ts";

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

/** Finds a server that says of its Python plane what `said` gives, one answer after another. Returns the answers that it gave. */
async function foundWith(said: (asked: number) => string, interrupt = new AbortController().signal): Promise<string[]> {
  const given: string[] = [];
  const server = createServer((_, response) => {
    given.push(said(given.length));
    response.end(JSON.stringify({ status: "up", parts: { postgres: "up", python: given.at(-1) } }));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  vi.stubEnv("SPINDLE_URL", url);
  try {
    expect((await findServer(interrupt)).url).toBe(url);
    return given;
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

test("[L3] a server that has just been started gets a run when its planes have reported, and not before", async () => {
  const given = await foundWith((asked) => (asked < 4 ? "starting" : "up"));
  expect(given).toEqual(["starting", "starting", "starting", "starting", "up"]);
});

test("[L3] a plane that does not report for 15 s is named, and the run is sent", async () => {
  const written = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const now = Date.now();
  const given = await foundWith((asked) => {
    if (asked === 2) vi.spyOn(Date, "now").mockReturnValue(now + 3_600_000);
    return "starting";
  });
  expect(given).toHaveLength(3);
  expect(written.mock.calls.join("")).toBe("spindle: no worker of the python plane has reported yet\n");
});

test("a plane that is down is waited for by nobody, and neither is one that starts by a person who gives up", async () => {
  expect(await foundWith(() => "down: no worker has reported")).toHaveLength(2);
  const interrupt = new AbortController();
  const given = await foundWith((asked) => {
    if (asked === 2) interrupt.abort();
    return "starting";
  }, interrupt.signal);
  expect(given).toHaveLength(3);
});

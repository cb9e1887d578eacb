import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ComfyHttp } from "./http.ts";
import { ExchangeListener, sharedSilence } from "./silence.ts";

describe("who listens", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());
  const heard = () => {
    const said: boolean[] = [];
    return { said, onSilence: (isSilent: boolean) => void said.push(isSilent) };
  };

  test("says a silence once it has lasted, and its end; of a wait that is short nothing", () => {
    const { said, onSilence } = heard();
    const listener = new ExchangeListener(onSilence);
    listener.wait();
    vi.advanceTimersByTime(4900);
    listener.rest();
    vi.advanceTimersByTime(60_000);
    expect(said).toEqual([]);
    listener.wait();
    vi.advanceTimersByTime(60_000);
    expect(said).toEqual([true]);
    listener.rest();
    listener.rest();
    expect(said).toEqual([true, false]);
  });
  test("to several things says that all is well once none of them is silent", () => {
    const { said, onSilence } = heard();
    const share = sharedSilence(onSilence);
    const [first, second] = [share(), share()];
    first(true);
    second(true);
    second(true);
    first(false);
    expect(said).toEqual([true]);
    second(false);
    first(false);
    expect(said).toEqual([true, false]);
  });
});

test("a server that falls silent within an upload or a file is said to be, and that it is back; a slow reader is not its silence", async () => {
  const silent = new Map<string, () => void>();
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    if (request.method === "POST") {
      request.resume();
      silent.set("upload", () => void response.end('{"name": "a.txt", "subfolder": ""}'));
      return;
    }
    response.writeHead(200, { "content-type": "text/plain", "content-length": 2 }).write("x");
    silent.set("view", () => void response.end("y"));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const comfy = new ComfyHttp(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const listened = (what: string, said: boolean[]) => (isSilent: boolean) => {
    said.push(isSilent);
    if (isSilent) silent.get(what)?.();
  };
  async function* pieces() {
    yield Buffer.from("x");
  }
  const [up, down]: [boolean[], boolean[]] = [[], []];
  const uploading = comfy.upload(pieces(), 1, "a.txt", "", listened("upload", up));
  const viewing = comfy.view({ filename: "a", subfolder: "", type: "output" }, undefined, listened("view", down)).then(async (viewed) => {
    let text = "";
    for await (const piece of viewed.pieces) text += Buffer.from(piece).toString();
    return text;
  });
  expect(await Promise.all([uploading, viewing])).toEqual(["a.txt", "xy"]);
  expect([up, down]).toEqual([
    [true, false],
    [true, false],
  ]);
  server.closeAllConnections();
  server.close();
});

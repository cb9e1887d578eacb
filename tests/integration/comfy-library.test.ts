// The library as a page loads it, from a whole Spindle beside the fake ComfyUI.
import { type LibraryCore, type LibraryIndex, makeLibrary, pageLibrary } from "@spindle/node-library";
import type { Capability, CombinedManifest } from "@spindle/schemas";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { type ComfySpindle, startComfySpindle } from "../support/comfy.ts";
import { createGraph, storedGraph, until } from "../support/spindle.ts";

interface Head {
  core: string;
  index?: string;
  definitions?: string;
}

let spindle: ComfySpindle;
let socket: WebSocket;
const heads: Head[] = [];

beforeAll(async () => {
  spindle = await startComfySpindle({ env: { SPINDLE_COMFY_LIBRARY_MS: "500" } });
  socket = new WebSocket(`${spindle.url.replace("http", "ws")}/trpc`);
  socket.on("message", (data) => {
    const { result } = JSON.parse(String(data)) as { result?: { type: string; data: Head } };
    if (result?.type === "data") heads.push(result.data);
  });
  socket.once("open", () =>
    socket.send(JSON.stringify({ id: 1, jsonrpc: "2.0", method: "subscription", params: { path: "library.watch" } })),
  );
  await until(async () => heads.at(-1)?.index, 10_000, "the page is told where the library is");
});
afterAll(async () => {
  socket?.terminate();
  await spindle?.stop();
});

const head = () => heads.at(-1) as Head;
const get = (address: string, encodings = "br") =>
  fetch(`${spindle.url}/api/library/${address}`, { headers: { "accept-encoding": encodings } });
const load = async () => {
  const [core, index] = await Promise.all([head().core, head().index].map(async (hash) => (await get(hash ?? "")).json()));
  return pageLibrary(core as LibraryCore, index as LibraryIndex);
};

describe("[M3] a page's library", () => {
  test("is that of the plain call", async () => {
    const whole = makeLibrary(((await (await fetch(`${spindle.url}/api/capabilities`)).json()) as CombinedManifest).capabilities);
    const listed = (library: typeof whole) =>
      library.all().map(({ service, live, engines }) => [service, live, engines.map(({ id }) => id)]);
    expect(listed((await load())([]))).toEqual(listed(whole));
  });
  test("has addresses that a browser keeps, each sent in the encoding that it takes", async () => {
    for (const [encodings, sent] of [
      ["br, gzip", "br"],
      ["gzip", "gzip"],
      ["identity", null],
    ] as const) {
      const answer = await get(head().index ?? "", encodings);
      expect([answer.status, answer.headers.get("content-encoding")]).toEqual([200, sent]);
      expect(answer.headers.get("cache-control")).toBe("private, max-age=31536000, immutable");
      expect(answer.headers.get("vary")).toBe("accept-encoding");
      expect(((await answer.json()) as LibraryIndex).ids).toContain("KSampler");
    }
  });
  test("gets the definitions that it asks for, and no others", async () => {
    const answer = await get(`${head().definitions}/definitions?of=KSampler&of=NoSuchClass`);
    const found = (await answer.json()) as Capability[];
    expect(found.map(({ id }) => id)).toEqual(["KSampler"]);
    expect(found[0]).not.toHaveProperty("engines");
    expect(
      (await load())(found)
        .find("comfy", "KSampler")
        ?.inputs.find(({ name }) => name === "steps")?.schema,
    ).toMatchObject({
      maximum: 10000,
    });
  });
  test.each([
    ["what is no address of it", () => "0".repeat(64), 404, "library.not_found"],
    ["definitions of a library that is gone", () => `${"0".repeat(64)}/definitions?of=KSampler`, 404, "library.not_found"],
    ["definitions of no class", () => `${head().definitions}/definitions`, 422, "request.invalid"],
    [
      "definitions of too many classes",
      () => `${head().definitions}/definitions?${Array.from({ length: 65 }, (_, at) => `of=c${at}`).join("&")}`,
      422,
      "request.invalid",
    ],
  ])("refuses %s", async (_, address, status, code) => {
    const answer = await get(address());
    expect([answer.status, ((await answer.json()) as { error: { code: string } }).error.code]).toEqual([status, code]);
  });
  test("a class that no server has comes with the packs that ComfyUI-Manager knows for it", async () => {
    const mappings = {
      "https://github.com/somebody/ComfyUI-Odd": [["OddNode", "Both"], { title_aux: "Odd" }],
      "https://github.com/other/Both.git": [["Both"], {}],
      broken: "x",
    };
    spindle.fake.answers = new Map([["GET /customnode/getmappings", { response: mappings }]]);
    spindle.fake.offer({ "1": { class_type: "WithManager", inputs: {} } });
    const prompt = Object.fromEntries(["OddNode", "Both", "Nobodys"].map((type) => [type, { class_type: type, inputs: {} }]));
    const packs = await until(
      async () => {
        const id = await createGraph(spindle.url, prompt);
        return (await storedGraph<{ metadata: { editor: { packs?: object } } }>(spindle.url, id)).metadata.editor.packs;
      },
      30_000,
      "an import knows the packs",
    );
    expect(packs).toEqual({ OddNode: "somebody/ComfyUI-Odd", Both: "somebody/ComfyUI-Odd or other/Both" });
  });
  test("is told of a class that is new, and of nothing else than what changed", async () => {
    const before = head();
    spindle.fake.offer({ 1: { class_type: "BrandNew", inputs: { image: ["2", 0] } } } as never);
    await until(async () => head().definitions !== before.definitions, 20_000, "the library has changed");
    expect(head().index).not.toBe(before.index);
    expect((await load())([]).find("comfy", "BrandNew")).toMatchObject({ live: true });
    const withServer = head();
    await spindle.fake.stop();
    await until(async () => head().core !== withServer.core, 90_000, "the server is away");
    expect([head().index, head().definitions === undefined]).toEqual([withServer.index, false]);
  });
});

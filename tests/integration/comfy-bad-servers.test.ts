// ComfyUI servers that are no use, beside one that is: what is said of each, and that nobody else is harmed.
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { CombinedManifest } from "@spindle/schemas";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FakeComfy } from "../../workers/comfy-bridge/test/fake/fake-comfy.ts";
import { type ComfySpindle, comfy, pictureGraph } from "../support/comfy.ts";
import { ended, getRun, graphOf, startSpindle, submit, until, wire } from "../support/spindle.ts";

let bad: Server;
let answer: (response: ServerResponse) => void = (response) => void response.writeHead(500).end();
let spindle: ComfySpindle;
beforeAll(async () => {
  bad = createServer((_, response) => answer(response));
  await new Promise<void>((resolve) => bad.listen(0, "127.0.0.1", resolve));
  spindle = await startBeside();
});
afterAll(async () => {
  await spindle?.stop();
  bad?.closeAllConnections();
  bad?.close();
});

const badHost = () => `127.0.0.1:${(bad.address() as AddressInfo).port}`;

/** A Spindle beside a good and a bad server. */
async function startBeside(): Promise<ComfySpindle> {
  const fake = await FakeComfy.start();
  const both = await startSpindle({
    worker: false,
    env: { COMFY_URL: `${fake.url}, http://${badHost()}`, SPINDLE_COMFY_LIBRARY_MS: "500" },
  });
  await until(async () => (await manifest(both.url)).capabilities.some(({ plane }) => plane === "comfy"), 60_000, "the nodes are there");
  const stop = async () => {
    await both.stop();
    await fake.stop();
  };
  return { ...both, fake, stop };
}

const manifest = async (url = spindle.url) => (await (await fetch(`${url}/api/capabilities`)).json()) as CombinedManifest;
const piece = Buffer.alloc(1024 * 1024, 0x20);

function endless(response: ServerResponse): void {
  if (response.destroyed) return;
  if (response.write(piece)) setImmediate(() => endless(response));
  else response.once("drain", () => endless(response));
}

describe("a server beside a good one", () => {
  test.each<[string, (response: ServerResponse) => void, RegExp]>([
    ["needs a login", (response) => void response.writeHead(401).end(), /needs a login \(401\)/],
    ["takes requests of one origin alone", (response) => void response.writeHead(403).end(), /takes requests of one origin alone/],
    ["answers without end", endless, /answers \/object_info with more than 64 MiB/],
    ["is something else", (response) => void response.end("<html>Welcome</html>"), /is no ComfyUI: \/object_info is no JSON object/],
    ["is broken", (response) => void response.writeHead(502).end("x".repeat(5_000_000)), /answers 502/],
  ])("that %s is told of, and the good one goes on", async (_, act, words) => {
    answer = act;
    const reason = await until(
      async () => {
        const said = (await manifest()).sources.comfy?.reason;
        return said !== undefined && words.test(said) ? said : undefined;
      },
      60_000,
      `the reason is told: ${words}`,
    );
    expect(reason).toContain(badHost());
    const { status, body } = await submit(
      spindle.url,
      graphOf(
        [comfy("a", "EmptyImage", { width: 8, color: Math.floor(words.source.length) }), comfy("b", "SaveImage")],
        [wire("a", "IMAGE", "b", "images")],
      ),
    );
    expect(status, JSON.stringify(body)).toBe(202);
    expect((await ended(spindle.url, body.run)).error).toBeNull();
  });
});

describe("a server whose classes change in the middle of a run", () => {
  test("ends what it was sent; what is started then is refused at the node, and other runs go on", async () => {
    const graph = pictureGraph(60, { nodes: [comfy("save", "SaveImage")], wires: [wire("decode", "IMAGE", "save", "images")], places: {} });
    const { fake } = spindle;
    const before = fake.objectInfo;
    const { body } = await submit(spindle.url, graph);
    await until(
      async () => (await getRun(spindle.url, body.run)).live.some(({ node }) => node === "sample"),
      60_000,
      "the sampler samples",
    );
    try {
      const { VAEDecode: _, ...others } = JSON.parse(before) as Record<string, unknown>;
      fake.objectInfo = JSON.stringify(others);
      await until(
        async () => !(await manifest()).capabilities.some(({ id, plane }) => plane === "comfy" && id === "VAEDecode"),
        60_000,
        "the class is gone",
      );
      const view = await ended(spindle.url, body.run);
      expect(view.error).toBeNull();
      const refused = await submit(spindle.url, graph);
      expect(refused.status).toBe(422);
      expect(refused.body.error?.issues).toContainEqual(
        expect.objectContaining({ code: "node.unknown_capability", place: expect.objectContaining({ node: "decode" }) }),
      );
      const other = await submit(
        spindle.url,
        graphOf([comfy("a", "EmptyImage", { width: 24 }), comfy("b", "SaveImage")], [wire("a", "IMAGE", "b", "images")]),
      );
      expect((await ended(spindle.url, other.body.run)).error).toBeNull();
    } finally {
      fake.objectInfo = before;
    }
  });

  test("fails the node with ComfyUI's words where it refuses what was accepted before", async () => {
    const { fake } = spindle;
    await until(
      async () => (await manifest()).capabilities.some(({ id, plane }) => plane === "comfy" && id === "VAEDecode"),
      60_000,
      "the class is back",
    );
    fake.faults = {
      refuse: {
        status: 400,
        body: {
          error: { type: "missing_node_type", message: "Node 'SaveImage' not found.", details: "Node ID '#b'", extra_info: {} },
          node_errors: {},
        },
      },
    };
    try {
      const { body } = await submit(
        spindle.url,
        graphOf([comfy("a", "EmptyImage", { width: 40 }), comfy("b", "SaveImage")], [wire("a", "IMAGE", "b", "images")]),
      );
      const view = await ended(spindle.url, body.run);
      expect(JSON.stringify(view.error)).toContain("not found");
    } finally {
      fake.faults = {};
    }
  });
});

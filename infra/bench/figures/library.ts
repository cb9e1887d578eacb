// The library of ComfyUI servers with very many classes: what reading it costs, and what a page loads of it.
import { gzipSync } from "node:zlib";
import { searchOf } from "@spindle/node-library";
import type { Capability, CombinedManifest } from "@spindle/schemas";
import { chromium } from "playwright-core";
import { isRoot } from "../../launch/paths.ts";
import { knownLibrary, objectInfo, withBridge } from "../comfy-library.ts";
import { type Bench, type Figure, type Measure, median, ratio, timed } from "../figure.ts";
import { manyClasses } from "../many-classes.ts";

const FRAME_MS = 1000 / 60;
const CLASSES = 12_000;

export const libraries: Measure = async (bench) => [reading(), await opening(bench)];

const USED = ["CheckpointLoaderSimple", "CLIPTextEncode", "EmptyLatentImage", "KSampler", "VAEDecode", "SaveImage"];

/** All that a page loads of the library when it opens a graph, beside the index alone, written plainly and compressed. */
async function opening(bench: Bench): Promise<Figure> {
  const recorded = JSON.parse(objectInfo()) as Record<string, object>;
  const info = { ...recorded, ...manyClasses(recorded, CLASSES - Object.keys(recorded).length) };
  return withBridge(
    bench,
    Object.keys(info).at(-1) as string,
    async () => {
      const { capabilities } = (await (await fetch(`${bench.url}/api/capabilities`)).json()) as CombinedManifest;
      const anchor = gzipSync(JSON.stringify(capabilities.filter(({ plane }) => plane === "comfy").map(entry)), { level: 9 }).length;
      const loaded = await bytesOfOpening(bench);
      return ratio({
        id: "comfy.open",
        ours: loaded,
        anchor: "gzip of their index: id, title, category, types of ports, words to search for",
        anchorValue: anchor,
        unit: "bytes",
        goal: "<= 1.2, under 1 MB",
        ...(loaded > 1_000_000 ? { failed: `${loaded} bytes` } : {}),
      });
    },
    JSON.stringify(info),
  );
}

function entry({ id, label: title, category, io, keywords, description }: Capability): object {
  const types = ({ properties = {} }: { properties?: object }) =>
    Object.values(properties as Record<string, Record<string, unknown>>).map(
      (port) => port["x-artifact"] ?? port["x-comfy-type"] ?? port.type,
    );
  return { id, title, category, inputs: types(io.input), outputs: types(io.output), keywords, description };
}

async function bytesOfOpening(bench: Bench): Promise<number> {
  const node = (service: string) => ({ id: service, service, plane: "comfy", status: "pending" });
  const graph = { schema: "langgraph.v1", workflowId: "many", nodes: USED.map(node), edges: [] };
  const { id } = (await (await fetch(`${bench.url}/api/graphs`, { method: "POST", body: JSON.stringify(graph) })).json()) as { id: string };
  const executablePath = process.env.SPINDLE_CHROMIUM ?? "/usr/bin/chromium";
  const browser = await chromium.launch({ executablePath, headless: true, args: isRoot ? ["--no-sandbox"] : [] });
  try {
    const page = await browser.newPage();
    const network = await page.context().newCDPSession(page);
    await network.send("Network.enable");
    const asked = new Set<string>();
    let bytes = 0;
    network.on("Network.requestWillBeSent", ({ requestId, request }) => {
      if (new URL(request.url).pathname.startsWith("/api/library/")) asked.add(requestId);
    });
    network.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
      if (asked.has(requestId)) bytes += encodedDataLength;
    });
    // What comes by the socket counts in full.
    network.on("Network.webSocketFrameReceived", ({ response }) => {
      if (response.payloadData.includes('"definitions"')) bytes += response.payloadData.length;
    });
    await page.goto(`${bench.url}/g/${id}`);
    await page
      .locator(".react-flow__node")
      .nth(USED.length - 1)
      .waitFor();
    await page.getByRole("tab", { name: /Problems/ }).waitFor();
    await page.waitForTimeout(2000);
    return bytes;
  } finally {
    await browser.close();
  }
}

function reading(): Figure {
  const info = JSON.parse(objectInfo()) as Record<string, object>;
  const many = Object.fromEntries(
    Array.from({ length: 8 }, (_, copy) => Object.entries(info).map(([name, one]) => [`${name}${copy || ""}`, one] as const))
      .flat()
      .slice(0, 3000),
  );
  const text = JSON.stringify(many);
  const [ours, anchor]: [number[], number[]] = [[], []];
  for (let round = 0; round < 15; round++) {
    ours.push(timed(() => knownLibrary(text)));
    anchor.push(timed(() => JSON.parse(text)));
  }
  const search = searchOf(knownLibrary(text));
  const slowest = Math.max(
    ...["ksampler", "load image", "vae", "upsc"].map((words) => median(Array.from({ length: 9 }, () => timed(() => search(words))))),
  );
  return ratio({
    id: "comfy.library",
    ours: median(ours.slice(3)),
    anchor: "JSON.parse of the document of 3,000 node types",
    anchorValue: median(anchor.slice(3)),
    unit: "ms",
    goal: "<= 4, search under a frame",
    ...(slowest > FRAME_MS ? { failed: `a search takes ${slowest.toFixed(1)} ms` } : {}),
  });
}

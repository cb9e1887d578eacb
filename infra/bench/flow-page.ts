// A page with a canvas in it, the editor's or the bare one, and what is done to both alike.
import { createServer, type Server } from "node:http";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { type CDPSession, type Browser as Chromium, chromium, type Page } from "playwright-core";
import { findChromium } from "../launch/chromium.ts";
import { isRoot } from "../launch/paths.ts";

/** Nodes lie in a grid; BARE_CARD is how large the editor takes a card to be before it is measured. */
export const BARE_CARD = { width: 304, height: 260 };
const PITCH = { x: 400, y: 420 };
const COLUMNS = 25;
export const gridPlace = (index: number) => ({ x: PITCH.x * (index % COLUMNS), y: PITCH.y * Math.floor(index / COLUMNS) });

/** How far a wheel zooms: React Flow's 2 to the power of `deltaY` times this. */
const ZOOM_PER_DELTA = -0.002;
const STEPS = 90;

/** Kept in every page: when each frame began, and when the last large message of a socket came. */
const instruments = () => {
  const seen = { frames: [] as number[], lastBytes: 0 };
  Object.assign(window, { seen });
  const beat = () => {
    seen.frames.push(performance.now());
    requestAnimationFrame(beat);
  };
  requestAnimationFrame(beat);
  const Socket = window.WebSocket;
  window.WebSocket = class extends Socket {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      this.addEventListener("message", ({ data }) => {
        if ((data.byteLength ?? data.size ?? 0) > 10_000) seen.lastBytes = performance.now();
      });
    }
  };
};
interface Instrumented {
  seen: { frames: number[]; lastBytes: number };
}

/** Milliseconds from `since` until the cards are drawn and the page's thread is free for a click: a task is answered within a frame or two. */
const untilClickable = (since: number | "lastBytes") =>
  new Promise<number>((resolve) => {
    const { seen } = window as unknown as Instrumented;
    const step = () => {
      const asked = performance.now();
      requestAnimationFrame(() =>
        setTimeout(() => {
          const now = performance.now();
          const isDrawn = document.querySelector(".react-flow__node")?.checkVisibility({ visibilityProperty: true }) === true;
          if (isDrawn && now - asked < 40) resolve(asked - (since === "lastBytes" ? seen.lastBytes : since));
          else step();
        }),
      );
    };
    step();
  });

export interface Acted {
  framesPerSecond: number;
  longestMs: number;
  msPerFrame: number;
}

export class FlowPage {
  private constructor(
    readonly page: Page,
    private readonly devtools: CDPSession,
  ) {}

  static async open(browser: Chromium): Promise<FlowPage> {
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    // A compiler may name inner functions by a helper that the page lacks.
    await page.addInitScript("globalThis.__name = (it) => it");
    await page.addInitScript(instruments);
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("Performance.enable");
    return new FlowPage(page, devtools);
  }

  close(): Promise<void> {
    return this.page.close();
  }

  async openEditor(url: string, graph: string): Promise<number> {
    await this.page.goto(`${url}/g/${graph}`, { waitUntil: "commit" });
    await this.page.waitForFunction(() => (window as unknown as Instrumented).seen.lastBytes > 0, undefined, { timeout: 120_000 });
    return this.page.evaluate(untilClickable, "lastBytes" as const);
  }

  /** @param given what bare-flow.tsx takes */
  async openBare(url: string, given: object): Promise<number> {
    await this.page.goto(url);
    const since = await this.page.evaluate((text) => {
      const now = performance.now();
      (window as unknown as { open(text: string): void }).open(text);
      return now;
    }, JSON.stringify(given));
    return this.page.evaluate(untilClickable, since);
  }

  /** Milliseconds for which the page's thread was busy since it was opened. */
  async busyMs(): Promise<number> {
    const { metrics } = await this.devtools.send("Performance.getMetrics");
    return 1000 * (metrics.find(({ name }) => name === "TaskDuration")?.value ?? 0);
  }

  private async acted(act: () => Promise<void>): Promise<Acted> {
    await this.settled();
    const busy = await this.busyMs();
    const since = await this.page.evaluate(() => performance.now());
    await act();
    const frames = await this.page.evaluate(
      (from) => [from, ...(window as unknown as Instrumented).seen.frames.filter((at) => at > from), performance.now()],
      since,
    );
    const gaps = frames.slice(1).map((at, index) => at - (frames[index] as number));
    const seconds = ((frames.at(-1) as number) - since) / 1000;
    const count = Math.max(1, frames.length - 2);
    return { framesPerSecond: count / seconds, longestMs: Math.max(...gaps), msPerFrame: ((await this.busyMs()) - busy) / count };
  }

  /** Until a second's frames came when they should. */
  async settled(): Promise<void> {
    await this.page.waitForFunction(
      () => {
        const { frames } = (window as unknown as Instrumented).seen;
        const last = frames.slice(-20);
        return last.length === 20 && (last.at(-1) as number) - (last[0] as number) < 600;
      },
      undefined,
      { timeout: 60_000 },
    );
  }

  /** The scale of the view, and where the origin of the nodes is in the window. */
  private async view(): Promise<{ x: number; y: number; scale: number }> {
    return this.page.evaluate(() => {
      const { a, e, f } = new DOMMatrix(getComputedStyle(document.querySelector(".react-flow__viewport") as Element).transform);
      const { x, y } = (document.querySelector(".react-flow") as Element).getBoundingClientRect();
      return { x: x + e, y: y + f, scale: a };
    });
  }

  private async middle(): Promise<{ x: number; y: number }> {
    const box = await this.page.locator(".react-flow").boundingBox();
    if (!box) throw new Error("There is no canvas.");
    return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
  }

  /** @param into a point of a node's cell, in the units of the nodes */
  private async nearMiddle(into: { x: number; y: number }): Promise<{ x: number; y: number }> {
    const [{ x, y, scale }, middle] = [await this.view(), await this.middle()];
    const cell = { x: Math.floor((middle.x - x) / scale / PITCH.x), y: Math.floor((middle.y - y) / scale / PITCH.y) };
    return { x: x + scale * (cell.x * PITCH.x + into.x), y: y + scale * (cell.y * PITCH.y + into.y) };
  }

  async zoomTo(scale: number, steps = 1): Promise<void> {
    const { x, y } = await this.middle();
    await this.page.mouse.move(x, y);
    const delta = Math.log2(scale / (await this.view()).scale) / ZOOM_PER_DELTA;
    for (let step = 0; step < steps; step++) await this.page.mouse.wheel(0, delta / steps);
    await this.settled();
  }

  drag(): Promise<Acted> {
    return this.hold({ x: 40, y: 20 });
  }

  pan(): Promise<Acted> {
    return this.hold({ x: BARE_CARD.width + 48, y: 375 });
  }

  zoom(): Promise<Acted> {
    return this.acted(async () => {
      await this.zoomTo(0.12, STEPS / 2);
      await this.zoomTo(0.7, STEPS / 2);
    });
  }

  /** Holds what lies at a point and moves it in a ring. */
  private async hold(into: { x: number; y: number }): Promise<Acted> {
    const { x, y } = await this.nearMiddle(into);
    await this.page.mouse.move(x, y);
    await this.page.mouse.down();
    const moved = await this.acted(async () => {
      for (let step = 1; step <= STEPS; step++) {
        const turn = (2 * Math.PI * step) / STEPS;
        await this.page.mouse.move(x + 120 * Math.sin(turn), y + 120 * (1 - Math.cos(turn)));
      }
    });
    await this.page.mouse.up();
    await this.settled();
    return moved;
  }
}

export async function startChromium(): Promise<Chromium> {
  const executablePath = process.env.SPINDLE_CHROMIUM ?? (await findChromium());
  return chromium.launch({ ...(executablePath ? { executablePath } : {}), headless: true, args: isRoot ? ["--no-sandbox"] : [] });
}

/** Serves the bare page. */
export async function serveBare(): Promise<{ url: string; close(): void }> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("../../apps/editor/bench/bare-flow.tsx", import.meta.url))],
    bundle: true,
    minify: true,
    write: false,
    outdir: "out",
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const [script, style] = [".js", ".css"].map((end) => outputFiles.find(({ path }) => path.endsWith(end))?.text ?? "");
  const html = `<!doctype html><meta charset="utf-8"><style>${style}</style><div id="root"></div><script src="/page.js"></script>`;
  const server: Server = createServer((request, response) => {
    const isScript = request.url === "/page.js";
    response.writeHead(200, { "content-type": isScript ? "text/javascript" : "text/html" }).end(isScript ? script : html);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${(server.address() as { port: number }).port}`, close: () => server.close() };
}

/** Kilobytes of the scripts of a page, each by gzip; those of the code editor apart. */
export async function scriptKilobytes(page: Page, url: string): Promise<number> {
  const read: Promise<Buffer>[] = [];
  page.on("response", (response) => {
    if (/\.js(\?|$)/.test(response.url()) && !/monaco|worker/i.test(response.url())) read.push(response.body());
  });
  await page.goto(url);
  await page.getByText("All changes saved").waitFor();
  await page.waitForLoadState("networkidle");
  const scripts = await Promise.all(read);
  return scripts.reduce((sum, body) => sum + gzipSync(body).length, 0) / 1000;
}

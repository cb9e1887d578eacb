import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Locator, type Page } from "playwright-core";
import { isRoot, ROOT } from "../../infra/launch/paths.ts";
import { until } from "./spindle.ts";

const QUIET = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

export interface Browser {
  context: BrowserContext;
  /** What a page wrote to its console as an error, or threw. */
  complaints: string[];
  page(): Promise<Page>;
  close(): Promise<void>;
}

/** Each is a person of their own: another profile. `phone` has a touch screen. */
export async function openBrowser(width = 1440, { phone = false } = {}): Promise<Browser> {
  const profile = await mkdtemp(join(tmpdir(), "spindle-browser-"));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.SPINDLE_CHROMIUM as string,
    headless: true,
    args: isRoot ? [...QUIET, "--no-sandbox"] : QUIET,
    viewport: { width, height: phone ? 844 : 900 },
    hasTouch: phone,
    isMobile: phone,
    colorScheme: "dark",
  });
  const complaints: string[] = [];
  return {
    context,
    complaints,
    async page() {
      const page = await context.newPage();
      page.on("pageerror", (error) => complaints.push(error.message));
      page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
      return page;
    },
    async close() {
      await context.close();
      await rm(profile, { recursive: true, force: true });
    },
  };
}

export const shot = (page: Page, name: string): Promise<Buffer> => page.screenshot({ path: join(ROOT, "test-results", `${name}.png`) });

/** What a page alerts somebody to. A region that has nothing to say is always there. */
export const alerts = (page: Page): Locator => page.getByRole("alert").filter({ hasText: /\S/ });

const SIZES = [
  [390, 844],
  [1280, 800],
  [1440, 900],
  [1920, 1080],
] as const;

/** Pictures of a page at every width and in both themes, each once `resting` has come to rest and `check` has passed. Leaves it at 1440, dark. */
export async function shots(page: Page, name: string, resting: Locator, check?: () => Promise<void>): Promise<void> {
  const show = async ([width, height]: readonly [number, number], theme: string) => {
    await page.setViewportSize({ width, height });
    await page.evaluate((value) => document.documentElement.setAttribute("data-theme", value), theme);
    await restingBox(resting);
  };
  for (const size of SIZES)
    for (const theme of ["dark", "light"]) {
      await show(size, theme);
      await shot(page, `${name}-${theme}-${size[0]}`);
      await check?.();
    }
  await show([1440, 900], "dark");
}

/** A new graph of one's own, as the button makes it. */
export async function newGraph(page: Page, url: string): Promise<void> {
  await page.goto(url);
  // The server has drawn the button, too; it acts once the page itself has asked for the graphs.
  await page.locator(".skeleton").first().waitFor({ state: "detached" });
  await page.getByRole("button", { name: "New graph" }).click();
  await page.waitForURL(/\/g\//);
  await page.getByText("start from a template").waitFor();
}

type Box = NonNullable<Awaited<ReturnType<Locator["boundingBox"]>>>;

/** Where an element is once it moves no more, as it does in a view that is being fitted. */
export function restingBox(of: Locator): Promise<Box> {
  const seen: string[] = [];
  const rests = async () => {
    const box = await of.boundingBox();
    seen.push(JSON.stringify(box));
    return box && seen.length >= 5 && new Set(seen.slice(-5)).size === 1 ? box : undefined;
  };
  return until(rests, 30_000, "it moves no more");
}

/** How many pairs of the elements cover each other. */
export async function overlaps(of: Locator): Promise<number> {
  // All at one moment: asked one after the other, what moves together would overlap.
  const boxes = await of.evaluateAll((found) =>
    found.map((one) => one.getBoundingClientRect()).map(({ x, y, width, height }) => ({ x, y, width, height })),
  );
  let count = 0;
  boxes.forEach((a, index) => {
    for (const b of boxes.slice(index + 1))
      if (a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height) count++;
  });
  return count;
}

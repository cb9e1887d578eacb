import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import { isRoot, ROOT } from "../../infra/launch/paths.ts";

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

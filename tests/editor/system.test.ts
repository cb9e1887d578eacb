// The page System, in a real browser: what works, what waits, pausing and raising, and what it is like when parts are away.
import type { CombinedManifest } from "@spindle/schemas";
import pg from "pg";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Browser, openBrowser, shot, shots } from "../support/browser.ts";
import { type ComfySpindle, startComfySpindle } from "../support/comfy.ts";
import { ended, getRun, graphOf, startRun, until, wait } from "../support/spindle.ts";

let spindle: ComfySpindle;
let ada: Browser;
let page: Page;
beforeAll(async () => {
  [spindle, ada] = await Promise.all([startComfySpindle(), openBrowser()]);
  page = await ada.page();
});
afterAll(async () => {
  await ada?.close();
  await spindle?.stop();
});

const LONG = "A run with a title that is much longer than a phone is wide, as titles are when people write what a graph is for";
const start = (seconds: number) => startRun(spindle.url, { ...graphOf([wait("a", { seconds })]), workflowId: LONG });
const device = (id: string) => page.getByTestId(`device-${id}`);
const gpu = () => device("python/gpu");

async function expectNoSidewaysScroll(): Promise<void> {
  expect(await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)).toBe(0);
  const scroll = page.locator(".page-scroll");
  expect(await scroll.evaluate((node) => node.scrollWidth - node.clientWidth)).toBe(0);
}

test("[L6, E20] a device shows what it does and what waits, is paused and resumed by keys, and each act can be undone", async () => {
  const running = await start(600);
  await until(async () => (await getRun(spindle.url, running)).nodes[0]?.state === "running", 60_000, "it runs");
  const [first, second] = [await start(0), await start(0)];
  await page.goto(spindle.url);
  await page.getByRole("link", { name: "System" }).click();
  await gpu().getByText("Works").waitFor();
  await expect
    .poll(() => gpu().getByRole("list", { name: "Waits for GPU work of the Python workers" }).getByRole("listitem").count())
    .toBe(2);
  await device(`comfy/${new URL(spindle.fake.url).hostname}-${new URL(spindle.fake.url).port}`)
    .getByText("RTX 4090")
    .waitFor();
  await page.getByTestId("worker-python").getByText("cpu-0:").waitFor();
  await page.getByTestId("store-postgres").getByText("Up").waitFor();
  await page.getByRole("button", { name: "Pause GPU work of the Python workers" }).focus();
  await page.keyboard.press("Enter");
  await gpu().getByText("Paused", { exact: true }).waitFor();
  await page.getByRole("button", { name: "Undo" }).click();
  await gpu().getByText("Works").waitFor();
  await page.getByRole("button", { name: "Pause everything" }).click();
  await page.getByText("Everything is paused").waitFor();
  await expect.poll(() => page.getByText("paused with everything").count()).toBe(3);
  await shots(page, "system-paused", gpu(), expectNoSidewaysScroll);

  const numberOf = async (run: string) => (await getRun(spindle.url, run)).number;
  const [earlier, later] = [await numberOf(first), await numberOf(second)];
  const order = () =>
    gpu()
      .getByRole("list", { name: /^Waits/ })
      .getByRole("link")
      .allTextContents();
  expect(await order()).toEqual([`Run ${earlier}`, `Run ${later}`]);
  await gpu().getByLabel(`When the tasks of run ${later} begin`).selectOption("First");
  await expect.poll(order).toEqual([`Run ${later}`, `Run ${earlier}`]);
  await page.getByRole("button", { name: "Undo" }).last().click();
  await expect.poll(order).toEqual([`Run ${earlier}`, `Run ${later}`]);
  await fetch(`${spindle.url}/api/runs/${running}/cancel`, { method: "POST" });
  await page.getByRole("button", { name: "Resume everything" }).click();
  for (const run of [first, second]) expect((await ended(spindle.url, run)).state).toBe("succeeded");
  await gpu().getByText("Nothing runs or waits here.").waitFor();
  await gpu().getByText("Free").waitFor();
  expect(ada.complaints).toEqual([]);
});

test("[L6] a worker that is killed, and a ComfyUI that needs a login, are shown so, with what to do", async () => {
  spindle.fake.faults = { login: true };
  process.kill(spindle.processes.worker?.pid as number, "SIGKILL");
  await page.getByTestId("worker-python").getByText("Silent").waitFor({ timeout: 60_000 });
  await page.getByText("start it again; what it had is done elsewhere").waitFor();
  await page
    .getByText(/needs a login \(401\)/)
    .first()
    .waitFor({ timeout: 60_000 });
  await page.setViewportSize({ width: 390, height: 844 });
  await page.getByTestId("worker-python").first().scrollIntoViewIfNeeded();
  await shot(page, "system-faults");
  await expectNoSidewaysScroll();
  spindle.fake.faults = {};
  expect(ada.complaints).toEqual([]);
});

test("[M2] a worker that will not come back is forgotten on the page, and its capabilities leave the library", async () => {
  const { capabilities } = (await (await fetch(`${spindle.url}/api/capabilities`)).json()) as CombinedManifest;
  const own = { ...capabilities.find(({ plane }) => plane === "python"), id: "of_studio_9", label: "Of studio 9" };
  const manifest = JSON.stringify({ generatedAt: new Date().toISOString(), capabilities: [own] });
  const db = new pg.Client({ connectionString: spindle.env.DATABASE_URL as string });
  await db.connect();
  await db.query("INSERT INTO worker_manifest (plane, worker, sha256, manifest) VALUES ('python', 'studio-9', 'none', $1)", [manifest]);
  await db.end();
  await page.setViewportSize({ width: 1280, height: 800 });
  const gone = page.getByTestId("worker-gone");
  await gone.getByText("studio-9").waitFor({ timeout: 60_000 });
  await expect
    .poll(() =>
      page
        .getByTestId(/^worker-/)
        .filter({ hasText: "Live" })
        .getByRole("button", { name: /^Forget/ })
        .count(),
    )
    .toBe(0);
  expect(await gone.count()).toBe(1);
  await shots(page, "system-gone", gone);
  await gone.getByRole("button", { name: "Forget studio-9" }).click();
  await page.getByText("studio-9 is forgotten.").waitFor();
  await gone.waitFor({ state: "detached" });
  await expect.poll(async () => (await (await fetch(`${spindle.url}/api/capabilities`)).text()).includes("of_studio_9")).toBe(false);
});

test("[L6] while the server does not answer the page says that what it shows is old; once it does, that is gone", async () => {
  const runtime = spindle.processes.runtime?.pid as number;
  const old = page.getByText("The server does not answer, so what is shown is old.");
  process.kill(runtime, "SIGSTOP");
  try {
    await old.waitFor({ timeout: 60_000 });
    await gpu().waitFor();
  } finally {
    process.kill(runtime, "SIGCONT");
  }
  await old.waitFor({ state: "detached", timeout: 60_000 });
});

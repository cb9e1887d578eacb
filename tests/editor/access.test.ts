// Every page, for people who do not see it, do not see it well, or want it to stand still: axe, titles and motion, in a real browser.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import type { AxeResults } from "axe-core";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import routes from "../../apps/editor/app/routes.ts";
import { type Browser, openBrowser } from "../support/browser.ts";
import { ended, graphOf, node, type Spindle, startSpindle, wire } from "../support/spindle.ts";

let spindle: Spindle;
let ada: Browser;
let page: Page;
let pages: { route: string; path: string; shown: string; title: string }[];
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

beforeAll(async () => {
  [spindle, ada] = await Promise.all([startSpindle({ worker: false }), openBrowser()]);
  page = await ada.page();
  await page.emulateMedia({ reducedMotion: "reduce" });
  const graph = graphOf(
    [
      node("text", "constant.string", { value: "Hello" }),
      node("fill", "text.template", { template: "{{text}}" }),
      node("bad", "text.template"),
    ],
    [wire("text", "value", "fill", "text")],
  );
  const create = async (document: object) =>
    ((await (await fetch(`${spindle.url}/api/graphs`, { method: "POST", body: JSON.stringify(document) })).json()) as { id: string }).id;
  const id = await create({ ...graph, workflowId: "Greeting" });
  const runnable = { ...graph, nodes: graph.nodes.slice(0, 2) };
  const runOf = async () => {
    const form = new FormData();
    form.set("graph", JSON.stringify(runnable));
    const { run } = (await (await fetch(`${spindle.url}/api/runs`, { method: "POST", body: form })).json()) as { run: string };
    await ended(spindle.url, run);
    return run;
  };
  const [first, second] = [await runOf(), await runOf()];
  pages = [
    { route: "/", path: "/", shown: ".graph-card", title: "Graphs" },
    { route: "templates/:name?", path: "/templates", shown: ".template-form h1", title: "InfiniteTalk" },
    { route: "templates/:name?", path: "/templates/text-to-image", shown: ".notice-box", title: "Text to image" },
    { route: "runs/:id?", path: "/runs", shown: ".table td", title: "Runs" },
    { route: "runs/:id?", path: `/runs/${first}`, shown: ".run-head", title: "Run 1, test" },
    { route: "runs/:id/compare/:other", path: `/runs/${first}/compare/${second}`, shown: "h1", title: "Run 1 and run 2" },
    { route: "system", path: "/system", shown: ".system-engines", title: "System" },
    { route: "g/:id", path: `/g/${id}`, shown: ".react-flow__node", title: "Greeting" },
    { route: "404", path: "/nothing/here", shown: "h1", title: "Not found" },
  ];
});
afterAll(async () => {
  await ada?.close();
  await spindle?.stop();
});

async function complaints(): Promise<string[]> {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => (globalThis as unknown as { axe: { run(): Promise<AxeResults> } }).axe.run());
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) => nodes.map((one) => `${id}: ${one.target.join(" ")} ${one.any[0]?.message ?? ""}`));
}

test("axe finds nothing serious on any page, at any width, in any theme; each page has a title of its own, and nothing moves", async () => {
  const walked = new Set(pages.map(({ route }) => route));
  for (const route of routes) expect(walked, "a route that is not walked").toContain(route.index ? "/" : route.path);
  const found: string[] = [];
  const titles: string[] = [];
  for (const { path, shown, title } of pages) {
    await page.setViewportSize({ width: 1440, height: 900 });
    await page.goto(spindle.url + path);
    await page.locator(shown).first().waitFor();
    await expect.poll(() => page.title()).toBe(`${title} | Spindle`);
    titles.push(await page.title());
    for (const width of [1440, 390])
      for (const theme of ["dark", "light"]) {
        await page.setViewportSize({ width, height: width === 390 ? 844 : 900 });
        await page.evaluate((value) => document.documentElement.setAttribute("data-theme", value), theme);
        for (const complaint of await complaints()) found.push(`${path} ${width} ${theme}: ${complaint}`);
        const moving = await page.evaluate(
          () =>
            document.getAnimations().filter((one) => one.playState === "running" && Number(one.effect?.getComputedTiming().duration) > 1)
              .length,
        );
        if (moving > 0) found.push(`${path} ${width} ${theme}: ${moving} animations run`);
      }
  }
  expect(found.join("\n")).toBe("");
  expect(new Set(titles).size).toBe(pages.length);
});

const head = (title: string) => page.locator(".react-flow__node-card").getByRole("heading", { name: title, exact: true });

test("the view jumps where a person wants it to stand still, and a run is told of in words", async () => {
  const graph = pages.find(({ route }) => route === "g/:id")?.path ?? "";
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.goto(spindle.url + graph);
  await head("bad").click();
  await page.keyboard.press("Delete");
  await page.keyboard.press("0");
  /** The places of the view in the frames after the keys. */
  const places = await page.evaluate(async () => {
    const seen = new Set<string>();
    const view = document.querySelector<HTMLElement>(".react-flow__viewport");
    document
      .querySelector<HTMLElement>(".canvas")
      ?.dispatchEvent(new KeyboardEvent("keydown", { key: "1", code: "Digit1", bubbles: true }));
    for (let frame = 0; frame < 30; frame++) {
      await new Promise(requestAnimationFrame);
      seen.add(view?.style.transform ?? "");
    }
    return seen.size;
  });
  expect(places).toBeLessThanOrEqual(2);
  const said: string[] = [];
  await page.exposeFunction("hear", (text: string) => said.push(text));
  await page.evaluate(() => {
    const hear = (window as never as { hear(text: string): void }).hear;
    for (const region of document.querySelectorAll("[data-testid=said], [data-testid=said-at-once]"))
      new MutationObserver(() => region.textContent && hear(region.textContent)).observe(region, {
        childList: true,
        characterData: true,
        subtree: true,
      });
  });
  await page.getByRole("button", { name: "Run", exact: true }).click();
  await expect.poll(() => said).toEqual([expect.stringMatching(/^Run \d+ started\.$/), expect.stringMatching(/^Run \d+ succeeded after /)]);
});

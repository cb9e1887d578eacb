// "Run as I edit": what a person's edits made stale runs by itself as far as that is cheap, and the rest waits for a key.
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { shots } from "../support/browser.ts";
import { Editor } from "../support/editor.ts";
import { graphOf, node, placed, wire } from "../support/spindle.ts";

let editor: Editor;
let page: Page;
beforeAll(async () => {
  editor = await Editor.start();
  ({ page } = editor);
});
afterAll(() => editor?.stop());

const template = (id: string, name: string, text: string) => ({ ...node(id, "text.template", { template: text }), name }) as never;
const GRAPH = graphOf(
  [
    template("a", "Greeting", "Hello"),
    template("b", "Longer", "{{text}}, and welcome"),
    { ...node("voice", "generate.f5_to_tts", {}, "python"), name: "Voice" } as never,
  ],
  [wire("a", "text", "b", "text")],
  placed({ a: [0, 0], b: [400, 0], voice: [800, 0] }),
);
interface Listed {
  id: string;
  state: string;
}
const runs = async (graph: string): Promise<Listed[]> => {
  const input = encodeURIComponent(JSON.stringify({ graphId: graph }));
  return (await (await fetch(`${editor.spindle.url}/trpc/runs.list?input=${input}`)).json()).result.data;
};
const nodesOf = async (run: string): Promise<{ node: string; state: string }[]> =>
  (await (await fetch(`${editor.spindle.url}/api/runs/${run}`)).json()).nodes;
const toggle = () => page.getByRole("button", { name: "Run as I edit" });
const field = () => editor.card("Greeting").getByRole("textbox", { name: "Template" });

test("[E12] what a person edits runs by itself once that is wanted, and not before", async () => {
  const graph = GRAPH;
  const id = await editor.open({ ...graph, nodes: graph.nodes.slice(0, 2) });
  await field().fill("Good day");
  await page.keyboard.press("Escape");
  await page.getByText("All changes saved").waitFor();
  expect(await toggle().getAttribute("aria-pressed")).toBe("false");
  expect(await runs(id)).toEqual([]);
  await toggle().click();
  await expect.poll(() => toggle().getAttribute("aria-pressed")).toBe("true");
  await field().fill("Good evening");
  await page.keyboard.press("Escape");
  await editor.card("Longer").getByText("Good evening, and welcome").waitFor();
  const [first, ...more] = await runs(id);
  expect(more).toEqual([]);
  expect((await nodesOf(first?.id ?? "")).map(({ node: of, state }) => `${of} ${state}`).sort()).toEqual(["a succeeded", "b succeeded"]);
  // Where a card lies changes no result.
  await editor.card("Longer").getByRole("heading").click();
  await page.keyboard.press("ArrowDown");
  await page.getByText("All changes saved").waitFor();
  expect(await runs(id)).toHaveLength(1);
  await shots(page, "live-mode", page.getByRole("banner"));
  await page.getByRole("button", { name: "More ways to run" }).click();
  await page.getByRole("menuitem", { name: "Show the critical path" }).click();
  await editor.card("Longer").getByText("2 of 2 on the critical path").waitFor();
  await editor
    .card("Greeting")
    .getByText(/Worked /)
    .waitFor();
  await expect.poll(() => page.locator(".react-flow__edge.critical").count()).toBe(1);
  await shots(page, "critical-path", page.getByRole("banner"));
  // The choice stays with the person.
  await page.reload();
  await expect.poll(() => toggle().getAttribute("aria-pressed")).toBe("true");
});

test("[E12] what needs a model waits for a key and says so", async () => {
  const id = await editor.open({
    ...GRAPH,
    edges: [...GRAPH.edges, wire("b", "text", "voice", "narration")],
  });
  await field().fill("Read this");
  await page.keyboard.press("Escape");
  await editor.card("Longer").getByText("Read this, and welcome").waitFor();
  await page
    .getByRole("banner")
    .getByText(/1 node waits for/)
    .waitFor();
  await expect.poll(async () => (await runs(id)).map(({ state }) => state)).toEqual(["succeeded"]);
  const [run] = await runs(id);
  expect((await nodesOf(run?.id ?? "")).map(({ node: of, state }) => `${of} ${state}`).sort()).toEqual([
    "a succeeded",
    "b succeeded",
    "voice skipped",
  ]);
  await toggle().click();
  await expect.poll(() => toggle().getAttribute("aria-pressed")).toBe("false");
});

test("nothing complained", () => expect(editor.complaints).toEqual([]));

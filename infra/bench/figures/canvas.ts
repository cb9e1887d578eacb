// The canvas over bare React Flow in the same browser: what a person drags, pans and zooms, opening, typing, and a run that is watched.
import type { Browser as Chromium } from "playwright-core";
import { type Bench, type Figure, type Measure, median, ratio } from "../figure.ts";
import { type Acted, BARE_CARD, FlowPage, gridPlace, scriptKilobytes, serveBare, startChromium } from "../flow-page.ts";

const ROUNDS = 5;
const OPENINGS = 3;
const KEYS = 15;
const RUN = { lanes: 20, length: 10 };

export const canvas: Measure = (bench) =>
  inBrowser(bench, async (about) => [
    ...(await acts(about, 1000, ["drag", "pan", "zoom", "overview"])),
    ...(await acts(about, 3000, ["drag", "pan"])),
  ]);

export const page: Measure = (bench) =>
  inBrowser(bench, async (about) => [
    await watchedRun(about),
    await pageScripts(about),
    await opening(about, 1000),
    await opening(about, 3000),
    await typing(about),
  ]);

async function inBrowser(bench: Bench, measure: (about: About) => Promise<Figure[]>): Promise<Figure[]> {
  const browser = await startChromium();
  const bare = await serveBare();
  try {
    return await measure({ bench, browser, bare: bare.url });
  } finally {
    bare.close();
    await browser.close();
  }
}

interface About {
  bench: Bench;
  browser: Chromium;
  /** Where the bare page is. */
  bare: string;
}
type Act = "drag" | "pan" | "zoom" | "overview";

const GOALS: Record<string, string> = { "1000.drag": ">= 0.9", "1000.pan": ">= 0.9", "1000.zoom": ">= 3", "1000.overview": ">= 3" };

/** Lanes of ten nodes, in a grid. */
function graphOf(count: number) {
  const id = (index: number) => `n${index}`;
  const nodes = Array.from({ length: count }, (_, index) => ({
    id: id(index),
    name: `Line ${index}`,
    service: "text.template",
    plane: "node",
    status: "pending",
    params: { template: `Line ${index}` },
  }));
  const edges = nodes.slice(1).flatMap((_, index) =>
    index % RUN.length === RUN.length - 1
      ? []
      : [
          {
            from: id(index),
            to: id(index + 1),
            metadata: { id: `e${index}`, sourcePort: "text", targetPort: "text" },
          },
        ],
  );
  const positions = Object.fromEntries(nodes.map((node, index) => [node.id, gridPlace(index)]));
  return { schema: "langgraph.v1", workflowId: "bench", nodes, edges, metadata: { editor: { positions } } };
}

const bareOf = ({ nodes, edges }: ReturnType<typeof graphOf>) => ({
  nodes: nodes.map(({ id, name }, index) => ({ id, label: name, ...gridPlace(index) })),
  edges: edges.map(({ from, to, metadata: { id } }) => ({ id, from, to })),
  ...BARE_CARD,
});

async function stored({ url }: Bench, graph: object): Promise<string> {
  const answer = await fetch(`${url}/api/graphs`, { method: "POST", body: JSON.stringify(graph) });
  if (!answer.ok) throw new Error(await answer.text());
  return ((await answer.json()) as { id: string }).id;
}

/** Both pages with the same graph; the editor's first. */
async function both<T>(
  { bench, browser, bare }: About,
  count: number,
  use: (pages: Record<"ours" | "anchor", FlowPage>) => Promise<T>,
): Promise<T> {
  const graph = graphOf(count);
  const [ours, anchor] = [await FlowPage.open(browser), await FlowPage.open(browser)];
  try {
    await ours.openEditor(bench.url, await stored(bench, graph));
    await anchor.openBare(bare, bareOf(graph));
    return await use({ ours, anchor });
  } finally {
    await ours.close();
    await anchor.close();
  }
}

/** Each act by both pages by turns; the first round warms up. The longest frame of all acts goes into a figure of its own. */
async function acts(about: About, count: number, names: readonly Act[]): Promise<Figure[]> {
  return both(about, count, async (pages) => {
    const done: Record<"ours" | "anchor", Acted[]>[] = [];
    const figures: Figure[] = [];
    for (const name of names) {
      const taken: Record<"ours" | "anchor", Acted[]> = { ours: [], anchor: [] };
      for (let round = 0; round <= ROUNDS; round++)
        for (const side of ["ours", "anchor"] as const) {
          const page = pages[side];
          await page.page.bringToFront(); // the other one draws no frames meanwhile
          await page.zoomTo(name === "overview" ? 0.12 : 0.7);
          const acted = await (name === "overview" ? page.pan() : page[name]());
          if (round > 0) taken[side].push(acted);
        }
      done.push(taken);
      const frames = (side: "ours" | "anchor") => median(taken[side].map((one) => one.framesPerSecond));
      const busy = (side: "ours" | "anchor") => Math.round(10 * median(taken[side].map((one) => one.msPerFrame))) / 10;
      figures.push(
        ratio({
          id: `canvas.${count}.${name}`,
          ours: frames("ours"),
          anchor: `the same in bare React Flow, culled; the thread is busy ${busy("ours")} ms a frame for ${busy("anchor")}`,
          anchorValue: frames("anchor"),
          unit: "frames a second",
          goal: GOALS[`${count}.${name}`] ?? ">= 0.8",
        }),
      );
    }
    const longest = (side: "ours" | "anchor") => Math.max(...done.map((taken) => median(taken[side].map((one) => one.longestMs))));
    const anchor = "the longest frame of the same acts in bare React Flow";
    const slowest = { ours: longest("ours"), anchor, anchorValue: longest("anchor"), unit: "ms", goal: "<= 1" };
    return [...figures, ratio({ id: `canvas.${count}.longest`, ...slowest })];
  });
}

/** From the last byte of the document until the cards are drawn and a click is taken. */
async function opening({ bench, browser, bare }: About, count: number): Promise<Figure> {
  const graph = graphOf(count);
  const id = await stored(bench, graph);
  const taken = { ours: [] as number[], anchor: [] as number[] };
  for (let round = 0; round <= OPENINGS; round++)
    for (const side of ["ours", "anchor"] as const) {
      const page = await FlowPage.open(browser);
      const ms = await (side === "ours" ? page.openEditor(bench.url, id) : page.openBare(bare, bareOf(graph)));
      if (round > 0) taken[side].push(ms);
      await page.close();
    }
  return ratio({
    id: `canvas.${count}.open`,
    ours: median(taken.ours),
    anchor: "the same nodes in bare React Flow, culled",
    anchorValue: median(taken.anchor),
    unit: "ms",
    goal: "<= 1.3",
  });
}

/** What a letter costs the page's thread, each typed once the one before it is stored. */
async function typing(about: About): Promise<Figure> {
  return both(about, 3000, async ({ ours, anchor }) => {
    const type = async (page: FlowPage, afterEach: () => Promise<unknown>) => {
      const taken: number[] = [];
      for (let at = 0; at <= KEYS; at++) {
        await page.settled();
        const busy = await page.busyMs();
        await page.page.keyboard.type("x");
        await afterEach();
        if (at > 0) taken.push((await page.busyMs()) - busy);
      }
      return taken;
    };
    const pause = (page: FlowPage) => page.page.waitForTimeout(700);
    await ours.page.bringToFront();
    await ours.zoomTo(0.7);
    await ours.page.locator(".react-flow__node h3").first().click();
    await ours.page.locator(".inspector").getByLabel("Template", { exact: true }).click();
    const own = await type(ours, async () => {
      await pause(ours);
      await ours.page.getByText("All changes saved").waitFor();
    });
    await anchor.page.bringToFront();
    await anchor.page.getByLabel("Text").click();
    const bare = await type(anchor, () => pause(anchor));
    const most = Math.max(...own) / median(own);
    return ratio({
      id: "canvas.edit.3000",
      ours: median(own),
      anchor: "a letter into an idle React input beside a bare canvas of as many nodes",
      anchorValue: median(bare),
      unit: "ms",
      goal: "<= 8",
      ...(most > 2 ? { failed: `The dearest letter cost ${most.toFixed(1)} times the median.` } : {}),
    });
  });
}

/** A run of 200 nodes in a tab; the bare page then gets the same changes of state, at the same times, those of a frame in one update. */
async function watchedRun({ bench, browser, bare }: About): Promise<Figure> {
  const taken = { ours: [] as number[], anchor: [] as number[] };
  for (let round = 0; round <= OPENINGS; round++) {
    const graph = graphOf(RUN.lanes * RUN.length);
    graph.workflowId = `run-${round}-${Date.now()}`;
    for (const node of graph.nodes) node.params.template += ` ${graph.workflowId}`; // nothing comes from the cache
    const [ours, anchor] = [await FlowPage.open(browser), await FlowPage.open(browser)];
    const id = await stored(bench, graph);
    await anchor.openBare(bare, bareOf(graph));
    await ours.openEditor(bench.url, id);
    await ours.page.getByText("All changes saved").waitFor();
    await ours.page.bringToFront();
    await ours.settled();
    let busy = await ours.busyMs();
    await ours.page.getByRole("button", { name: "Run", exact: true }).click();
    // A fast run is over before its bar was seen.
    await ours.page.waitForFunction(() => document.querySelector('.react-flow__node [data-state="done"]') !== null);
    await ours.page.getByTestId("run-bar").waitFor({ state: "detached" });
    await ours.settled();
    const own = (await ours.busyMs()) - busy;
    const changes = await changesOf(bench, id);
    await anchor.page.bringToFront();
    await anchor.settled();
    busy = await anchor.busyMs();
    await anchor.page.evaluate(replay, changes);
    await anchor.settled();
    if (round > 0) {
      taken.ours.push(own);
      taken.anchor.push((await anchor.busyMs()) - busy);
    }
    await ours.close();
    await anchor.close();
  }
  return ratio({
    id: "page.run200",
    ours: median(taken.ours),
    anchor: "bare React Flow, culled and memoised, taking the same changes one update a frame",
    anchorValue: median(taken.anchor),
    unit: "ms",
    goal: "<= 3",
  });
}

type Change = [ms: number, node: string, state: string];

/** What the newest run of a graph told of its nodes, and when, since its start. */
async function changesOf({ db }: Bench, graph: string): Promise<Change[]> {
  const { rows } = await db.query<{ at: Date; node: string | null; type: string }>(
    "SELECT e.at, e.node, e.type FROM run_event e JOIN run r ON r.id = e.run_id WHERE r.graph_id = $1 ORDER BY e.seq",
    [graph],
  );
  const start = rows[0]?.at.getTime() ?? 0;
  return rows.flatMap(({ at, node, type }) => (node === null ? [] : [[at.getTime() - start, node, type] as Change]));
}

const replay = (changes: readonly (readonly [number, string, string])[]) =>
  new Promise<void>((resolve) => {
    const start = performance.now();
    let next = 0;
    const frame = () => {
      const states: Record<string, string> = {};
      for (let change = changes[next]; change && change[0] <= performance.now() - start; change = changes[++next])
        states[change[1]] = change[2];
      if (Object.keys(states).length > 0) (window as unknown as { change(states: object): void }).change(states);
      if (next < changes.length) requestAnimationFrame(frame);
      else resolve();
    };
    requestAnimationFrame(frame);
  });

async function pageScripts({ bench, browser }: About): Promise<Figure> {
  const page = await browser.newPage();
  const kilobytes = await scriptKilobytes(page, `${bench.url}/g/${await stored(bench, graphOf(10))}`);
  await page.close();
  return ratio({ id: "page.js", ours: kilobytes, anchor: "one kilobyte", anchorValue: 1, unit: "kB by gzip", goal: "<= 450" });
}

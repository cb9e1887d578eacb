// The editor of a Spindle in real browsers, with which most tests of it begin.
import type { Locator, Page } from "playwright-core";
import { expect } from "vitest";
import { type Browser, openBrowser, restingBox } from "./browser.ts";
import { type ComfySpindle, startComfySpindle } from "./comfy.ts";
import { createGraph, type Spindle, startSpindle, storedGraph } from "./spindle.ts";

interface Options {
  /** How many people there are, each with a browser of their own. */
  people?: number;
  /** Whether the Python worker runs. */
  worker?: boolean;
  /** Whether there is a ComfyUI, the fake one. */
  comfy?: boolean;
  /** How long a step in a browser may take. */
  patienceMs?: number;
}

export class Editor {
  private constructor(
    readonly spindle: Spindle & Partial<ComfySpindle>,
    readonly people: readonly Browser[],
    /** The first person's, which is on no graph yet. */
    readonly page: Page,
  ) {}

  static async start({ people = 1, worker = false, comfy = false, patienceMs = 30_000 }: Options = {}): Promise<Editor> {
    const [spindle, ...browsers] = await Promise.all([
      comfy ? startComfySpindle({ worker }) : startSpindle({ worker }),
      ...Array.from({ length: people }, () => openBrowser()),
    ]);
    for (const { context } of browsers) context.setDefaultTimeout(patienceMs);
    const page = await (browsers[0] as Browser).page();
    return new Editor(spindle, browsers, page);
  }

  async stop(): Promise<void> {
    for (const person of this.people) await person.close();
    await this.spindle.stop();
  }

  /** What the pages of the first person wrote to their consoles as errors, or threw; a test takes out what it expected. */
  get complaints(): string[] {
    return this.people[0]?.complaints ?? [];
  }

  cards(on = this.page): Locator {
    return on.locator(".react-flow__node-card");
  }

  card(title: string, on = this.page): Locator {
    return on.locator(".react-flow__node-card", { has: on.getByRole("heading", { name: title, exact: true }) });
  }

  inspector(on = this.page): Locator {
    return on.getByRole("complementary", { name: "Inspector" });
  }

  /** Stores a graph and opens it. Returns its id once every card is drawn and at rest, and what opening changed is stored. */
  async open(graph: Drawn, on: readonly Page[] = [this.page]): Promise<string> {
    const id = await createGraph(this.spindle.url, graph);
    for (const page of on) {
      await page.goto(`${this.spindle.url}/g/${id}`);
      await page.getByText("All changes saved").waitFor();
      await expect.poll(() => this.cards(page).count()).toBe(graph.nodes.length);
      await restingBox(this.cards(page).first());
    }
    return id;
  }

  /** A graph as it is stored. */
  stored<Graph = Stored>(id: string): Promise<Graph> {
    return storedGraph(this.spindle.url, id);
  }

  /** The parameters of a node as they are stored. */
  async params(id: string, node: string): Promise<Record<string, unknown> | undefined> {
    return (await this.stored(id)).nodes.find((each) => each.id === node)?.params;
  }
}

interface Drawn {
  nodes: readonly object[];
  edges?: readonly object[];
  metadata?: object;
}

interface Stored {
  nodes: { id: string; params?: Record<string, unknown> }[];
}

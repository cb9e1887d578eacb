// Three people at random in one graph, who go away, come back, reload, and whose server is restarted or killed: they end with one graph,
// and all that each of them did is in it.
import { isDeepStrictEqual } from "node:util";
import { copyOf, LAYOUT, normalise, SAVED, setEntry } from "@spindle/graph-model/shared-doc";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { WebsocketProvider } from "y-websocket";
import * as Y from "yjs";
import { authorOf } from "../../apps/runtime/src/collab/clients.ts";
import { DocumentHost, type OpenDocument } from "../../apps/runtime/src/collab/document-host.ts";
import { MemoryLog } from "../../apps/runtime/src/collab/memory-log.testing.ts";
import { editAtRandom, type Random, random } from "../../packages/graph-model/src/shared-doc/random-updates.testing.ts";
import { everySeed, pick, SEEDS } from "../support/hostile.ts";
import { createGraph, graphOf, node, type Spindle, startSpindle, until } from "../support/spindle.ts";

const SCRIPTS = 200;
const STEPS = 16;
const NAMES = ["ada", "ben", "cy"];

afterEach(() => void vi.restoreAllMocks());

/** Something that one person does, and nobody else ever touches: an input of the graph, with a label. */
interface Deed {
  name: string;
  label: string;
  /** The person's clock after it. */
  clock: number;
}

/** What a person did, whatever page they did it on. */
class Person {
  doc = new Y.Doc();
  readonly deeds = new Map<string, Deed>();
  private count = 0;

  constructor(readonly name: string) {}

  edit(next: Random): void {
    if (next() < 0.5) editAtRandom(this.doc, next);
    const name = `${this.name}${Math.floor(next() * 3)}`;
    const label = `${this.name} ${++this.count}`;
    setEntry(this.doc, this.name, "inputs", name, { label });
    this.deeds.set(name, { name, label, clock: Y.getState(this.doc.store, this.doc.clientID) });
  }

  /** A new page, of which the browser kept what the one before knew. */
  reload(): void {
    this.doc = copyOf(this.doc);
  }
}

function expectAll(doc: Y.Doc, people: readonly Person[]): void {
  const { graph } = normalise(doc);
  const inputs = ((graph.metadata?.interface as { inputs?: { name: string; label: string }[] } | undefined)?.inputs ?? []) as Deed[];
  const found = new Map(inputs.map(({ name, label }) => [name, label]));
  for (const { deeds } of people) for (const { name, label } of deeds.values()) expect(found.get(name), name).toBe(label);
}

test(`[C1, C2] ${SEEDS * SCRIPTS} scripts of three people end in one graph that has all that each did`, async () => {
  await everySeed(async (next) => {
    vi.spyOn(Math, "random").mockImplementation(next);
    for (let script = 0; script < SCRIPTS; script++) await play(next);
  });
}, 900_000);

async function play(next: Random): Promise<void> {
  const log = new MemoryLog();
  const start = () => new DocumentHost(log, (where, error) => expect.fail(`${where}: ${error}`), 0).open("g");
  let document: OpenDocument = await start();
  const people = NAMES.map((name) => new Person(name));
  const away = new Set<Person>();
  const meet = async (person: Person) => {
    const vector = Y.encodeStateVector(document.doc);
    await document.append(Y.encodeStateAsUpdate(person.doc, vector), authorOf(person.name));
    Y.applyUpdate(person.doc, Y.encodeStateAsUpdate(document.doc, Y.encodeStateVector(person.doc)));
  };
  const restart = async () => {
    document.close();
    document = await start();
  };
  for (let step = 0; step < STEPS; step++) {
    const person = pick(next, people);
    const kind = next();
    if (kind < 0.7) person.edit(next);
    else if (kind < 0.8) away[away.has(person) ? "delete" : "add"](person);
    else if (kind < 0.9) person.reload();
    else await restart();
    if (!away.has(person)) await meet(person);
  }
  for (let round = 0; round < 2; round++) for (const person of people) await meet(person);
  await restart();
  const server = normalise(document.doc);
  for (const { doc } of people) expect(normalise(doc)).toEqual(server);
  expectAll(document.doc, people);
  expect(log.quarantine).toEqual([]);
  document.close();
}

let spindle: Spindle;
beforeAll(async () => {
  spindle = await startSpindle({ worker: false });
}, 600_000);
afterAll(() => spindle?.stop());

/** A person's page on the real server. */
class Page {
  private provider: WebsocketProvider | undefined;
  /** Up to where the server said that this page's edits are stored. */
  private saved = new Map<number, number>();

  constructor(
    readonly person: Person,
    readonly graph: string,
  ) {}

  get isThere(): boolean {
    return this.provider?.wsconnected === true && this.provider.synced;
  }

  async come(): Promise<void> {
    if (this.provider) return;
    this.provider = new WebsocketProvider(
      `${spindle.url.replace("http", "ws")}/collab`,
      `${this.graph}?layout=${LAYOUT}`,
      this.person.doc,
      {
        WebSocketPolyfill: WebSocket as never,
        disableBc: true,
        maxBackoffTime: 200,
      },
    );
    for (const kind of [6, 7, 8]) this.provider.messageHandlers[kind] = () => {}; // which only the editor shows
    this.provider.messageHandlers[SAVED] = (_, { arr, pos }) => {
      let at = pos; // of the length of what follows
      while ((arr[at] as number) > 127) at++;
      for (const [client, clock] of Y.decodeSnapshot(arr.subarray(at + 1)).sv)
        this.saved.set(client, Math.max(clock, this.saved.get(client) ?? 0));
    };
    await until(async () => this.isThere, 60_000, `${this.person.name} is there`);
  }

  leave(): void {
    this.provider?.destroy();
    this.provider = undefined;
  }

  async reload(): Promise<void> {
    const wasThere = this.provider !== undefined;
    this.leave();
    this.person.reload();
    if (wasThere) await this.come();
  }

  /** What the server said that it has. */
  get stored(): ReadonlyMap<number, number> {
    return new Map(this.saved);
  }

  get isSaved(): boolean {
    return [...Y.decodeStateVector(Y.encodeStateVector(this.person.doc))].every(
      ([client, clock]) => (this.saved.get(client) ?? 0) >= clock,
    );
  }
}

async function playReal(next: Random, steps: number, interrupt?: (pages: readonly Page[]) => Promise<void>): Promise<void> {
  const graph = await createGraph(spindle.url, graphOf([node("a", "output.preview", { value: 1 })]));
  const pages = NAMES.map((name) => new Page(new Person(name), graph));
  try {
    for (const page of pages) await page.come();
    const interruptedAt = Math.floor(next() * steps);
    for (let step = 0; step < steps; step++) {
      const page = pick(next, pages);
      const kind = next();
      if (kind < 0.75) page.person.edit(next);
      else if (kind < 0.85) page.leave();
      else if (kind < 0.95) await page.come();
      else await page.reload();
      if (step === interruptedAt) await interrupt?.(pages);
    }
    for (const page of pages) await page.come();
    await until(async () => pages.every((page) => page.isSaved), 60_000, "all is saved");
    const fresh = new Page(new Person("dan"), graph);
    await fresh.come();
    fresh.leave();
    const server = normalise(fresh.person.doc);
    await until(
      async () => pages.every(({ person }) => isDeepStrictEqual(normalise(person.doc), server)),
      60_000,
      "all see what the server has",
    );
    expectAll(
      fresh.person.doc,
      pages.map(({ person }) => person),
    );
  } finally {
    for (const page of pages) page.leave();
  }
}

test(`[C1] ${2 * SEEDS} scripts of three people against a server end in one graph that has all that each did`, async () => {
  await everySeed(async (next) => {
    await Promise.all([1, 2].map(() => playReal(random(next() * 2 ** 31), 2 * STEPS)));
  });
}, 900_000);

/** Scripts that are under way when the server is killed. */
const AT_ONCE = 6;
const KILLS = Math.ceil(SEEDS / 20);

/** Kills the server once all of so many scripts are there, which go on when it is back. */
function killedOnce(scripts: number): (leave: () => void) => Promise<void> {
  const leaving: (() => void)[] = [];
  let kill: () => void = () => {};
  const killed = new Promise<void>((resolve) => {
    kill = resolve;
  }).then(async () => {
    const { pid } = spindle.processes.runtime ?? {};
    process.kill(pid as number, "SIGKILL");
    for (const leave of leaving) leave();
    const isBack = async () => spindle.processes.runtime?.pid !== pid && (await fetch(`${spindle.url}/health`)).ok;
    await until(isBack, 60_000, "the server is back");
  });
  return (leave) => {
    if (leaving.push(leave) === scripts) kill();
    return killed;
  };
}

test(`[C1] a server that is killed has all that it said was saved, and people end in one graph, in ${KILLS * AT_ONCE} scripts`, async () => {
  await everySeed(async (next) => {
    const wait = killedOnce(AT_ONCE);
    const scripts = Array.from({ length: AT_ONCE }, () => random(next() * 2 ** 31));
    await Promise.all(
      scripts.map((own) =>
        playReal(own, 2 * STEPS, async (pages) => {
          await wait(() => pages.map((page) => page.leave())); // nobody brings it again before it was seen what is there
          const saved = pages.map((page) => page.stored);
          const reader = new Page(new Person("eve"), pages[0]?.graph as string);
          await reader.come();
          reader.leave();
          for (const stored of saved)
            for (const [client, clock] of stored) expect(Y.getState(reader.person.doc.store, client)).toBeGreaterThanOrEqual(clock);
          for (const page of pages) if (own() < 0.8) await page.come();
        }),
      ),
    );
  }, KILLS);
}, 900_000);

// What it costs to resolve and validate a graph, in the shapes that are hardest, over reading the same document.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { type Graph, hasErrors, resolver, validate } from "@spindle/graph-model";
import { makeLibrary } from "@spindle/node-library";
import { committedManifests } from "@spindle/node-library/manifests";
import { validateGraph } from "@spindle/schemas";
import { ROOT } from "../../launch/paths.ts";
import { byTurns, type Figure, type Measure, median, quantile, ratio } from "../figure.ts";
import { chainOf, editedGraph, SHAPES } from "../shapes.ts";

const ROUNDS = 15;
/** The runtime and an editor have long compiled what they validate with. */
const WARM_UP = 10;
const EDITS = 100;
const STARTS = 15;

const library = makeLibrary(committedManifests.node.capabilities);

export const graph: Measure = async () => [...(await worst()), await growth(), await edit(), await commandLine()];

/** Milliseconds. */
async function timed(work: () => unknown): Promise<number> {
  globalThis.gc?.();
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

/** The same computation takes longer only where something disturbs it: what the least disturbed tenth of the rounds took. */
const undisturbed = (list: readonly number[]): number => quantile(list, 0.1);

/** Nothing of it is known: every time another object. */
const validated = (text: string) => {
  const fresh = JSON.parse(text) as Graph;
  return timed(() => validate(fresh, library));
};

async function worst(): Promise<Figure[]> {
  const figures: Figure[] = [];
  const texts = Object.entries(SHAPES).map(([shape, make]) => [shape, JSON.stringify(make())] as const);
  for (let round = 0; round < WARM_UP; round++) for (const [, text] of texts) validate(JSON.parse(text), library);
  for (const [shape, text] of texts) {
    const { ours, anchor } = await byTurns(ROUNDS, {
      ours: () => validated(text),
      anchor: () => timed(() => validateGraph(JSON.parse(text))),
    });
    const [bad] = validate(JSON.parse(text), library).filter(({ severity }) => severity === "error");
    figures.push(
      ratio({
        id: `graph.validate.${shape}`,
        ours: undisturbed(ours),
        anchor: "JSON.parse and the schema of the same document",
        anchorValue: undisturbed(anchor),
        unit: "ms",
        goal: "<= 10",
        ...(bad ? { failed: `The graph is not valid: ${bad.message}` } : {}),
      }),
    );
  }
  const [slowest] = figures.toSorted((a, b) => (b.value ?? Number.POSITIVE_INFINITY) - (a.value ?? Number.POSITIVE_INFINITY));
  return [...figures, { ...(slowest as Figure), id: "graph.validate.worst" }];
}

async function growth(): Promise<Figure> {
  const [small, large] = [500, 5000].map((length) => JSON.stringify(chainOf(length))) as [string, string];
  const { ours, anchor } = await byTurns(2 * ROUNDS, { ours: () => validated(large), anchor: () => validated(small) });
  return ratio({
    id: "graph.validate.growth",
    ours: undisturbed(ours),
    anchor: "a chain of a tenth of the length",
    anchorValue: undisturbed(anchor),
    unit: "ms",
    goal: "<= 12",
  });
}

/**
 * One parameter of one node, as a person types: from the graph as it then is to its issues and its plan. Reading that graph out of the
 * shared document (`reader` of graph-model) comes before, and is not measured here.
 */
async function edit(): Promise<Figure> {
  let now = editedGraph(3000);
  const text = JSON.stringify(now);
  const next = resolver(library);
  const check = () => [validate(now, library), next(now).root.plan.root.items.length] as const;
  next(now);
  const failed = hasErrors(check()[0]) ? { failed: "The graph is not valid." } : {};
  let edits = 0;
  const { ours, anchor } = await byTurns(EDITS, {
    ours: () => {
      const at = (edits++ * 37) % now.nodes.length;
      const nodes = now.nodes.with(at, { ...now.nodes[at], params: { template: `Typed {{text}} ${edits}` } } as never) as Graph["nodes"];
      now = { ...now, nodes };
      return timed(() => [next(now), ...check()]);
    },
    anchor: () => timed(() => JSON.parse(text)),
  });
  return ratio({
    id: "graph.edit.3000",
    ours: median(ours),
    anchor: "JSON.parse of the document",
    anchorValue: median(anchor),
    unit: "ms",
    goal: "<= 0.2",
    ...failed,
  });
}

function started(args: string[]): Promise<number> {
  const begin = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: ROOT, stdio: "ignore" });
    child.on("error", reject);
    child.on("close", (code) =>
      code === 0 ? resolve(performance.now() - begin) : reject(new Error(`${args.join(" ")} ended with ${code}.`)),
    );
  });
}

async function commandLine(): Promise<Figure> {
  const { ours, anchor } = await byTurns(STARTS, {
    ours: () =>
      started([join(ROOT, "apps/runtime/bin/spindle.mjs"), "validate", join(ROOT, "schemas/samples/graph/valid/f5tts_infinitetalk.json")]),
    anchor: () => started(["-e", "0"]),
  });
  return ratio({
    id: "cli.validate",
    ours: median(ours),
    anchor: "node -e 0",
    anchorValue: median(anchor),
    unit: "ms",
    goal: "<= 8",
  });
}

// Graphs in odd shapes, for tests alone: documents that use everything, with parts of them deleted, doubled or put elsewhere.
import { readdirSync, readFileSync } from "node:fs";
import {
  canonicalText,
  exportJson,
  exportMermaid,
  exportRegion,
  type Graph,
  hasErrors,
  readAnyText,
  resolve,
  stripState,
  validate,
} from "@spindle/graph-model";
import { loadGraph, normalise } from "@spindle/graph-model/shared-doc";
import { makeLibrary, mergeManifests } from "@spindle/node-library";
import { committedManifests } from "@spindle/node-library/manifests";
import { expect } from "vitest";
import * as Y from "yjs";
import { freezeNodes, rootNodes } from "../engine/freeze.ts";
import { exportTypeScript } from "./typescript.ts";

const { node, python } = committedManifests;
const manifest = mergeManifests({ node: { manifest: node, live: true }, python: { manifest: python, live: true } }, new Date(0));
export const LIBRARY = makeLibrary(manifest.capabilities);

const use = (id: string, service: string, params?: object) => ({
  id,
  service,
  plane: "node",
  status: "pending",
  ...(params ? { params } : {}),
});
/** One that uses everything: loop, map, condition, choice, call in a call, interface, settings. */
export const RICH = {
  schema: "langgraph.v1",
  workflowId: "rich",
  context: { language: "en" },
  nodes: [
    use("list", "constant.array", { value: ["a", "b"] }),
    use("each", "graph.call", { definition: "outer", word: "x" }),
    use("ask", "human.ask_person", { buttons: ["yes", "no"] }),
    use("head", "text.template", { template: "{{text}}" }),
    use("tail", "output.preview", { value: 1 }),
  ],
  edges: [
    { from: "list", to: "each", metadata: { sourcePort: "value", targetPort: "word", map: { limit: 2, tolerate: 1 } } },
    { from: "each", to: "head", kind: "on_success", metadata: { when: "size(output) > 0" } },
    { from: "head", to: "tail", metadata: { id: "w", sourcePort: "text", targetPort: "value" } },
    { from: "tail", to: "head", metadata: { loop: { maxIterations: 3 }, when: "output.value == 1" } },
  ],
  metadata: {
    editor: { positions: { list: { x: 1, y: 2 } } },
    nodes: { tail: { breakpoint: "before" }, list: { pinned: { value: [1] }, timeoutSeconds: 5, engine: "auto" } },
    interface: {
      inputs: [{ name: "said", label: "Said", to: [{ node: "head", port: "text" }], default: "x" }],
      outputs: [{ name: "shown", label: "Shown", from: { node: "head", port: "text" } }],
    },
    definitions: {
      outer: {
        nodes: [use("in", "graph.call", { definition: "inner" })],
        edges: [],
        metadata: { label: "Outer", interface: { inputs: [{ name: "word", to: [{ node: "in", port: "word" }] }] } },
      },
      inner: {
        nodes: [use("shout", "text.template", { template: "{{text}}!" })],
        edges: [],
        metadata: { interface: { inputs: [{ name: "word", label: "Word", to: [{ node: "shout", port: "text" }] }], outputs: [] } },
      },
    },
  },
};

const folder = new URL("../../../../schemas/samples/graph/valid/", import.meta.url);
const samples: unknown[] = [RICH, RICH, ...readdirSync(folder).map((name) => JSON.parse(readFileSync(new URL(name, folder), "utf8")))];

type Next = (below: number) => number;
/** Park and Miller's generator: the same graphs for the same seed. */
const seeded = (seed: number): Next => {
  let state = seed + 1;
  return (below) => {
    state = (state * 48_271) % 2_147_483_647;
    return state % below;
  };
};

const ODD: readonly unknown[] = [
  ...[null, 0, -1, 1e308, true, "", "x", "toString", "inner", "loop:a>b", "a/b~c", "𝕏\ud800\u0000", "x".repeat(5000)],
  ...[[], {}, [null], [[]], { a: null }, { length: 3 }, { toString: 1 }, { id: {} }, [1, "x", {}], { nodes: [null] }, { edges: [null] }],
];

/** Every object and list of a document. */
function holders(value: unknown): Record<string, unknown>[] {
  if (value === null || typeof value !== "object") return [];
  return [value as Record<string, unknown>, ...Object.values(value).flatMap(holders)];
}

function mutated(sample: unknown, next: Next): unknown {
  const document = structuredClone(sample);
  for (let times = 1 + next(4); times > 0; times--) {
    const all = holders(document);
    const holder = all[next(all.length)] as Record<string, unknown>;
    const keys = Object.keys(holder);
    const key = keys[next(Math.max(1, keys.length))] ?? "0";
    const kind = next(5);
    if (kind === 0 && !Array.isArray(holder)) delete holder[key];
    else if (kind === 1) holder[key] = structuredClone(all[next(all.length)]);
    else if (kind === 2 && Array.isArray(holder)) holder.push(structuredClone(ODD[next(ODD.length)]));
    else if (kind === 3) holder[String(ODD[next(13)]) || "empty"] = structuredClone(ODD[next(ODD.length)]);
    else holder[key] = structuredClone(ODD[next(ODD.length)]);
  }
  return document;
}

export function goThrough(graph: Graph): boolean {
  const { root, definitions } = resolve(graph, LIBRARY);
  for (const level of [root, ...definitions.values()])
    expect([level.inputs, level.call, level.branches, level.regionProblems]).toBeDefined();
  exportMermaid(graph);
  exportJson(graph);
  exportRegion(graph, LIBRARY, graph.nodes[0]?.id ?? "");
  const issues = validate(graph, LIBRARY);
  for (const { message } of issues) expect(typeof message).toBe("string");
  if (hasErrors(issues)) return false;
  const frozen = stripState(graph);
  canonicalText(frozen);
  rootNodes(frozen, LIBRARY, freezeNodes(frozen, LIBRARY));
  expect(resolve(frozen, LIBRARY)).toBe(resolve(frozen, LIBRARY));
  exportTypeScript(frozen, LIBRARY);
  return true;
}

/** The text of an odd document. The same for the same seed. */
export function oddText(seed: number): string {
  const next = seeded(seed);
  return JSON.stringify(mutated(samples[next(samples.length)], next));
}

/**
 * Reads, checks, draws, plans and freezes what a text holds, then once more as a shared document gives it.
 * @throws with the beginning of the text
 */
export function survive(text: string): "refused" | "bad" | "good" {
  try {
    const { graph, issues } = readAnyText(text, LIBRARY);
    if (!graph) {
      expect(hasErrors(issues)).toBe(true);
      return "refused";
    }
    const isGood = goThrough(graph);
    const doc = new Y.Doc();
    loadGraph(doc, "test", graph);
    goThrough(normalise(doc).graph);
    return isGood ? "good" : "bad";
  } catch (error) {
    throw new Error(text.slice(0, 3000), { cause: error });
  }
}

import { type Graph, type Library, type NodeDefinition, nodeSettings, portsOf, validate } from "@spindle/graph-model";
import { addNode, connect, normalise, setSetting, Undo } from "@spindle/graph-model/shared-doc";
import { expect, test } from "vitest";
import * as Y from "yjs";
import { ME } from "../session/use-document";
import { moveSeeds, seedMode, setSeedMode } from "./seeds";

const seed = { type: "integer", minimum: 0, maximum: 100, "x-widget": "seed" };
const PAINT = {
  plane: "node",
  service: "paint",
  version: "1.0.0",
  label: "Paint",
  live: true,
  inputs: portsOf({ properties: { value: { type: "string" } } }),
  outputs: portsOf({ properties: { value: { type: "string" } } }),
  parameters: [{ name: "seed", required: false, schema: seed }],
  engines: [{ id: "one", label: "One", live: true, plane: "node" }],
  timeoutSeconds: 0,
} as unknown as NodeDefinition;
const library: Library = { find: () => PAINT, all: () => [PAINT] };

function page() {
  const doc = new Y.Doc();
  const undo = new Undo(doc, ME, 0);
  const graph = (): Graph => normalise(doc).graph;
  const [a = "", b = "", c = ""]: string[] = [7, 100, 9].map((value) =>
    addNode(doc, "before", { service: "paint", plane: "node", position: { x: 0, y: 0 }, params: { seed: value } }),
  );
  connect(doc, "before", { node: a, port: "value" }, { node: b, port: "value" });
  const seeds = () => [a, b, c].map((id) => graph().nodes.find((one) => one.id === id)?.params?.seed);
  return { doc, undo, graph, a, b, c, seeds };
}

test("a seed stays, counts up and begins again at its limit, or is drawn anew; all of them in one step", () => {
  const { doc, undo, graph, a, b, c, seeds } = page();
  setSeedMode(doc, graph(), a, "seed", "increment");
  setSeedMode(doc, graph(), b, "seed", "increment");
  moveSeeds(doc, graph(), library, undefined);
  expect(seeds()).toEqual([8, 0, 9]);
  setSeedMode(doc, graph(), c, "seed", "random");
  const before = undo.undoStack.length;
  moveSeeds(doc, graph(), library, undefined, () => 0.5);
  expect(seeds()).toEqual([9, 1, 50]);
  expect(undo.undoStack).toHaveLength(before + 1);
  setSeedMode(doc, graph(), c, "seed", "fixed");
  expect(seedMode(nodeSettings(graph(), c), "seed")).toBe("fixed");
});

test("what a seed does at each run is no problem of the graph, and a node of another part keeps its seed", () => {
  const { doc, graph, a, b, c, seeds } = page();
  for (const id of [a, b, c]) setSeedMode(doc, graph(), id, "seed", "increment");
  expect(validate(graph(), library)).toEqual([]);
  moveSeeds(doc, graph(), library, { of: "to", node: a });
  expect(seeds()).toEqual([8, 100, 9]);
  moveSeeds(doc, graph(), library, { of: "from", node: a });
  expect(seeds()).toEqual([9, 0, 9]);
  setSetting(doc, "before", c, "pinned", { value: "held" });
  moveSeeds(doc, graph(), library, { of: "only", node: c });
  expect(seeds()).toEqual([9, 0, 9]);
});

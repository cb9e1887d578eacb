// Runs of the engine on a record in memory, whose nodes do what a test says.
import { type Graph, type Library, type NodeDefinition, portsOf, resolve } from "@spindle/graph-model";
import type { RegionInput } from "@spindle/schemas";
import { MemoryRecord } from "../record/memory-record.testing.ts";
import type { NodeRunRow } from "../record/node-run.ts";
import type { RecordedOptions, RunRow } from "../record/types.ts";
import { scopeOutputs, unhandled } from "./call.ts";
import { RunExecution } from "./execution.ts";
import { freezeNodes } from "./freeze.ts";
import type { InRun } from "./node-plane.ts";
import type { ExecutionParts } from "./run-context.ts";

type Values = Record<string, unknown>;
/** By node: what it gives, or what it throws. */
export type Does = Record<string, (input: Values, path: string) => Values | Promise<Values>>;

/** A kind of node that does what a test says, on a plane of which there is one server. */
export const kindOf = (service: string, more: object = {}): NodeDefinition => {
  const plane = "plane" in more ? more.plane : "node";
  const engines = [{ id: "default", label: "", plane, draft: false, live: true }];
  const rest = { version: "1", inputs: [], outputs: [], parameters: [], idempotent: true, live: true, timeoutSeconds: 0 };
  return { plane, service, engines, ...rest, ...more } as unknown as NodeDefinition;
};
export const libraryOf = (...kinds: NodeDefinition[]): Library => ({
  find: (_, service) => kinds.find((kind) => kind.service === service),
  all: () => kinds,
});

const kind = (plane: "node" | "comfy", inputs: object, outputs: object, required: string[] = []): NodeDefinition =>
  kindOf(required.length > 0 ? "needs" : plane, {
    plane,
    inputs: portsOf({ properties: inputs, required }),
    outputs: portsOf({ properties: outputs }),
  });
export const PICTURE = { artifact: "00000000-0000-4000-8000-000000000000", mime: "image/png", sha256: "0".repeat(64), size: 1 };
const IMAGE = { "x-comfy-type": "IMAGE", "x-artifact": "image" };
const PICTURES = { image: { ...IMAGE, "x-slot": 0 } };
const ALL = [
  kind("node", { value: {}, word: {} }, { value: {} }),
  kind("comfy", { image: IMAGE, other: IMAGE }, PICTURES),
  kind("comfy", { image: IMAGE }, PICTURES, ["image"]),
];
export const kindsLibrary = libraryOf(...ALL);

export const node = (id: string, params?: Values) => ({
  id,
  service: "node",
  plane: "node",
  status: "pending",
  ...(params ? { params } : {}),
});
export const comfyNode = (id: string, service = "comfy") => ({ id, service, plane: "comfy", status: "pending" });
export const callNode = (id: string, params: Values) => ({ ...node(id, params), service: "graph.call" });
export const edge = (from: string, to: string, metadata: object = {}, edgeKind = "normal") => ({ from, to, kind: edgeKind, metadata });
export const image = (from: string, to: string) => edge(from, to, { sourcePort: "image", targetPort: "image" });
export const graphOf = (nodes: object[], edges: object[], metadata: object = {}, context: object = {}) =>
  ({ schema: "langgraph.v1", workflowId: "w", context, metadata, nodes, edges }) as unknown as Graph;

interface Given {
  does?: Does;
  inputs?: Values;
  rows?: NodeRunRow[];
  options?: RecordedOptions;
  record?: MemoryRecord;
  /** What a worker answers to a prompt of ComfyUI. */
  answer?: (prompt: RegionInput) => { output: Values } | { error: { code: string; message: string; details?: Record<string, unknown> } };
}

export async function runInMemory(
  graph: Graph,
  { does = {}, inputs = {}, rows = [], options = {}, record = new MemoryRecord(), answer }: Given = {},
) {
  const ran: string[] = [];
  const held: string[] = [];
  const prompts: RegionInput[] = [];
  const nodePlane = {
    run: async (row: NodeRunRow, { input }: { input: Values }, { change }: InRun) => {
      const about = { nodeRun: row.id, fence: row.fence };
      ran.push(row.path);
      try {
        const output = (await does[row.node_id]?.(input, row.path)) ?? { value: input.value ?? row.path };
        return (await change({ ...about, change: "succeedHere", output })) !== undefined;
      } catch (cause) {
        const error = { class: "user" as const, code: "E1", message: (cause as Error).message };
        return (await change({ ...about, change: "failHere", error })) !== undefined;
      }
    },
  };
  const workers = {
    dispatch: async (row: NodeRunRow, input: Values) => {
      prompts.push(input as unknown as RegionInput);
      const body = { engine: row.engine, draft: row.draft };
      const moved = await record.change({ nodeRun: row.id, fence: row.fence, change: "dispatch", dispatchIn: 0, input, body });
      const ends = answer?.(input as unknown as RegionInput) ?? { output: {} };
      const about = { nodeRun: row.id, fence: moved?.fence ?? 0 };
      if ("output" in ends) await record.change({ ...about, change: "succeed", output: ends.output });
      else await record.change({ ...about, change: "fail", error: { class: "user", ...ends.error } });
      return moved;
    },
    cancel: async () => {},
  };
  const decisions = {
    wait: async (id: string) => {
      const row = (await record.find(id)) as NodeRunRow;
      if (row.state !== "waiting") return row;
      held.push(row.path); // and somebody goes on at once
      await record.change({ nodeRun: id, fence: row.fence, change: "resume", passed: true, body: { held: "before" } });
      return (await record.find(id)) as NodeRunRow;
    },
  };
  const owned = {
    id: PICTURE.artifact,
    state: "running",
    inputs,
    engines: freezeNodes(graph, kindsLibrary),
    options,
    fence: 0,
    cancel_requested: false,
  };
  const parts = { nodes: record, results: record, nodePlane, workers, cancels: workers, decisions } as unknown as ExecutionParts;
  const execution = new RunExecution(parts, owned as unknown as RunRow, resolve(graph, kindsLibrary), rows);
  await execution.drive();
  const failed: string[] = [];
  for await (const { row } of unhandled(execution.root)) failed.push(row.path);
  const made = [...record.rows.values()];
  return {
    ran,
    held,
    prompts,
    states: Object.fromEntries(made.map((row) => [row.path, row.state])),
    row: (path: string) => made.find((row) => row.path === path),
    limits: record.notes.map(({ path }) => path),
    outputs: scopeOutputs(execution.root),
    /** What makes the run end `failed`. */
    failed,
  };
}

export const fails =
  (message = "boom") =>
  (): Values => {
    throw new Error(message);
  };
export const counts = ({ value }: Values): Values => ({ value: Number(value) + 1 });

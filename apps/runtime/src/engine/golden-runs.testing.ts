// Golden runs: what a release recorded of real runs, and what the engine of now makes of the same graphs, definitions, outcomes and answers. What
// happened outside the engine (outputs, failures, answers, a cancel) is given to it again; what it decided is compared (docs/decisions/0063).
import { type Graph, type NodeDefinition, resolve } from "@spindle/graph-model";
import { isEndedNodeState, type NodeState, type RunEventError, type RunState } from "@spindle/schemas";
import type { NodeChange } from "../record/changes.ts";
import type { FrozenNodes } from "../record/frozen.ts";
import { MemoryRecord } from "../record/memory-record.testing.ts";
import type { ChangedRow, NodeRunRow } from "../record/node-run.ts";
import type { RecordedOptions, RunRow } from "../record/types.ts";
import { type TaskError, verdict } from "../tasks/retry.ts";
import { isAnyCancelled, scopeOutputs, unhandled } from "./call.ts";
import { RunExecution } from "./execution.ts";
import { resolvedAs } from "./freeze.ts";
import { libraryOfFrozen } from "./frozen-graphs.ts";
import type { InRun } from "./node-plane.ts";
import type { ExecutionParts } from "./run-context.ts";

type Values = Record<string, unknown>;

/** What happened to a node run, in order; `error` of a try that failed, `output` of one that did not. */
interface GoldenEvent {
  type: string;
  error?: RunEventError;
  output?: Values;
}

/** A node run as it stands at the end, with the tries behind it. */
export interface GoldenNode {
  path: string;
  node: string;
  state: NodeState;
  attempt: number;
  broken: boolean;
  input: Values | null;
  output: Values | null;
  error: string | null;
  /** An earlier result stood for it, so that it was not tried. There is no cache here: it runs, and gives that result. */
  reused?: true;
  events: GoldenEvent[];
}

export interface GoldenRun {
  name: string;
  graph: Graph;
  definitions: NodeDefinition[];
  engines: FrozenNodes;
  inputs: Values;
  options: RecordedOptions;
  state: RunState;
  outputs: Values | null;
  /** Notes that change no row, such as that a loop was at its limit, by path. */
  notes: string[];
  nodes: GoldenNode[];
}

/** What the engine decided of a run. */
export type GoldenDecisions = Pick<GoldenRun, "state" | "outputs" | "notes"> & { nodes: Omit<GoldenNode, "events" | "node" | "reused">[] };

export const decidedOf = ({ state, outputs, notes, nodes }: GoldenRun): GoldenDecisions => ({
  state,
  outputs,
  notes,
  nodes: nodes.map(({ events: _, node: __, reused: ___, ...decided }) => decided),
});

const TIMINGS = { retryBaseMs: 0 } as never;
/** Events by which the engine, and nobody else, moved a row. */
const ENDS = ["node.succeeded", "node.failed", "node.dead", "node.cancelled"];

/** @throws Error where something happened to a node run that the engine does not begin, or does not let happen */
export async function replayGolden(golden: GoldenRun): Promise<GoldenDecisions> {
  const record = new MemoryRecord();
  const recorded = new Map(golden.nodes.map((node) => [node.path, node]));
  const change = async (row: NodeRunRow, move: object): Promise<ChangedRow> => {
    const now = (await record.find(row.id)) as NodeRunRow;
    const moved = await record.change({ ...move, nodeRun: row.id, fence: now.fence } as NodeChange);
    if (!moved) throw new Error(`${row.path} is ${now.state}, and nothing moves it by ${JSON.stringify(move)}.`);
    return moved;
  };
  /** Lets happen to a node run what did, from its first try on. */
  const happen = async (row: NodeRunRow, move: (event: GoldenEvent, attempt: number) => object | undefined) => {
    const { events } = recorded.get(row.path) ?? { events: [] };
    let attempt = 1;
    for (const event of events) {
      if (event.type === "node.retrying" || event.type === "node.failed") assertVerdict(row.path, event, attempt);
      if (event.type === "node.cancelled") void execution.cancel();
      const next = move(event, attempt);
      if (next) await change(row, next);
      if (event.type === "node.retrying") attempt++;
    }
    if (!events.some(({ type }) => ENDS.includes(type))) throw new Error(`${row.path} begins, which it did not.`);
  };
  const nodePlane = {
    run: async (row: NodeRunRow, { input }: { input: Values }, { change: make }: InRun) => {
      await happen(row, ({ type, error }) => {
        if (type === "node.running") return { change: "begin", input, body: { engine: row.engine, draft: row.draft } };
        if (type === "node.retrying") return { change: "retryHere", error, body: { delayMs: 0 } };
        if (type === "node.cancelled") return { change: "cancel", error };
        return undefined;
      });
      const now = (await record.find(row.id)) as NodeRunRow;
      const last = recorded.get(row.path)?.events.at(-1);
      if (isEndedNodeState(now.state)) return false;
      const about = { nodeRun: row.id, fence: now.fence, input };
      const end = last?.error
        ? ({ ...about, change: "failHere", error: last.error } as const)
        : ({ ...about, change: "succeedHere", output: last?.output ?? {} } as const);
      return (await make(end)) !== undefined;
    },
  };
  const workers = {
    dispatch: async (row: NodeRunRow, input: Values) => {
      const moved = await change(row, { change: "dispatch", dispatchIn: 0, input, body: { engine: row.engine, draft: row.draft } });
      await happen(row, ({ type, error, output }) => {
        if (type === "node.running") return { change: "start", body: { engine: row.engine, draft: row.draft } };
        if (type === "node.retrying") return { change: "retry", error, dispatchIn: 0, body: { delayMs: 0 } };
        if (type === "node.succeeded") return { change: "succeed", output };
        if (type === "node.failed") return { change: "fail", error };
        if (type === "node.cancelled") return { change: "cancel", error };
        return undefined;
      });
      return moved;
    },
    cancel: async () => {},
  };
  const decisions = {
    wait: async (id: string) => {
      const row = (await record.find(id)) as NodeRunRow;
      if (row.state !== "waiting") return row;
      const { output } = recorded.get(row.path) ?? {};
      if (row.held) await change(row, { change: "resume", passed: true, body: { held: "before" } });
      else await change(row, { change: "answer", output: output ?? {} });
      return (await record.find(id)) as NodeRunRow;
    },
  };
  const parts = { nodes: record, results: record, nodePlane, workers, cancels: workers, decisions } as unknown as ExecutionParts;
  const { graph, definitions, engines, inputs, options } = golden;
  const run = { id: "golden", state: "running", inputs, engines, definitions: [], options, fence: 0, cancel_requested: false };
  const resolved = resolvedAs(resolve(graph, libraryOfFrozen(definitions)), engines);
  const execution = new RunExecution(parts, run as unknown as RunRow, resolved, []);
  await execution.drive();
  const isCancelled = execution.life.end() && isAnyCancelled(execution.root);
  const { done: isHandled } = await unhandled(execution.root).next();
  return {
    state: isCancelled ? "cancelled" : isHandled ? "succeeded" : "failed",
    outputs: isCancelled ? null : scopeOutputs(execution.root),
    notes: record.notes.map(({ type, path }) => `${type} ${path}`).sort(),
    nodes: [...record.rows.values()]
      .map(({ path, state, attempt, broken, input, output, error }) => ({
        path,
        state,
        attempt: recorded.get(path)?.reused ? 0 : attempt,
        broken,
        input,
        output,
        error: error?.code ?? null,
      }))
      .sort((a, b) => (a.path < b.path ? -1 : 1)),
  };
}

/** Whether another try follows is the engine's to decide. */
function assertVerdict(path: string, { type, error }: GoldenEvent, attempt: number): void {
  const isAgain = type === "node.retrying";
  const task = { ...error, class: error?.class ?? "user" } as TaskError;
  if (error?.class && verdict(task, attempt, 0, TIMINGS).again !== isAgain)
    throw new Error(`${path}: try ${attempt} failed as ${error.class}, and ${isAgain ? "no" : "another"} try would follow now.`);
}

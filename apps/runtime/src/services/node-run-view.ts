// Node runs as people see them, from their rows, with no more values in one answer than it can hold.
import { definitionGraph, definitionNames, type Graph, isRegionId, nodeTitle } from "@spindle/graph-model";
import type { NodeState, RunEventError } from "@spindle/schemas";
import type { FrozenNodes } from "../record/frozen.ts";
import type { RunHistory } from "../record/record.ts";
import type { Prisma } from "../store/generated/client.ts";
import type { NotRunning } from "../tasks/why-not-running.ts";

/** Inputs and outputs that one answer holds, as JSON. */
const MOST_BYTES = 16 * 1024 * 1024;
/** To measure values is to read them, within the database. */
const MEASURED_AT_ONCE = 100;

interface About {
  node: string;
  /** What the node is called in the run's graph. */
  title: string;
  path: string;
  attempt: number;
  engine: string;
  draft: boolean;
  input: Record<string, unknown> | null;
  /** The answer had grown too large for the input and the output; asked for by its path alone, the node run has them. */
  valuesLeftOut?: true;
  /** When the node run was first dispatched to the workers; only in the list of the node runs of one run. */
  queuedAt?: string;
  startedAt: string | null;
  /** Why the node ran, or why it did not have to. */
  why: string | null;
  /** Why it is not running (DESIGN E18); null while it is, and once it has ended, but for a breakpoint after it. */
  notRunning: NotRunning | null;
}

/** Fields that a state does not list are empty. */
interface Open {
  held: null;
  output: null;
  error: null;
  finishedAt: null;
  reused: false;
}

/** `reused`: an earlier output stands for its own; `held`: at a breakpoint that nobody has left yet. */
export type Standing =
  | (Open & { state: "queued" })
  | (Omit<Open, "held"> & { state: "waiting"; held: "before" | null })
  | (Omit<Open, "error"> & {
      state: "dispatched" | "running";
      /** Why the try before this one failed, told to a page that saw it fail: a row keeps no error while it goes on. */
      error: RunEventError | null;
    })
  | {
      state: "succeeded";
      held: "after" | null;
      output: Record<string, unknown>;
      error: null;
      finishedAt: string;
      reused: boolean;
    }
  | (Omit<Open, "error" | "finishedAt"> & { state: "skipped" | "failed" | "cancelled" | "dead"; error: RunEventError; finishedAt: string });

interface Licensed {
  /** Of the engine, as it was when it was chosen for the run; absent where it had none. */
  licence?: string;
}

export type NodeRunView = About & Licensed & Standing;

export type StoredNodeRun = Prisma.NodeRunGetPayload<{ omit: { input: true } }>;
type Values = Record<"input" | "output", Record<string, unknown> | null>;

export function date(value: Date): string;
export function date(value: Date | null): string | null;
export function date(value: Date | null): string | null {
  return value?.toISOString() ?? null;
}

/**
 * Rows as they are shown, in their order. As many of them have their values as one answer may hold, the first at any rate; no others
 * are read.
 */
export async function viewsOf(
  history: Pick<RunHistory, "sizesOf" | "valuesOf">,
  rows: readonly StoredNodeRun[],
  run: Prisma.RunGetPayload<{ include: { revision: true } }>,
  { withInput = true, waits }: { withInput?: boolean; waits?: ReadonlyMap<string, NotRunning> } = {},
): Promise<NodeRunView[]> {
  const fitting: string[] = [];
  let bytes = 0;
  for (let at = 0; at < rows.length && bytes <= MOST_BYTES; at += MEASURED_AT_ONCE) {
    const ids = rows.slice(at, at + MEASURED_AT_ONCE).map((row) => row.id);
    const sizes = await history.sizesOf(ids, withInput);
    for (const id of ids) {
      bytes += sizes.get(id) ?? 0;
      if (fitting.length === 0 || bytes <= MOST_BYTES) fitting.push(id);
    }
  }
  const values = await history.valuesOf(fitting, withInput);
  const names = titles(run.revision.document as unknown as Graph);
  const engines = run.engines as unknown as FrozenNodes;
  return rows.map((row) => ({ ...view(row, names, values.get(row.id), waits?.get(row.id) ?? null), ...licenceOf(row, engines) }));
}

/** By node id; inside a definition the ids are its own, and the graph's come first. */
function titles(graph: Graph): Map<string, string> {
  const levels = [...definitionNames(graph).map((name) => definitionGraph(graph, name)), graph];
  return new Map(levels.flatMap((level) => level?.nodes.map((node) => [node.id, nodeTitle(node)] as const) ?? []));
}

/** A row does not say of which definition its node is: two nodes with one id, on one engine, have one licence. */
function licenceOf({ nodeId, engine }: StoredNodeRun, engines: FrozenNodes): Licensed {
  const frozen = Object.values(engines).find((level) => level[nodeId]?.engine === engine)?.[nodeId];
  return frozen?.licence ? { licence: frozen.licence } : {};
}

const view = (
  row: StoredNodeRun,
  names: ReadonlyMap<string, string>,
  values: Values | undefined,
  notRunning: NotRunning | null,
): NodeRunView => ({
  node: row.nodeId,
  title: names.get(row.nodeId) ?? (isRegionId(row.nodeId) ? "ComfyUI prompt" : row.nodeId),
  path: row.path,
  attempt: row.attempt,
  engine: row.engine,
  draft: row.draft,
  input: values?.input ?? null,
  ...(values ? {} : { valuesLeftOut: true as const }),
  startedAt: date(row.startedAt),
  why: row.why,
  notRunning,
  ...standing(row, values?.output ?? {}),
});

/** The statement by which rows change (prisma/functions/change_node_runs.sql) gives each state exactly these. */
function standing(row: StoredNodeRun, output: Record<string, unknown>): Standing {
  const state = row.state as NodeState;
  const finishedAt = date(row.finishedAt ?? row.changedAt);
  const error = row.error as unknown as RunEventError;
  switch (state) {
    case "queued":
      return { ...OPEN, state };
    case "waiting":
      return { ...OPEN, state, held: row.held === "before" && !row.passed ? "before" : null };
    case "dispatched":
    case "running":
      return { ...OPEN, state };
    case "succeeded": {
      const held = row.held === "after" && !row.passed ? "after" : null;
      return { ...OPEN, state, held, output, finishedAt, reused: row.reusedFrom !== null };
    }
    case "skipped":
    case "failed":
    case "cancelled":
    case "dead":
      return { ...OPEN, state, error, finishedAt };
    default:
      throw new Error(`A node run has the state ${state satisfies never}.`);
  }
}

const OPEN: Open = { held: null, output: null, error: null, finishedAt: null, reused: false };

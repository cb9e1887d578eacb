// A node run as people see it, from its row.
import { isGroupId } from "@spindle/graph-model";
import type { NodeState, RunEventError } from "@spindle/schemas";
import type { Prisma } from "../store/generated/client.ts";

interface About {
  node: string;
  /** What the node is called in the run's graph. */
  title: string;
  path: string;
  attempt: number;
  engine: string;
  draft: boolean;
  input: Record<string, unknown> | null;
  /** When it was given to the workers, for the first time; only where one run is looked at closely. */
  queuedAt?: string;
  startedAt: string | null;
  /** Why it ran, or why it did not have to. */
  why: string | null;
}

/** What a state does not name, it has not. */
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
      /** Why the try before this one failed, for who saw it fail: a row keeps no error while it goes on. */
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

export type NodeRunView = About & Standing;

export type StoredNodeRun = Prisma.NodeRunGetPayload<{ include: { result: true } }>;

export function date(value: Date): string;
export function date(value: Date | null): string | null;
export function date(value: Date | null): string | null {
  return value?.toISOString() ?? null;
}

export const view = (row: StoredNodeRun, names: ReadonlyMap<string, string>): NodeRunView => ({
  node: row.nodeId,
  title: names.get(row.nodeId) ?? (isGroupId(row.nodeId) ? "ComfyUI prompt" : row.nodeId),
  path: row.path,
  attempt: row.attempt,
  engine: row.engine,
  draft: row.draft,
  input: row.input as Record<string, unknown> | null,
  startedAt: date(row.startedAt),
  why: row.why,
  ...standing(row),
});

/** The statement by which rows change (prisma/functions/change_node_runs.sql) gives each state exactly these. */
function standing(row: StoredNodeRun): Standing {
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
      const output = (row.result?.output ?? {}) as Record<string, unknown>;
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

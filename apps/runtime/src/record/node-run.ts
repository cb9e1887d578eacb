// A node run as the record keeps it: a union by state, so that a row that cannot be (a success without an output, a question without
// a form) cannot be typed. The states are those of schemas/states.
import type { ERROR_NODE_STATES, NodeState, RunEventError } from "@spindle/schemas";
import type { NodeRoute } from "./frozen.ts";

type Values = Record<string, unknown>;

/** Which node run it is. */
interface Identity {
  id: string;
  run_id: string;
  node_id: string;
  path: string;
}

/** What the run froze of the node when it was accepted. */
interface Frozen {
  plane: string;
  service: string;
  version: string;
  engine: string;
  draft: boolean;
  timeout_seconds: number;
  stall_seconds: number;
}

/** How often the node run was tried. */
interface Tries {
  attempt: number;
  /** Raised with each try: what an earlier one says is stale. */
  fence: number;
  /** Tries during which the worker's process died. */
  crashes: number;
  /** Whether a person has let the node run go on from its breakpoint. */
  passed: boolean;
  /** Whether it is to be cancelled: then no other try follows. */
  cancel_requested?: boolean;
}

/** Fields that a state does not name have these values in it. */
interface Bare {
  input: Values | null;
  output: null;
  error: null;
  /** Whether it was skipped because a failure before it was not taken care of. */
  broken: false;
  /** The breakpoint at which it is held, or was held last. */
  held: null;
  /** The node run whose output stands for its own. */
  reused_from: null;
}

type With<Fields> = Omit<Bare, keyof Fields> & Fields;

type Standing =
  | With<{ state: "queued" }>
  | With<{ state: "waiting"; held: "before" }>
  /** `input`: the question, and its form. */
  | With<{ state: "waiting"; input: Values }>
  | With<{ state: "dispatched" | "running"; input: Values }>
  | With<{ state: "succeeded"; output: Values; held: "after" | null; reused_from: string | null }>
  | With<{ state: "skipped"; error: RunEventError; broken: boolean }>
  | With<{ state: Exclude<(typeof ERROR_NODE_STATES)[number], "skipped">; error: RunEventError }>;

export type NodeRunRow = Identity & Frozen & Tries & Standing;

/** A row of the table `node_run`, with the output from `node_result` where there is one. Only its state says what it means. */
export type RawNodeRun = Identity &
  Frozen &
  Tries & {
    state: NodeState;
    input: Values | null;
    output?: Values | null;
    error: RunEventError | null;
    broken: boolean;
    held: "before" | "after" | null;
    reused_from?: string | null;
  };

/** A row that no change leads to: it was written by something else, or is damaged. */
export class ImpossibleNodeRun extends Error {
  readonly nodeRun: string;
  constructor({ id, run_id, path, state }: RawNodeRun, lacks: string) {
    super(`The node run ${path} of run ${run_id} cannot be: it is ${state} without ${lacks}. Its row in node_run has the id ${id}.`);
    this.nodeRun = id;
  }
}

/** @throws ImpossibleNodeRun for a row that lacks what its state has */
export function nodeRunOf(row: RawNodeRun): NodeRunRow {
  return { ...row, ...standingOf(row) };
}

function standingOf(row: RawNodeRun): Standing {
  const { state, input, output, error, broken, held } = row;
  switch (state) {
    case "queued":
      return { ...BARE, state, input };
    case "waiting":
      if (held === "before") return { ...BARE, state, input, held };
      if (!input) throw new ImpossibleNodeRun(row, "a question");
      return { ...BARE, state, input };
    case "dispatched":
    case "running":
      if (!input) throw new ImpossibleNodeRun(row, "an input");
      return { ...BARE, state, input };
    case "succeeded":
      if (!output) throw new ImpossibleNodeRun(row, "an output");
      return { ...BARE, state, input, output, held: held === "after" ? held : null, reused_from: row.reused_from ?? null };
    case "skipped":
      if (!error) throw new ImpossibleNodeRun(row, "a reason");
      return { ...BARE, state, input, error, broken };
    case "failed":
    case "cancelled":
    case "dead":
      if (!error) throw new ImpossibleNodeRun(row, "an error");
      return { ...BARE, state, input, error };
    default:
      throw new Error(`A node run has the state ${state satisfies never}.`);
  }
}

const BARE: Omit<Bare, "input"> = { output: null, error: null, broken: false, held: null, reused_from: null };

/** What the queue and the leases of tasks go by, whatever the rest of the row says: one impossible row holds up no other. */
export type TaskRow = Identity & Frozen & Tries & Pick<RawNodeRun, "state" | "input">;

/** What a change gives back: the parts of a row that every change may touch. */
export type ChangedRow = Pick<
  RawNodeRun,
  "id" | "run_id" | "node_id" | "path" | "state" | "attempt" | "fence" | "crashes" | "error" | "broken" | "held" | "passed"
>;

/** What a change writes and does not give back. */
export interface Written {
  input?: Values | undefined;
  output?: Values | undefined;
  reusedFrom?: string | undefined;
  route?: NodeRoute | undefined;
}

/** A row with the route that a change has given it. */
export function routed<Row extends TaskRow>(row: Row, route: Written["route"]): Row {
  if (!route) return row;
  const { timeoutSeconds, stallSeconds, ...rest } = route;
  return { ...row, ...rest, timeout_seconds: timeoutSeconds, stall_seconds: stallSeconds ?? 0 };
}

/** The row as a change has left it. */
export function changedRow(
  row: TaskRow & Partial<Pick<RawNodeRun, "output" | "reused_from">>,
  changed: ChangedRow,
  { input, output, reusedFrom, route }: Written = {},
): NodeRunRow {
  return nodeRunOf({
    ...routed(row, route),
    ...changed,
    input: input ?? row.input,
    output: output ?? row.output,
    reused_from: reusedFrom ?? row.reused_from,
  });
}

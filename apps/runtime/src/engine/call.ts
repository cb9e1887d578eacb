// `graph.call` (DESIGN G5, SPEC RD): a definition runs inside a node run, as a level of its own.
import { nodeTitle } from "@spindle/graph-model";
import type { NodeMove } from "../record/changes.ts";
import type { NodeRunRow } from "../record/node-run.ts";
import { inTurn, isHandled } from "./edges.ts";
import { cancelled } from "./moves.ts";
import { runOutputs } from "./outputs.ts";
import type { Lifecycle, RunContext } from "./run-context.ts";
import { type Decided, LevelRun, Scope } from "./scope.ts";

/** Runs everything in a level (scheduler.ts). */
export type Walk = (scope: Scope) => Promise<void>;

/** How the nodes inside run, and how a row is changed (node-step.ts). */
interface CallSteps {
  readonly walk: Walk;
  change(row: NodeRunRow, move: NodeMove): Promise<NodeRunRow>;
}

export async function callDefinition(
  context: RunContext,
  steps: CallSteps,
  call: { caller: Scope; definition: string; row: NodeRunRow; values: Record<string, unknown> },
): Promise<void> {
  const { caller, definition, row, values } = call;
  const { rows, resolved, reuse } = context;
  const calling =
    row.state === "queued"
      ? await steps.change(row, { change: "begin", input: values, body: { engine: row.engine, draft: row.draft, definition } })
      : row;
  if (calling.state !== "running") return;
  const isForced = reuse.roleIn(caller, row.node_id) === "force";
  const scope = new Scope(
    new LevelRun(resolved.level(definition), calling.input ?? values, caller.within.depth + 1, isForced),
    `${row.path}/`,
  );
  await steps.walk(scope);
  await conclude(context.life, steps, scope, calling);
  rows.forget(scope);
}

async function conclude({ isCancelled }: Lifecycle, steps: CallSteps, scope: Scope, calling: NodeRunRow): Promise<NodeRunRow> {
  if (isCancelled && isAnyCancelled(scope)) return steps.change(calling, cancelled());
  const { value: failed } = await unhandled(scope).next();
  if (failed) {
    const node = scope.level.node(failed.row.node_id)?.node;
    const error = {
      class: "user" as const,
      code: "call.failed",
      message: `${node ? nodeTitle(node) : failed.row.node_id}: ${String(failed.row.error?.message ?? failed.row.state)}`,
      path: failed.row.path,
    };
    return steps.change(calling, { change: "fail", error });
  }
  return steps.change(calling, { change: "succeed", output: scopeOutputs(scope) });
}

export const isAnyCancelled = ({ within }: Scope): boolean => [...within.decided.values()].some(({ row }) => row.state === "cancelled");

/** The failed rows of a level that no on_failure edge took care of, the first one first; no further than they are asked for. */
export async function* unhandled({ within }: Scope): AsyncGenerator<Decided, undefined> {
  for (const decided of within.decided.values()) {
    const { row, scope } = decided;
    if (!["failed", "dead", "cancelled"].includes(row.state)) continue;
    if (!(await inTurn(() => isHandled(scope, row)))) yield decided;
  }
}

export const scopeOutputs = (scope: Scope): Record<string, unknown> =>
  runOutputs(scope.level, (id) => scope.lookup(id)?.output ?? undefined);

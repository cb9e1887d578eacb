// `graph.call` (DESIGN G5): a definition runs inside a node run, as a level of its own.
import { nodeTitle } from "@spindle/graph-model";
import { runOutputs } from "./outputs.ts";
import type { Running } from "./running.ts";
import { type Decided, type DecidedRow, rootScope, type Scope } from "./scope.ts";

export async function callDefinition(run: Running, name: string, row: DecidedRow, values: Record<string, unknown>): Promise<void> {
  const calling =
    row.state === "queued"
      ? await run.change(row, { change: "begin", input: values, body: { engine: row.engine, draft: row.draft, definition: name } })
      : row;
  if (calling.state !== "running") return;
  const scope = rootScope(run.resolved.level(name), `${row.path}/`, calling.input ?? values);
  await run.enter(scope);
  await run.driveScope(scope);
  const results = run.results(scope);
  if (run.cancelled && results.some(({ row: one }) => one.state === "cancelled"))
    return void (await run.change(calling, {
      change: "cancel",
      error: { class: "cancelled", code: "run.cancelled", message: "Cancelled." },
    }));
  const [failed] = unhandled(run, results);
  if (failed) {
    const node = scope.level.node(failed.row.node_id)?.node;
    const error = {
      class: "user" as const,
      code: "call.failed",
      message: `${node ? nodeTitle(node) : failed.row.node_id}: ${String(failed.row.error?.message ?? failed.row.state)}`,
      path: failed.row.path,
    };
    return void (await run.change(calling, { change: "fail", error }));
  }
  const output = scopeOutputs(run, scope);
  await run.change(calling, { change: "succeed", output });
}

/** The failed rows that no on_failure edge took care of. */
export function unhandled(run: Running, results: readonly Decided[]): Decided[] {
  return results.filter(({ row, scope }) => ["failed", "dead", "cancelled"].includes(row.state) && !run.judge.handled(scope, row));
}

export const scopeOutputs = (run: Running, scope: Scope): Record<string, unknown> =>
  runOutputs(scope.level, (id) => run.lookup(scope, id)?.output ?? undefined);

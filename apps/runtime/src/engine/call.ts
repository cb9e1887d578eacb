// `graph.call` (DESIGN G5): a definition runs inside a node run, as a level of its own.
import { nodeTitle } from "@spindle/graph-model";
import { isHandled } from "./judge.ts";
import { runOutputs } from "./outputs.ts";
import type { Running } from "./running.ts";
import { type Decided, type DecidedRow, Scope } from "./scope.ts";

export async function callDefinition(
  run: Running,
  caller: Scope,
  name: string,
  row: DecidedRow,
  values: Record<string, unknown>,
): Promise<void> {
  const calling =
    row.state === "queued"
      ? await run.change(row, { change: "begin", input: values, body: { engine: row.engine, draft: row.draft, definition: name } })
      : row;
  if (calling.state !== "running") return;
  const scope = Scope.ofLevel(run.resolved.level(name), `${row.path}/`, calling.input ?? values, caller.depth + 1);
  await run.walk(scope);
  await concludeCall(run, scope, calling);
  run.forget(scope);
}

async function concludeCall(run: Running, scope: Scope, calling: DecidedRow): Promise<void> {
  const results = [...scope.decided.values()];
  if (run.cancelled && results.some(({ row: one }) => one.state === "cancelled"))
    return void (await run.change(calling, {
      change: "cancel",
      error: { class: "cancelled", code: "run.cancelled", message: "Cancelled." },
    }));
  const [failed] = unhandled(scope);
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
  const output = scopeOutputs(scope);
  await run.change(calling, { change: "succeed", output });
}

/** The failed rows of a level that no on_failure edge took care of, the first one first. */
export const unhandled = (level: Scope): Decided[] =>
  [...level.decided.values()].filter(({ row, scope }) => ["failed", "dead", "cancelled"].includes(row.state) && !isHandled(scope, row));

export const scopeOutputs = (scope: Scope): Record<string, unknown> =>
  runOutputs(scope.level, (id) => scope.lookup(id)?.output ?? undefined);

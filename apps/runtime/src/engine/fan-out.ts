// `map` (DESIGN E6, SPEC RM): one node run that gathers, one for each element of the list, in the list's order.
import { edgeMetadata, nodeTitle } from "@spindle/graph-model";
import { isEndedNodeState } from "@spindle/schemas";
import pLimit from "p-limit";
import type { NodeMove } from "../record/changes.ts";
import type { Running } from "./running.ts";
import type { DecidedRow, Scope } from "./scope.ts";

const MAX_ELEMENTS = 10_000;
/** Bytes, as JSON, of the values that all elements share: each element's row holds them again. */
const MAX_SHARED = 64 * 1024 * 1024;

/** What a map asks of the steps of a node (node-step.ts). */
interface Steps {
  /** Goes on with an element that has these values. */
  go(scope: Scope, id: string, row: DecidedRow, values: Record<string, unknown>, element: true): Promise<void>;
  set(row: DecidedRow, change: NodeMove): Promise<undefined>;
  fail(row: DecidedRow, code: string, message: string, input?: Record<string, unknown>): Promise<undefined>;
}

const mib = (bytes: number): string => Math.ceil(bytes / 1024 / 1024).toLocaleString("en");

export async function mapOver(
  run: Running,
  steps: Steps,
  scope: Scope,
  id: string,
  row: DecidedRow,
  values: Record<string, unknown>,
  port: string,
): Promise<void> {
  const list = values[port];
  if (!Array.isArray(list)) return steps.fail(row, "node.user_error", `${port}: a list is needed to run once per element.`, values);
  if (list.length > MAX_ELEMENTS)
    return steps.fail(
      row,
      "map.too_many",
      `The list has ${list.length.toLocaleString("en")} elements; a map may have ${MAX_ELEMENTS.toLocaleString("en")}. Split the list.`,
    );
  const shared = Buffer.byteLength(JSON.stringify({ ...values, [port]: undefined })) * list.length;
  if (row.state === "queued" && shared > MAX_SHARED)
    return steps.fail(
      row,
      "map.too_large",
      `Each of the ${list.length.toLocaleString("en")} elements gets the other values of the node again, which makes ${mib(shared)} MiB; the limit is ${mib(MAX_SHARED)}. Pass the large value as a file or another artifact, or shorten the list.`,
    );
  const gathering =
    row.state === "queued"
      ? await run.change(row, { change: "begin", input: values, body: { engine: row.engine, draft: row.draft, elements: list.length } })
      : row;
  if (gathering.state !== "running") return;
  const { limit, tolerate = 0 } = Object(edgeMetadata(scope.level.node(id)?.mapped as never).map) as { limit?: number; tolerate?: number };
  await run.ensure(
    scope,
    list.map((_, index) => run.fresh(scope, id, `${row.path}#${index}`, true)),
  );
  const atOnce = pLimit(limit ?? Math.max(1, list.length));
  const elements: Promise<DecidedRow>[] = [];
  for (const [index, value] of list.entries()) {
    const path = `${row.path}#${index}`;
    if (!isEndedNodeState(run.row(path).state)) await run.begin(scope, id, true);
    const step = (element: DecidedRow) => steps.go(scope, id, element, element.input ?? { ...values, [port]: value }, true);
    const element = atOnce(() => run.untilDecided(path, step));
    element.catch(() => {}); // until all have begun
    elements.push(element);
  }
  const rows = await Promise.all(elements);
  if (run.cancelled && rows.some((one) => one.state === "cancelled"))
    return steps.set(gathering, { change: "cancel", error: { class: "cancelled", code: "run.cancelled", message: "Cancelled." } });
  const failed = rows.filter((one) => one.state !== "succeeded");
  if (failed.length > tolerate) {
    const node = scope.level.node(id)?.node;
    const first = rows.indexOf(failed[0] as DecidedRow);
    const why = String(failed[0]?.error?.message ?? failed[0]?.state);
    return steps.fail(
      gathering,
      "map.failed",
      `${failed.length} of ${list.length} elements of ${node ? nodeTitle(node) : id} failed; ${tolerate} are tolerated. Element ${first + 1}: ${why}`,
    );
  }
  const ports = scope.level.node(id)?.element?.outputs.map((one) => one.name) ?? [];
  const output = Object.fromEntries(ports.map((name) => [name, rows.map((one) => one.output?.[name] ?? null)]));
  await steps.set(gathering, { change: "succeed", output, body: { failed: failed.length } });
}

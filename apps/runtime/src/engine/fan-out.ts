// `map` (DESIGN E6, SPEC RM): a node run for each element of a list, and one that gathers their outputs in the order of the list.
import { edgeMetadata, jsonBytes, nodeTitle } from "@spindle/graph-model";
import { isEndedNodeState } from "@spindle/schemas";
import pLimit from "p-limit";
import type { NodeMove } from "../record/changes.ts";
import type { NodeRunRow } from "../record/node-run.ts";
import { MAX_OUTPUT } from "../record/output-limit.ts";
import { newNodeRun } from "./freeze.ts";
import { cancelled, failed, skipped } from "./moves.ts";
import type { RunContext } from "./run-context.ts";
import type { Scope } from "./scope.ts";

type Values = Record<string, unknown>;

const MAX_ELEMENTS = 10_000;
/** Bytes, as JSON, of the values that all elements share: each element's row holds them again. */
const MAX_SHARED = 64 * 1024 * 1024;

/** How an element runs, and how a row is changed (node-step.ts). */
interface ElementSteps {
  change(row: NodeRunRow, move: NodeMove): Promise<NodeRunRow>;
  begin(scope: Scope, id: string, isElement: true): Promise<void>;
  untilDecided(path: string, step: (row: NodeRunRow) => Promise<unknown>): Promise<NodeRunRow>;
  execute(scope: Scope, id: string, row: NodeRunRow, values: Values, isElement: true): Promise<unknown>;
}

interface MapRun {
  scope: Scope;
  id: string;
  row: NodeRunRow;
  values: Values;
  /** The port that takes the list. */
  port: string;
}

const mib = (bytes: number): string => Math.ceil(bytes / 1024 / 1024).toLocaleString("en");

export async function mapOver({ rows, run, life, engines }: RunContext, steps: ElementSteps, map: MapRun): Promise<unknown> {
  const { scope, id, row, values, port } = map;
  const list = values[port];
  if (!Array.isArray(list))
    return steps.change(row, failed("node.user_error", `${port}: a list is needed to run once per element.`, values));
  if (list.length > MAX_ELEMENTS)
    return steps.change(
      row,
      failed(
        "map.too_many",
        `The list has ${list.length.toLocaleString("en")} elements; a map may have ${MAX_ELEMENTS.toLocaleString("en")}. Split the list.`,
      ),
    );
  const shared = Buffer.byteLength(JSON.stringify({ ...values, [port]: undefined })) * list.length;
  if (row.state === "queued" && shared > MAX_SHARED)
    return steps.change(
      row,
      failed(
        "map.too_large",
        `Each of the ${list.length.toLocaleString("en")} elements gets the other values of the node again, which makes ${mib(shared)} MiB; the limit is ${mib(MAX_SHARED)}. Pass the large value as a file or another artifact, or shorten the list.`,
      ),
    );
  const gathering =
    row.state === "queued"
      ? await steps.change(row, { change: "begin", input: values, body: { engine: row.engine, draft: row.draft, elements: list.length } })
      : row;
  if (gathering.state !== "running") return;
  const { limit, tolerate = 0 } = Object(edgeMetadata(scope.level.node(id)?.mapped as never).map) as { limit?: number; tolerate?: number };
  await rows.add(
    scope,
    list.map((_, index) => newNodeRun(run.engines, scope.level, id, `${row.path}#${index}`, true)),
  );
  const atOnce = pLimit(limit ?? Math.max(1, list.length));
  let gathered = 0;
  const isFull = () => gathered > MAX_OUTPUT;
  const begun: Promise<NodeRunRow>[] = [];
  for (const [index, value] of list.entries()) {
    const path = `${row.path}#${index}`;
    if (!isEndedNodeState(rows.at(path).state)) await steps.begin(scope, id, true);
    const step = (element: NodeRunRow) =>
      isFull() && element.state === "queued"
        ? steps.change(element, skipped(false, "The elements before it gave more than a map can gather."))
        : steps.execute(scope, id, element, element.input ?? { ...values, [port]: value }, true);
    const element = atOnce(async () => {
      const decided = await steps.untilDecided(path, step);
      if (!isFull()) gathered += jsonBytes(decided.output, MAX_OUTPUT - gathered);
      return decided;
    });
    element.catch(() => {}); // until all have begun
    begun.push(element);
  }
  const elements = await Promise.all(begun);
  if (life.isCancelled && elements.some(({ state }) => state === "cancelled")) return steps.change(gathering, cancelled());
  if (isFull())
    return steps.change(
      gathering,
      failed(
        "map.too_large",
        `The outputs of the ${list.length.toLocaleString("en")} elements make more than ${mib(MAX_OUTPUT)} MiB together, which is the limit for what one node gives. Let each element give a file or another artifact, or shorten the list.`,
      ),
    );
  const others = elements.filter(({ state }) => state !== "succeeded");
  if (others.length > tolerate) {
    const node = scope.level.node(id)?.node;
    const first = elements.indexOf(others[0] as NodeRunRow);
    const why = String(others[0]?.error?.message ?? others[0]?.state);
    return steps.change(
      gathering,
      failed(
        "map.failed",
        `${others.length} of ${list.length} elements of ${node ? nodeTitle(node) : id} failed; ${tolerate} are tolerated. Element ${first + 1}: ${why}`,
      ),
    );
  }
  const ports = scope.level.node(id)?.element?.outputs.map(({ name }) => name) ?? [];
  const output = Object.fromEntries(ports.map((name) => [name, elements.map(({ output }) => output?.[name] ?? null)]));
  return steps.change(gathering, {
    change: "succeed",
    output,
    body: { failed: others.length },
    ...engines.followed(scope.level, gathering),
  });
}

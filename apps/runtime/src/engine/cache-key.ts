// The key under which a result is found again, and why a node ran that has none (DESIGN E11).
import { createHash } from "node:crypto";
import { canonicalText, type InputSource, type NodeDefinition, nodeTitle, type Topology } from "@spindle/graph-model";
import { validateArtifactRef } from "@spindle/schemas";
import type { NodeRunRow } from "../record/node-run.ts";
import type { Earlier } from "../record/types.ts";

type Values = Record<string, unknown>;

export const isCacheable = (definition: NodeDefinition): boolean =>
  definition.idempotent && !definition.instant && !definition.human && definition.calls === undefined;

export function cacheKey({ service, version, engine }: Pick<NodeRunRow, "service" | "version" | "engine">, input: Values): string {
  return createHash("sha256")
    .update(canonicalText({ service, version, engine, input: byContent(input) }))
    .digest("hex");
}

/** A value with its artifacts named by their bytes, whatever their ids are. */
export function byContent(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(byContent);
  if (value === null || typeof value !== "object") return value;
  if (validateArtifactRef(value)) return { sha256: value.sha256, mime: value.mime };
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, byContent(one)]));
}

/** Why a node has no earlier result of the same key: what differs from its last success, as a sentence. */
export function whyItRuns(
  row: Pick<NodeRunRow, "service" | "version" | "engine">,
  input: Values,
  last: Earlier | undefined,
  sources: readonly InputSource[],
  shape: Topology,
): string {
  if (!last) return "It has not run in this graph before.";
  if (last.service !== row.service) return `It was ${last.service} before.`;
  if (last.version !== row.version) return `Version ${row.version} is new; the last result is of ${last.version}.`;
  if (last.engine !== row.engine) return `The engine is ${row.engine} now; the last result is of ${last.engine}.`;
  const before = last.input ?? {};
  const changed = [...new Set([...Object.keys(input), ...Object.keys(before)])].filter((name) => text(input[name]) !== text(before[name]));
  const [first] = changed;
  if (first === undefined) return "Its last result is not kept any more.";
  const source = sources.find(({ port }) => port.name === first);
  if (source?.kind !== "wire" && source?.kind !== "upstream") return `Parameter ${first} changed.`;
  const from = shape.node.get(source.from);
  return `${from ? nodeTitle(from) : source.from} gave another ${source.output}.`;
}

const text = (value: unknown): string => (value === undefined ? "" : canonicalText(byContent(value)));

/** Why a region has no earlier result of the same key: which input of which node differs from its last success, as a sentence. */
export function whyRegionRuns(input: Values, last: Earlier | undefined): string {
  if (!last) return "It has not run in this graph before.";
  type Prompt = Record<string, { class_type: string; inputs: Values; _meta?: { title?: string } }>;
  const [now, before] = [(input.prompt ?? {}) as Prompt, (last.input?.prompt ?? {}) as Prompt];
  for (const [id, node] of Object.entries(now)) {
    const title = node._meta?.title ?? id;
    const old = before[id];
    if (!old || old.class_type !== node.class_type) return `${title} is new.`;
    const changed = [...new Set([...Object.keys(node.inputs), ...Object.keys(old.inputs)])].find(
      (name) => text(node.inputs[name]) !== text(old.inputs[name]),
    );
    if (changed !== undefined) return `${changed} of ${title} changed.`;
  }
  return Object.keys(before).some((id) => !(id in now)) ? "A node was removed." : "Its last result is not kept any more.";
}

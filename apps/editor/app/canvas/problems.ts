import type { Issue } from "@spindle/graph-model";

/** What is wrong with a node's values and settings, by the field that shows it. */
export interface Problems {
  /** By parameter or input. */
  values: ReadonlyMap<string, string>;
  settings: ReadonlyMap<string, string>;
}

const NONE: Problems = { values: new Map(), settings: new Map() };
const found = new WeakMap<readonly Issue[], ReadonlyMap<string, Problems>>();

/** The first problem of each field. An empty field is marked as needed, and the list below the canvas says the rest. */
export const problemsOf = (id: string, issues: readonly Issue[]): Problems => problemsByNode(issues).get(id) ?? NONE;

/** By the id of the node; of the graph itself alone, without its definitions. */
export function problemsByNode(issues: readonly Issue[]): ReadonlyMap<string, Problems> {
  const known = found.get(issues);
  if (known) return known;
  const nodes = new Map<string, { values: Map<string, string>; settings: Map<string, string> }>();
  for (const { place, severity, code, message, reason = message, fix } of issues) {
    if (place.node === undefined || place.port === undefined || place.definition !== undefined) continue;
    if (severity === "info" || code === "input.missing") continue;
    const problems = nodes.get(place.node) ?? { values: new Map(), settings: new Map() };
    nodes.set(place.node, problems);
    const fields = place.pointer?.startsWith("/metadata/nodes/") ? problems.settings : problems.values;
    if (!fields.has(place.port)) fields.set(place.port, fix ? `${reason} ${fix}` : reason);
  }
  found.set(issues, nodes);
  return nodes;
}

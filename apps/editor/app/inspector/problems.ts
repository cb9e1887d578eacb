import type { Issue } from "@spindle/graph-model";

/** What is wrong with a node's values and settings, by the field that shows it. */
export interface Problems {
  /** By parameter or input. */
  values: ReadonlyMap<string, string>;
  settings: ReadonlyMap<string, string>;
}

/** The first problem of each field. An empty field is marked as needed, and the list below the canvas says the rest. */
export function problemsOf(id: string, issues: readonly Issue[]): Problems {
  const values = new Map<string, string>();
  const settings = new Map<string, string>();
  for (const { place, severity, code, message, reason = message, fix } of issues) {
    if (place.node !== id || place.port === undefined || place.definition !== undefined) continue;
    if (severity === "info" || code === "input.missing") continue;
    const fields = place.pointer?.startsWith("/metadata/nodes/") ? settings : values;
    if (!fields.has(place.port)) fields.set(place.port, fix ? `${reason} ${fix}` : reason);
  }
  return { values, settings };
}

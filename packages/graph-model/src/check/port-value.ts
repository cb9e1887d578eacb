// Whether values fit the ports that take them. An exported program carries this text (docs/decisions/0051).
import { PORT_TYPES, validateArtifactRef } from "@spindle/schemas";
import type { Port } from "../ports.ts";
import { whyInvalid } from "./invalid.ts";

/** Why a port cannot take a value, as a sentence; undefined if it can. */
export function whyValueUnfit(value: unknown, { type, schema }: Pick<Port, "type" | "schema">): string | undefined {
  const { kind, media = [] } = PORT_TYPES[type] ?? {};
  if (kind !== "artifact") return whyInvalid(value, schema);
  if (!validateArtifactRef(value)) return `a reference to ${type} is needed.`;
  return media.length > 0 && !media.some((start) => value.mime.startsWith(start)) ? `${value.mime} is not ${type}.` : undefined;
}

/** The first value that does not fit its port, as a sentence. */
export function whyUnfit(
  ports: readonly Pick<Port, "name" | "label" | "type" | "required" | "schema">[],
  values: Readonly<Record<string, unknown>>,
): string | undefined {
  for (const port of ports) {
    const value = values[port.name];
    if (value === undefined) {
      if (port.required) return `${port.label} has no value.`;
      continue;
    }
    // A port for a file that the worker has may be given by its name as well.
    const byName = typeof value === "string" && Array.isArray(port.schema.anyOf);
    const why = byName ? whyInvalid(value, port.schema) : whyValueUnfit(value, port);
    if (why) return `${port.label}: ${why}`;
  }
  return undefined;
}

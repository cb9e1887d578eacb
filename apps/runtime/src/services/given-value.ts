import { type Port, portKind, whyInvalid } from "@spindle/graph-model";
import { whyNoArtifact } from "../engine/check-input.ts";

/** Why a port cannot take a value that a person or a caller gave, as a sentence; undefined if it can. */
export const whyValueUnfit = (value: unknown, { type, schema }: Pick<Port, "type" | "schema">): string | undefined =>
  portKind(type) === "artifact" ? whyNoArtifact(value, type) : whyInvalid(value, schema);

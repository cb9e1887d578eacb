import type { SchemaError, Validator } from "@spindle/schemas";
import { Refused } from "../refused.ts";

/** What a text must be, by the definition in `schemas/requests` whose pattern it does not match. */
const FORMS: Readonly<Record<string, string>> = { id: "a UUID is needed", name: "a name is needed" };

/**
 * Reads one kind of request, the same way wherever it comes in.
 *
 * @throws Refused 422 that names the field
 */
export const requestReader =
  <T>(validate: Validator<T>) =>
  (sent: unknown): T => {
    const value = sent ?? {}; // who asks for nothing in particular may send nothing
    if (validate(value)) return value;
    const { field, why } = deepest(validate.errors ?? []);
    throw new Refused(422, "request.invalid", `${field || "The request"}: ${why}.`, field ? { field } : {});
  };

/** Of a value that may have several forms, each is complained about; what lies deepest is nearest to what was meant. */
function deepest(errors: readonly SchemaError[]): { field: string; why: string } {
  const places = errors.map((error) => ({ error, place: placeOf(error) }));
  const depth = Math.max(...places.map(({ place }) => place.length));
  const { error, place } = places.findLast((one) => one.place.length === depth) as (typeof places)[number];
  return { field: place.join("."), why: wordsOf(error) };
}

function placeOf({ instancePath, params }: SchemaError): string[] {
  const parts = instancePath
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  const key = params.missingProperty ?? params.additionalProperty;
  return key === undefined ? parts : [...parts, String(key)];
}

function wordsOf({ keyword, schemaPath, params, message }: SchemaError): string {
  if (keyword === "required") return "a value is needed";
  if (keyword === "additionalProperties") return "there is no such field";
  if (keyword === "enum") return `one of ${(params.allowedValues as unknown[]).join(", ")} is needed`;
  if (keyword === "oneOf") return "the value has none of the forms that are allowed";
  if (keyword === "pattern") return FORMS[/\$defs\/(\w+)\/pattern$/.exec(schemaPath)?.[1] ?? ""] ?? "the character U+0000 is not allowed";
  return `the value ${message?.replace("NOT", "not")}`;
}

// What a person may ask of a value (`x-ports`): the part of JSON Schema that reads every value in time that grows with it alone. A
// `pattern` may take for ever, `uniqueItems` compares all with all, and a `$ref` may lead to itself.

import { isObject } from "../graph.ts";
import { LIMITS, whyTooLarge } from "../limits.ts";

const NUMBERS = [
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "multipleOf",
  "minLength",
  "maxLength",
  "minItems",
  "maxItems",
];
const TYPES = ["string", "number", "integer", "boolean", "array", "object", "null"];
const KEYWORDS = new Set([
  ...NUMBERS,
  "type",
  "title",
  "description",
  "default",
  "examples",
  "enum",
  "const",
  "items",
  "properties",
  "required",
  "format",
]);
const FORMATS = ["date", "time", "date-time", "email", "uri"];
/** Each value of an answer may be compared with each choice, and each of those with all inside it. */
const MOST_CHOICES = 1000;
const LARGEST_CHOICE = { values: 100, characters: 1000 };

/** Why `form` is no JSON Schema object whose properties can be asked for and checked, as a sentence; undefined if it is one. */
export function whyNoForm(form: unknown): string | undefined {
  if (!isObject(form)) return "A form is a JSON Schema object.";
  const fields: [string, unknown][] = [["The form", form]];
  let choices = 0;
  for (let at = 0; at < fields.length; at++) {
    if (at > LIMITS.fields) return `A form has at most ${LIMITS.fields} fields, those inside fields included.`;
    const [name, field] = fields[at] as [string, unknown];
    const why = whyNoField(field);
    if (why) return `${name} ${why}.`;
    const { items, properties, enum: own = [] } = field as { items?: unknown; properties?: unknown; enum?: unknown[] };
    choices += own.length;
    if (choices > MOST_CHOICES) return `A form has at most ${MOST_CHOICES.toLocaleString("en")} choices, those of all its fields together.`;
    if (items !== undefined) fields.push([`An item of ${name}`, items]);
    for (const [key, inner] of Object.entries((properties as object | undefined) ?? {})) fields.push([key.slice(0, 80), inner]);
  }
  return undefined;
}

function whyNoField(field: unknown): string | undefined {
  if (!isObject(field)) return "is no object that describes a value";
  const unknown = Object.keys(field).find((key) => !KEYWORDS.has(key) && !key.startsWith("x-"));
  if (unknown !== undefined) return `asks for ${JSON.stringify(unknown.slice(0, 80))}, which a form cannot check`;
  const { type, enum: choices, properties, required, format } = field;
  const types = Array.isArray(type) ? type : [type];
  if (type !== undefined && !types.every((one) => TYPES.includes(one as string))) return `is of no type: there are ${TYPES.join(", ")}`;
  if (format !== undefined && !FORMATS.includes(format as string)) return `is of no format: there are ${FORMATS.join(", ")}`;
  const number = NUMBERS.find((key) => field[key] !== undefined && !Number.isFinite(field[key]));
  if (number !== undefined) return `has a ${number} that is no number`;
  if (field.multipleOf !== undefined && Number(field.multipleOf) <= 0) return "has a multipleOf that is not above 0";
  if (choices !== undefined && !Array.isArray(choices)) return "has choices that are no list";
  // All choices of the form are counted elsewhere; this looks at no more of them than there may be.
  const large = [...((choices as unknown[] | undefined) ?? []).slice(0, MOST_CHOICES), field.const].find(isLarge);
  if (large !== undefined)
    return `has a choice with more than ${LARGEST_CHOICE.values} values or ${LARGEST_CHOICE.characters.toLocaleString("en")} characters`;
  if (properties !== undefined && !isObject(properties)) return "has properties that are no object";
  if (required !== undefined && !Array.isArray(required)) return "has a list of required fields that is no list";
  return undefined;
}

function isLarge(value: unknown): boolean {
  if (whyTooLarge(value, { depth: LIMITS.depth, values: LARGEST_CHOICE.values })) return true;
  return (JSON.stringify(value)?.length ?? 0) > LARGEST_CHOICE.characters;
}

// Why a value does not fit its JSON Schema, in words for the person who typed it: what is needed, within which limits, in which unit.
import { type OutputUnit, type ValidationResult, Validator } from "@cfworker/json-schema";
import { isObject } from "../object.ts";

type Schema = Readonly<Record<string, unknown>>;

const MOST_SENTENCES = 3;

/**
 * A sentence that says why `value` does not fit `schema`, or undefined if it does. The schema is interpreted: nothing is compiled or
 * evaluated.
 */
export function whyInvalid(value: unknown, schema: Record<string, unknown>): string | undefined {
  if (typeof value === "string" && isPlainText(value, schema)) return undefined;
  const found = validated(value, schema);
  if (found === undefined) return "What is asked for cannot be checked: its JSON Schema cannot be read.";
  if (found.valid) return undefined;
  const errors = withoutRounding(found.errors, value, schema);
  if (errors.length === 0) return undefined;
  const sentences = new Set(errors.flatMap((error) => sentenceOf(error, value, schema) ?? []));
  return [...sentences].slice(0, MOST_SENTENCES).join(" ") || "The value is not valid.";
}

/**
 * The validator compares decimals, so it refuses 0.1 + 0.2 as a multiple of 0.1, and 1 as one of 1/3. Its error goes if the number is a
 * multiple but for the last bits of a double, and with it whatever only says that there is an error inside. Under `not`, `if` and
 * `contains`, where an error may be what makes a value fit, the validator decides alone.
 */
function withoutRounding(errors: readonly OutputUnit[], value: unknown, root: Schema): readonly OutputUnit[] {
  const isRounded = ({ keyword, keywordLocation, instanceLocation }: OutputUnit) =>
    keyword === "multipleOf" && isMultiple(at(value, instanceLocation), schemaAt(root, keywordLocation)?.multipleOf);
  if (errors.length > MOST_ERRORS || !errors.some(isRounded)) return errors;
  const left = new Set(errors.filter((error) => !isRounded(error)));
  const inside = (place: string, { instanceLocation }: OutputUnit): OutputUnit[] =>
    [...left].filter((error) => error.keywordLocation.startsWith(`${place}/`) && isWithin(error.instanceLocation, instanceLocation));
  const isMet = (error: OutputUnit): boolean => {
    const { keyword, keywordLocation } = error;
    if (HOLDERS.has(keyword)) return inside(keywordLocation, error).length === 0;
    if (keyword !== "anyOf" && keyword !== "oneOf") return false;
    const list = schemaAt(root, keywordLocation)?.[keyword];
    const fitting = (Array.isArray(list) ? list : []).filter((_, index) => inside(`${keywordLocation}/${index}`, error).length === 0);
    return keyword === "anyOf" ? fitting.length > 0 : fitting.length === 1;
  };
  for (const error of [...left].sort((a, b) => b.keywordLocation.length - a.keywordLocation.length))
    if (left.has(error) && isMet(error)) for (const each of [error, ...inside(error.keywordLocation, error)]) left.delete(each);
  return [...left];
}

/** Each is compared with all others, so the validator decides alone where there are more. */
const MOST_ERRORS = 1000;

const isWithin = (place: string, outer: string): boolean => place === outer || place.startsWith(`${outer}/`);

/** The count that a division gives is off by a few units in its last place, and far from a whole one for what is no multiple. */
const ROUNDING = 4 * Number.EPSILON;
const MOST_ROUNDING = 0.01;

function isMultiple(value: unknown, divisor: unknown): boolean {
  if (typeof value !== "number" || typeof divisor !== "number") return false;
  const count = value / divisor;
  return Math.abs(count - Math.round(count)) <= Math.min(ROUNDING * Math.abs(count), MOST_ROUNDING);
}

/** Undefined for an error that only says that there is another one inside. */
function sentenceOf({ keyword, keywordLocation, instanceLocation, error }: OutputUnit, value: unknown, root: Schema): string | undefined {
  // Each alternative has errors of its own, of which none says what is wrong with the whole.
  if ((HOLDERS.has(keyword) && !REFUSING.has(keyword)) || /\/(anyOf|oneOf|not)\//.test(keywordLocation)) return undefined;
  const schema = schemaAt(root, keywordLocation);
  const say = SAYS[keyword];
  const sentence = (schema && say?.(schema, at(value, instanceLocation))) ?? (keyword in SAYS ? undefined : error);
  if (sentence === undefined) return undefined;
  const place = steps(instanceLocation).join(".");
  return place === "" ? sentence : `${place}: ${sentence}`;
}

const HOLDERS: ReadonlySet<string> = new Set([
  ...["properties", "patternProperties", "additionalProperties", "unevaluatedProperties", "dependentSchemas"],
  ...["items", "prefixItems", "allOf", "$ref", "false", "if"],
]);

/** What holds others, or refuses all that is not named. */
const REFUSING: ReadonlySet<string> = new Set(["additionalProperties", "unevaluatedProperties"]);

const TYPES: Readonly<Record<string, string>> = {
  string: "a text",
  number: "a number",
  integer: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "an object",
  null: "nothing",
};
const FORMATS: Readonly<Record<string, string>> = {
  date: "A date is needed, as in 2030-01-31.",
  time: "A time is needed, as in 14:30:00Z.",
  "date-time": "A date with a time is needed, as in 2030-01-31T14:30:00Z.",
  email: "An e-mail address is needed.",
  uri: "An address is needed, as in https://example.org.",
};

type Say = (schema: Schema, value: unknown) => string | undefined;

const SAYS: Readonly<Record<string, Say>> = {
  type: ({ type }, value) => `${capital(either([type].flat().map((one) => TYPES[String(one)] ?? String(one))))} is needed${is(value)}`,
  minimum: limits,
  maximum: limits,
  exclusiveMinimum: limits,
  exclusiveMaximum: limits,
  multipleOf: (schema, value) => `A multiple of ${schema.multipleOf}${unitOf(schema)} is needed${is(value)}`,
  minLength: ({ minLength }, value) => `At least ${counted(minLength, "character")}; this has ${lengthOf(value)}.`,
  maxLength: ({ maxLength }, value) => `At most ${counted(maxLength, "character")}; this has ${lengthOf(value)}.`,
  minItems: ({ minItems }, value) => `At least ${counted(minItems, "entry")}; this has ${lengthOf(value)}.`,
  maxItems: ({ maxItems }, value) => `At most ${counted(maxItems, "entry")}; this has ${lengthOf(value)}.`,
  uniqueItems: () => "Each entry may be in it once.",
  enum: ({ enum: choices }, value) => `${capital(either((choices as unknown[]).map(shown)))} is needed${is(value)}`,
  const: (schema, value) => `${shown(schema.const)} is needed${is(value)}`,
  pattern: ({ pattern }) => `It does not have the form ${pattern}.`,
  format: ({ format }) => FORMATS[String(format)] ?? `It is no ${format}.`,
  required: ({ required }, value) => {
    const missing = (required as string[]).filter((name) => !isObject(value) || !Object.hasOwn(value, name));
    return `It lacks ${all(missing.map(shown))}.`;
  },
  additionalProperties: ({ properties, additionalProperties }, value) => {
    if (additionalProperties !== false) return undefined; // what is wrong with it is said inside
    const unknown = Object.keys((value as object) ?? {}).filter((name) => !Object.hasOwn((properties as object) ?? {}, name));
    return unknown.length > 0 ? `It has ${all(unknown.map(shown))}, which nothing asks for.` : undefined;
  },
  anyOf: (schema, value) => alternatives(schema.anyOf, value),
  oneOf: (schema, value) => alternatives(schema.oneOf, value),
};

/** One sentence for both limits, so that a person need not try to find the other. */
function limits(schema: Schema, value: unknown): string {
  const { minimum, maximum, exclusiveMinimum: above, exclusiveMaximum: below } = schema;
  const isRange = minimum !== undefined && maximum !== undefined && above === undefined && below === undefined;
  const from = above !== undefined ? `more than ${above}` : minimum !== undefined ? `at least ${minimum}` : undefined;
  const to = below !== undefined ? `less than ${below}` : maximum !== undefined ? `at most ${maximum}` : undefined;
  const words = isRange ? `from ${minimum} to ${maximum}` : [from, to].filter((one) => one !== undefined).join(", ");
  return `${capital(words)}${unitOf(schema)}${is(value)}`;
}

function alternatives(list: unknown, value: unknown): string {
  const schemas = (Array.isArray(list) ? list : []).filter(isObject);
  const names = schemas.map((one) => (one.enum ? undefined : TYPES[String(one.type)]));
  return names.length > 0 && names.every((one) => one !== undefined)
    ? `${capital(either(names as string[]))} is needed${is(value)}`
    : "It has none of the forms that are allowed.";
}

const MOST_NAMED = 8;
const either = (words: readonly string[]): string => {
  const named = words.slice(0, MOST_NAMED);
  if (words.length > named.length) return `${named.join(", ")} or one of ${words.length - named.length} others`;
  return [named.slice(0, -1).join(", "), named.at(-1) ?? "nothing"].filter(Boolean).join(" or ");
};
const all = (words: readonly string[]): string => [words.slice(0, -1).join(", "), words.at(-1) ?? ""].filter(Boolean).join(" and ");
const capital = (words: string): string => words.charAt(0).toUpperCase() + words.slice(1);
const unitOf = ({ "x-unit": unit }: Schema): string => (typeof unit === "string" ? ` ${unit}` : "");
const counted = (count: unknown, noun: string): string =>
  `${count} ${count === 1 ? noun : noun.endsWith("y") ? `${noun.slice(0, -1)}ies` : `${noun}s`}`;
const lengthOf = (value: unknown): number => (typeof value === "string" ? [...value].length : Array.isArray(value) ? value.length : 0);

const LONGEST = 40;
const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
};
/** What the value is, where that is short enough to help. */
const is = (value: unknown): string => (typeof value === "object" && value !== null ? "." : `; this is ${shown(value)}.`);

/** The validator writes the names in its places as an address has them. */
const steps = (pointer: string): string[] =>
  pointer
    .split("/")
    .slice(1)
    .map((step) => decodeURI(step).replaceAll("~1", "/").replaceAll("~0", "~"));

const at = (value: unknown, pointer: string): unknown =>
  steps(pointer).reduce<unknown>(
    (inner, step) => (inner === null || typeof inner !== "object" ? undefined : (inner as Schema)[step]),
    value,
  );

/** The schema whose keyword is at the place; undefined where the way leads through more than one `$ref` that cannot be followed. */
function schemaAt(root: Schema, location: string): Schema | undefined {
  let inner: unknown = root;
  for (const step of steps(location).slice(0, -1)) {
    if (!isObject(inner) && !Array.isArray(inner)) return undefined;
    inner = (inner as unknown as Schema)[step];
    if (step === "$ref") inner = typeof inner === "string" && inner.startsWith("#") ? at(root, inner) : undefined;
  }
  return isObject(inner) ? inner : undefined;
}

/**
 * Most parameters are texts of which no more is asked than a length, and a validator takes longer to say so than all else that is
 * checked of a node. No text has more characters than units of UTF-16.
 */
function isPlainText(value: string, schema: Record<string, unknown>): boolean {
  if (schema.type !== "string") return false;
  for (const key in schema) {
    const isMet = key === "maxLength" ? value.length <= Number(schema.maxLength) : key === "type" || ANNOTATIONS.has(key);
    if (!isMet && !key.startsWith("x-")) return false;
  }
  return true;
}
const ANNOTATIONS: ReadonlySet<string> = new Set(["title", "description", "default", "examples"]);

/** A capability's schema stays the same object, and making a validator of it takes longer than using that. */
const validators = new WeakMap<object, Validator>();

function validated(value: unknown, schema: Record<string, unknown>): ValidationResult | undefined {
  try {
    const validator = validators.get(schema) ?? new Validator(schema, "2020-12", false);
    validators.set(schema, validator);
    return validator.validate(value);
  } catch {
    return undefined; // the schema has a reference to nowhere, or a pattern that is no regular expression
  }
}

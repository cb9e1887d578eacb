// What is wrong with a capability that a file here defines, as sentences for whoever writes it (docs/adding-a-node.md). ComfyUI's classes
// are not judged: they are as their authors made them.
import { CALL, CHECKED_FORMATS, isObject, nearest, record, whyInvalid } from "@spindle/graph-model";
import { type Capability, PORT_TYPES, validateCapability } from "@spindle/schemas";

type Schema = Readonly<Record<string, unknown>>;
type Place = "input" | "output" | "parameter";

const CATEGORIES = ["Artifacts", "Constants", "Info", "Output", "Testing", "Text and control", "Video", "Voice"];
const TYPES = ["string", "number", "integer", "boolean", "array", "object", "null"];
const ARTIFACTS = Object.keys(PORT_TYPES).filter((type) => PORT_TYPES[type]?.kind === "artifact");

/** 1.0.0, or with a year and a month in front, 2026.01.0. */
const VERSION = /^((0|[1-9]\d*)\.(0|[1-9]\d*)|[1-9]\d{3}\.(0[1-9]|1[0-2]))\.(0|[1-9]\d*)$/;

const ANYWHERE = ["input", "output", "parameter"] as const;

const NUMBERS = ["number", "integer"];

/** What may be said of a port or a parameter beside JSON Schema: where, with which values, and of which types, if not of all. */
export const HINTS: Readonly<Record<string, { at: readonly Place[]; value: Schema; of?: readonly string[] }>> = {
  "x-artifact": { at: ANYWHERE, value: { enum: ARTIFACTS }, of: ["object"] },
  "x-multiline": { at: ANYWHERE, value: { type: "boolean" }, of: ["string"] },
  "x-widget": { at: ANYWHERE, value: { enum: ["slider", "seed"] }, of: NUMBERS },
  "x-unit": { at: ANYWHERE, value: { type: "string", minLength: 1 }, of: NUMBERS },
  "x-step": { at: ANYWHERE, value: { type: "number", exclusiveMinimum: 0 }, of: NUMBERS },
  "x-advanced": { at: ["input", "parameter"], value: { type: "boolean" } },
  "x-variables": { at: ["input", "parameter"], value: { type: "array", items: { type: "string" } }, of: ["string"] },
  "x-by-name": { at: ["input"], value: { type: "boolean" } },
  "x-branch": { at: ["output"], value: { type: "boolean" } },
  "x-branches": { at: ["parameter"], value: { type: "boolean" }, of: ["array"] },
  "x-ports": { at: ["parameter"], value: { enum: ["outputs"] }, of: ["object"] },
};

/** Keywords that hold one schema, a list of them, and several by name. */
const SINGLE = ["items", "contains", "additionalProperties", "propertyNames", "not", "if", "then", "else"];
const LISTS = ["prefixItems", "anyOf", "oneOf", "allOf"];
const NAMED = ["properties", "patternProperties"];
const LIMITS = [
  ["minimum", "maximum"],
  ["minimum", "exclusiveMaximum"],
  ["exclusiveMinimum", "maximum"],
  ["exclusiveMinimum", "exclusiveMaximum"],
  ["minLength", "maxLength"],
  ["minItems", "maxItems"],
  ["minProperties", "maxProperties"],
  ["minContains", "maxContains"],
] as const;
/** What says something about values of these types alone. */
const OF_TYPES: readonly (readonly [types: readonly string[], keywords: readonly string[]])[] = [
  [
    ["number", "integer"],
    ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"],
  ],
  [["string"], ["minLength", "maxLength", "pattern", "format"]],
  [["array"], ["items", "prefixItems", "contains", "minContains", "maxContains", "minItems", "maxItems", "uniqueItems"]],
  [
    ["object"],
    [
      ...["properties", "patternProperties", "additionalProperties", "propertyNames", "required", "dependentRequired"],
      ...["minProperties", "maxProperties"],
    ],
  ],
];
const KEYWORDS = [
  ...["type", "title", "description", "default", "examples", "enum", "const", "required", "pattern", "format", "multipleOf", "uniqueItems"],
  ...["dependentRequired", "deprecated", "readOnly", "writeOnly", "contentMediaType", "contentEncoding", "$comment"],
  ...[SINGLE, LISTS, NAMED, LIMITS].flat(2),
];
const OF_A_PARAMETER = ["name", "type", "description", "required", "default", "schema"];

/** Each sentence names the file first. */
export function faultsOf(capability: Capability): string[] {
  return [...faults(capability)].map((sentence) => `${fileOf(capability)}: ${sentence}`);
}

const fileOf = ({ plane, handler }: Capability): string =>
  plane === "python" ? `workers/python-gpu/${handler.module.replaceAll(".", "/")}.py` : handler.module;

function* faults(capability: Capability): Generator<string> {
  if (!validateCapability(capability)) {
    yield* (validateCapability.errors ?? []).map(({ instancePath, message }) => `${instancePath || "The definition"} ${message}.`);
    return; // what follows is read from a definition of the right shape
  }
  const { id, label, description, version, category, io, parameters = [], engines = [] } = capability;
  if (id === CALL) yield `The id ${quoted(id)} is that of every call of a subgraph.`;
  if (!/^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$/.test(id)) yield `The id ${quoted(id)} is not written like text.shout.`;
  if (!VERSION.test(version)) yield `The version ${quoted(version)} is not written like 1.0.0.`;
  if (label.trim() === "" || description.trim() === "") yield "The label or the description is empty.";
  const { concurrency, timeoutSeconds = 0 } = capability.runtime;
  if (!Number.isInteger(concurrency) || concurrency < 1) yield `The concurrency ${quoted(concurrency)} is no count of at least 1.`;
  if (!Number.isInteger(timeoutSeconds) || timeoutSeconds < 0)
    yield `The time-out ${quoted(timeoutSeconds)} is no whole number of seconds. For none, write 0.`;
  if (!CATEGORIES.includes(category ?? ""))
    yield `There is no category ${quoted(category)}${meant(category, CATEGORIES)} A new one is added to CATEGORIES in packages/node-library/src/faults.ts.`;
  for (const engine of repeated(engines.map((one) => one.id))) yield `Two engines have the id ${quoted(engine)}.`;
  const found = [
    ...faultsOfPorts(io.input, "input", capability),
    ...faultsOfPorts(io.output, "output", capability),
    ...repeated(parameters.map((one) => one.name)).map((name) => `Two parameters have the name ${quoted(name)}.`),
    ...parameters.flatMap((parameter) => [...faultsOfParameter(parameter, capability)]),
  ];
  yield* found.length > 0 ? found : faultsOfExamples(capability);
}

function* faultsOfPorts(schema: Schema, place: "input" | "output", capability: Capability): Generator<string> {
  if (schema.type !== "object" || !isObject(schema.properties))
    yield `The ${place} is no JSON Schema with type: "object" and properties; each property is a port.`;
  for (const name of unknownNames(schema)) yield `required of the ${place} names ${name}`;
  const hints = Object.keys(schema).filter((key) => key.startsWith("x-"));
  for (const key of hints) yield `The ${place} has ${quoted(key)}, which is a hint for one of its properties alone.`;
  const judged = new Set(["properties", "required", ...hints]);
  const rest = Object.fromEntries(Object.entries(schema).filter(([key]) => !judged.has(key)));
  yield* faultsOfForm({ ...rest, type: "object" }, `The ${place}`, place, capability);
  for (const [name, port] of Object.entries(record(schema.properties))) {
    const where = `The ${place} ${quoted(name)}`;
    yield* faultOfName(name, where);
    yield* faultsOfSchema(port, where, place, capability);
  }
}

function* faultsOfParameter(parameter: NonNullable<Capability["parameters"]>[number], capability: Capability): Generator<string> {
  const { name, type, schema = {} } = parameter;
  const where = `The parameter ${quoted(name)}`;
  for (const key of Object.keys(parameter).filter((one) => !OF_A_PARAMETER.includes(one)))
    yield `${where} has ${quoted(key)}, which is nothing that a parameter has${meant(key, OF_A_PARAMETER)}`;
  yield* faultOfName(name, where);
  if (Object.hasOwn(record(capability.io.input.properties), name)) yield `${where} has the name of an input.`;
  if (!TYPES.includes(type)) yield `${where} has the type ${quoted(type)}, which does not exist${meant(type, TYPES)}`;
  else if (schema.type !== undefined && schema.type !== type)
    yield `${where} has the type ${quoted(type)}, and its schema the type ${quoted(schema.type)}.`;
  const whole = TYPES.includes(type) ? { type, ...schema } : schema;
  const found = [...faultsOfSchema(whole, where, "parameter", capability)];
  yield* found;
  if (found.length === 0) yield* faultOfDefault(parameter.default, whole, where);
}

function* faultsOfExamples({ examples = [], io, parameters = [] }: Capability): Generator<string> {
  const [inputs, outputs] = [record(io.input.properties), record(io.output.properties)];
  const settings = Object.fromEntries(parameters.map(({ name, type, schema }) => [name, { type, ...schema }]));
  const names = [...((io.input.required ?? []) as string[]), ...parameters.filter(({ required }) => required).map(({ name }) => name)];
  const required = names.filter((name) => !("x-artifact" in record(inputs[name]))); // nobody has a file in an example
  const hasOwnOutputs = Object.values(settings).some((schema) => "x-ports" in schema || "x-branches" in schema);
  for (const [at, example] of examples.entries()) {
    const where = `Example ${at + 1}`;
    const { input, output = {}, ...others } = record(example);
    if (!isObject(input) || !isObject(output) || Object.keys(others).length > 0) {
      yield `${where} is not written like { input: { ... }, output: { ... } }, each by name.`;
      continue;
    }
    for (const name of required) if (!Object.hasOwn(input, name)) yield `${where} lacks the input ${quoted(name)}, which is required.`;
    yield* faultsOfNamed(input, { ...inputs, ...settings }, `${where} has the input`);
    if (!hasOwnOutputs) yield* faultsOfNamed(output, outputs, `${where} has the output`);
  }
}

function* faultsOfNamed(values: Schema, schemas: Schema, where: string): Generator<string> {
  for (const [name, value] of Object.entries(values)) {
    const why = whyUnlike(value, record(schemas[name]));
    if (!Object.hasOwn(schemas, name)) yield `${where} ${quoted(name)}, which is not there${meant(name, Object.keys(schemas))}`;
    else if (why) yield `${where} ${quoted(name)}. ${why}`;
  }
}

/** Why a value that a definition names itself does not fit; a file is no value that could be named. */
const whyUnlike = (value: unknown, schema: Schema): string | undefined => ("x-artifact" in schema ? undefined : whyInvalid(value, schema));

function* faultOfName(name: string, where: string): Generator<string> {
  if (name === "" || /\s/.test(name)) yield `${where} has a name that is empty or has a space in it.`;
}

function* faultOfDefault(value: unknown, schema: Schema, where: string): Generator<string> {
  const why = value === undefined ? undefined : whyUnlike(value, schema);
  if (why) yield `The default of ${lower(where)} does not fit its schema. ${why}`;
}

/** What is wrong with how a schema is written; if nothing is, then with the values that it names itself. */
function* faultsOfSchema(schema: unknown, where: string, place: Place, capability: Capability): Generator<string> {
  if (typeof schema === "boolean") return;
  if (!isObject(schema)) return yield `${where} is described by no JSON Schema.`;
  const found = [...faultsOfForm(schema, where, place, capability)];
  yield* found.length > 0 ? found : faultsOfValues(schema, where);
}

function* faultsOfForm(schema: Schema, where: string, place: Place, capability: Capability): Generator<string> {
  for (const type of [schema.type ?? []].flat())
    if (!TYPES.includes(type as string)) yield `${where} has the type ${quoted(type)}, which does not exist${meant(type, TYPES)}`;
  for (const [key, value] of Object.entries(schema)) {
    if (key.startsWith("x-")) yield* faultsOfHint(key, value, { schema, where, place }, capability);
    else if (!KEYWORDS.includes(key)) yield `${where} has ${quoted(key)}, which is no keyword that is checked${meant(key, KEYWORDS, "")}`;
  }
  for (const [least, most] of LIMITS) {
    const [from, to] = [schema[least], schema[most]];
    if (typeof from !== "number" || typeof to !== "number") continue;
    if (from > to) yield `${where} has a ${least} above its ${most}.`;
    else if (from === to && /exclusive/.test(least + most)) yield `${where} has a ${least} and an equal ${most}: no number lies between.`;
  }
  for (const key of new Set(LIMITS.flat())) {
    const value = schema[key];
    const isCount = !/imum$/i.test(key);
    if (value !== undefined && !(isCount ? Number.isInteger(value) && Number(value) >= 0 : Number.isFinite(value)))
      yield `${where} has a ${key} that is no ${isCount ? "count" : "number"}.`;
  }
  if (hasNoNumber(schema)) yield `${where} has limits between which there is no number of its type.`;
  yield* faultsOfTypes(schema, where);
  if (schema.enum !== undefined && !(Array.isArray(schema.enum) && schema.enum.length > 0)) yield `${where} has an enum without choices.`;
  if (schema.multipleOf !== undefined && !(Number(schema.multipleOf) > 0 && Number.isFinite(schema.multipleOf)))
    yield `${where} has a multipleOf that is no number above 0.`;
  if (schema.format !== undefined && !CHECKED_FORMATS.includes(schema.format as string))
    yield `${where} has the format ${quoted(schema.format)}, which nothing checks${meant(schema.format, CHECKED_FORMATS)}`;
  if (!Array.isArray(schema.examples ?? [])) yield `${where} has "examples", which is no list.`;
  if (Array.isArray(schema.type) && schema.type.length === 0) yield `${where} has a list of types without any.`;
  if (schema.pattern !== undefined && !isPattern(schema.pattern)) yield `${where} has a pattern that is no regular expression.`;
  for (const pattern of Object.keys(record(schema.patternProperties)))
    if (!isPattern(pattern)) yield `${where} has patternProperties with ${quoted(pattern)}, which is no regular expression.`;
  for (const key of LISTS)
    if (schema[key] !== undefined && !(Array.isArray(schema[key]) && schema[key].length > 0))
      yield `${where} has ${quoted(key)}, which is no list of schemas.`;
  for (const key of NAMED)
    if (schema[key] !== undefined && !isObject(schema[key])) yield `${where} has ${quoted(key)}, which is no object with a schema by name.`;
  if (schema.properties !== undefined || !isNames(schema.required))
    for (const name of unknownNames(schema)) yield `${where} has a list of required properties with ${name}`;
  const inner = [
    ...SINGLE.map((key) => [key, schema[key]] as const),
    ...LISTS.flatMap((key) => (Array.isArray(schema[key]) ? schema[key] : []).map((part) => [key, part] as const)),
    ...NAMED.flatMap((key) => Object.entries(record(schema[key]))),
  ];
  for (const [key, part] of inner) if (part !== undefined) yield* faultsOfSchema(part, `${where}, ${key},`, place, capability);
}

/** What can hold for no value of the schema's own type. */
function* faultsOfTypes(schema: Schema, where: string): Generator<string> {
  const own = [schema.type ?? []].flat() as string[];
  if (own.length === 0 || !own.every((type) => TYPES.includes(type))) return;
  for (const [types, keywords] of OF_TYPES)
    if (!types.some((type) => own.includes(type)))
      for (const key of keywords.filter((one) => schema[one] !== undefined))
        yield `${where} has ${quoted(key)}, which says nothing about the type ${own.map(quoted).join(" or ")}.`;
}

/** Whether the limits of a number leave none: whole ones, if it is an integer, and those that multipleOf leaves. */
function hasNoNumber({ type, minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf }: Schema): boolean {
  if (type !== "integer" && multipleOf === undefined) return false;
  const step = typeof multipleOf === "number" && multipleOf > 0 ? multipleOf : 1;
  const isNumber = (value: unknown) => typeof value === "number";
  const least = Math.max(...[minimum, exclusiveMinimum].filter(isNumber));
  const most = Math.min(...[maximum, exclusiveMaximum].filter(isNumber));
  const first = Math.floor(least / step);
  if (!Number.isFinite(most) || !Number.isSafeInteger(first) || least > most) return false;
  // One of these is the least multiple within the limits. 3 * 0.1 is 0.30000000000000004, which is above 0.3 and no other multiple than it.
  const near = [first, first + 1, first + 2].map((count) => {
    const [exact, decimal] = [count * step, Number((count * step).toPrecision(15))];
    return Number.isInteger(exact) || whyInvalid(decimal, { multipleOf: step }) !== undefined ? exact : decimal;
  });
  const limits = { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf: step };
  return near.every((value) => whyInvalid(value, limits) !== undefined);
}

/** The choices, the constant, the examples and the default, each beside all else that the schema says. */
function* faultsOfValues(schema: Schema, where: string): Generator<string> {
  const { enum: choices, const: constant, ...rest } = schema;
  if ("x-artifact" in schema) return;
  const beside = "const" in schema ? [[constant, choices === undefined ? rest : { ...rest, enum: choices }] as const] : [];
  for (const [choice, others] of [...((choices ?? []) as unknown[]).map((each) => [each, rest] as const), ...beside]) {
    const why = whyInvalid(choice, others);
    if (why) yield `${where} has the choice ${quoted(choice)}. ${why}`;
  }
  for (const example of (schema.examples ?? []) as unknown[]) {
    const why = whyInvalid(example, schema);
    if (why) yield `${where} has the example ${quoted(example)}. ${why}`;
  }
  yield* faultOfDefault(schema.default, schema, where);
}

function* faultsOfHint(
  key: string,
  value: unknown,
  { schema, where, place }: { schema: Schema; where: string; place: Place },
  { io }: Capability,
): Generator<string> {
  const hint = HINTS[key];
  if (!hint) return yield `${where} has ${quoted(key)}, a hint that nothing reads${meant(key, Object.keys(HINTS))}`;
  if (!hint.at.includes(place)) return yield `${where} has ${quoted(key)}, which is a hint for ${hint.at.join(" and ")} alone.`;
  const why = whyInvalid(value, hint.value);
  if (why) return yield `${where} has ${key}: ${quoted(value)}${meant(value, (hint.value.enum as string[] | undefined) ?? [], why)}`;
  const own = [schema.type ?? []].flat() as string[];
  if (hint.of && own.length > 0 && !own.some((type) => hint.of?.includes(type)))
    return yield `${where} has ${quoted(key)}, which says nothing about the type ${own.map(quoted).join(" or ")}.`;
  if (key !== "x-variables") return;
  const inputs = Object.keys(record(io.input.properties));
  for (const name of (value as string[]).map((one) => one.replace(/\.\*$/, "")))
    if (!inputs.includes(name)) yield `${where} has ${key} with ${quoted(name)}, which is no input${meant(name, inputs)}`;
}

/** The names in `required` that no property has, each with the one that was probably meant. */
function unknownNames({ required = [], properties }: Schema): string[] {
  if (!isNames(required)) return ["what is no list of names."];
  const known = Object.keys(record(properties));
  return required.filter((name) => !known.includes(name)).map((name) => `${quoted(name)}, which is not there${meant(name, known)}`);
}

const isNames = (value: unknown = []): value is string[] => Array.isArray(value) && value.every((name) => typeof name === "string");

function isPattern(pattern: unknown): boolean {
  try {
    return typeof pattern === "string" && new RegExp(pattern, "u") instanceof RegExp;
  } catch {
    return false;
  }
}

/** The end of a sentence about a name that is not among those known: the nearest of them, or what there is instead. */
function meant(name: unknown, known: readonly string[], otherwise?: string): string {
  const near = typeof name === "string" ? nearest(name, known) : undefined;
  if (near !== undefined) return `. Did you mean ${quoted(near)}?`;
  return `. ${otherwise ?? `There are: ${known.join(", ")}.`}`.trim();
}

const repeated = (names: readonly string[]): string[] => [...new Set(names.filter((name, at) => names.indexOf(name) !== at))];
const quoted = (value: unknown): string => JSON.stringify(value) ?? "undefined";
const lower = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

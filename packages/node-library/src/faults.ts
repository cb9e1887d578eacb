// What is wrong with a capability that a file here defines, as sentences for whoever writes it (docs/adding-a-node.md). ComfyUI's classes
// are not judged: they are as their authors made them.
import { CALL, isObject, nearest, record, whyInvalid } from "@spindle/graph-model";
import { type Capability, PORT_TYPES, validateCapability } from "@spindle/schemas";

type Schema = Readonly<Record<string, unknown>>;
type Place = "input" | "output" | "parameter";

const CATEGORIES = ["Artifacts", "Constants", "Info", "Output", "Testing", "Text and control", "Video", "Voice"];
const TYPES = ["string", "number", "integer", "boolean", "array", "object", "null"];
const ARTIFACTS = Object.keys(PORT_TYPES).filter((type) => PORT_TYPES[type]?.kind === "artifact");

const ANYWHERE = ["input", "output", "parameter"] as const;

/** What may be said of a port or a parameter beside JSON Schema: where, and with which values. */
export const HINTS: Readonly<Record<string, { at: readonly Place[]; value: Schema }>> = {
  "x-artifact": { at: ANYWHERE, value: { enum: ARTIFACTS } },
  "x-multiline": { at: ANYWHERE, value: { type: "boolean" } },
  "x-widget": { at: ANYWHERE, value: { enum: ["slider", "seed"] } },
  "x-unit": { at: ANYWHERE, value: { type: "string", minLength: 1 } },
  "x-step": { at: ANYWHERE, value: { type: "number", exclusiveMinimum: 0 } },
  "x-advanced": { at: ["input", "parameter"], value: { type: "boolean" } },
  "x-variables": { at: ["input", "parameter"], value: { type: "array", items: { type: "string" } } },
  "x-by-name": { at: ["input"], value: { type: "boolean" } },
  "x-branch": { at: ["output"], value: { type: "boolean" } },
  "x-branches": { at: ["parameter"], value: { type: "boolean" } },
  "x-ports": { at: ["parameter"], value: { enum: ["outputs"] } },
};

/** Keywords that hold one schema, a list of them, and several by name. */
const SINGLE = ["items", "contains", "additionalProperties", "propertyNames", "not", "if", "then", "else"];
const LISTS = ["prefixItems", "anyOf", "oneOf", "allOf"];
const NAMED = ["properties", "patternProperties"];
const LIMITS = [
  ["minimum", "maximum"],
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
  if (!/^\d+\.\d+\.\d+$/.test(version)) yield `The version ${quoted(version)} is not written like 1.0.0.`;
  if (label.trim() === "" || description.trim() === "") yield "The label or the description is empty.";
  if (!CATEGORIES.includes(category ?? ""))
    yield `There is no category ${quoted(category)}${meant(category, CATEGORIES)} A new one is added to CATEGORIES in packages/node-library/src/faults.ts.`;
  for (const engine of repeated(engines.map((one) => one.id))) yield `Two engines have the id ${quoted(engine)}.`;
  for (const place of ["input", "output"] as const) yield* faultsOfPorts(io[place], place, capability);
  for (const name of repeated(parameters.map((one) => one.name))) yield `Two parameters have the name ${quoted(name)}.`;
  for (const parameter of parameters) yield* faultsOfParameter(parameter, capability);
}

function* faultsOfPorts(schema: Schema, place: "input" | "output", capability: Capability): Generator<string> {
  if (schema.type !== "object" || !isObject(schema.properties))
    yield `The ${place} is no JSON Schema with type: "object" and properties; each property is a port.`;
  for (const name of unknownNames(schema)) yield `required of the ${place} names ${name}`;
  for (const [name, port] of Object.entries(record(schema.properties))) {
    const where = `The ${place} ${quoted(name)}`;
    yield* faultsOfSchema(port, where, place, capability);
    yield* faultOfDefault(record(port).default, record(port), where);
  }
}

function* faultsOfParameter(parameter: NonNullable<Capability["parameters"]>[number], capability: Capability): Generator<string> {
  const { name, type, schema = {} } = parameter;
  const where = `The parameter ${quoted(name)}`;
  for (const key of Object.keys(parameter).filter((one) => !OF_A_PARAMETER.includes(one)))
    yield `${where} has ${quoted(key)}, which is nothing that a parameter has${meant(key, OF_A_PARAMETER)}`;
  if (Object.hasOwn(record(capability.io.input.properties), name)) yield `${where} has the name of an input.`;
  if (!TYPES.includes(type)) yield `${where} has the type ${quoted(type)}, which does not exist${meant(type, TYPES)}`;
  else if (schema.type !== undefined && schema.type !== type)
    yield `${where} has the type ${quoted(type)}, and its schema the type ${quoted(schema.type)}.`;
  yield* faultsOfSchema(TYPES.includes(type) ? { type, ...schema } : schema, where, "parameter", capability);
  yield* faultOfDefault(parameter.default ?? schema.default, TYPES.includes(type) ? { type, ...schema } : schema, where);
}

function* faultOfDefault(value: unknown, schema: Schema, where: string): Generator<string> {
  const why = value === undefined || "x-artifact" in schema ? undefined : whyInvalid(value, schema);
  if (why) yield `The default of ${lower(where)} does not fit its schema. ${why}`;
}

function* faultsOfSchema(schema: unknown, where: string, place: Place, capability: Capability): Generator<string> {
  if (typeof schema === "boolean") return;
  if (!isObject(schema)) return yield `${where} is described by no JSON Schema.`;
  for (const type of [schema.type ?? []].flat())
    if (!TYPES.includes(type as string)) yield `${where} has the type ${quoted(type)}, which does not exist${meant(type, TYPES)}`;
  for (const [key, value] of Object.entries(schema)) {
    if (key.startsWith("x-")) yield* faultsOfHint(key, value, where, place, capability);
    else if (!KEYWORDS.includes(key)) yield `${where} has ${quoted(key)}, which is no keyword that is checked${meant(key, KEYWORDS, "")}`;
  }
  for (const [least, most] of LIMITS) {
    const [from, to] = [schema[least], schema[most]];
    for (const [key, value] of [[least, from] as const, [most, to] as const]) {
      const isCount = !/imum$/i.test(key);
      if (value !== undefined && !(isCount ? Number.isInteger(value) && Number(value) >= 0 : Number.isFinite(value)))
        yield `${where} has a ${key} that is no ${isCount ? "count" : "number"}.`;
    }
    if (typeof from === "number" && typeof to === "number" && from > to) yield `${where} has a ${least} above its ${most}.`;
  }
  yield* faultsOfTypes(schema, where);
  if (schema.enum !== undefined && !(Array.isArray(schema.enum) && schema.enum.length > 0)) yield `${where} has an enum without choices.`;
  if (schema.multipleOf !== undefined && !(Number(schema.multipleOf) > 0 && Number.isFinite(schema.multipleOf)))
    yield `${where} has a multipleOf that is no number above 0.`;
  if (Array.isArray(schema.type) && schema.type.length === 0) yield `${where} has a list of types without any.`;
  if (schema.pattern !== undefined && !isPattern(schema.pattern)) yield `${where} has a pattern that is no regular expression.`;
  for (const name of unknownNames(schema)) yield `${where} has a list of required properties with ${name}`;
  const inner = [
    ...SINGLE.map((key) => [key, schema[key]] as const),
    ...LISTS.flatMap((key) => [schema[key] ?? []].flat().map((one) => [key, one] as const)),
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
  const choices = [...(Array.isArray(schema.enum) ? schema.enum : []), ...("const" in schema ? [schema.const] : [])];
  for (const choice of choices) {
    const why = whyInvalid(choice, { type: schema.type });
    if (why) yield `${where} has the choice ${quoted(choice)}. ${why}`;
  }
}

function* faultsOfHint(key: string, value: unknown, where: string, place: Place, { io }: Capability): Generator<string> {
  const hint = HINTS[key];
  if (!hint) return yield `${where} has ${quoted(key)}, a hint that nothing reads${meant(key, Object.keys(HINTS))}`;
  if (!hint.at.includes(place)) return yield `${where} has ${quoted(key)}, which is a hint for ${hint.at.join(" and ")} alone.`;
  const why = whyInvalid(value, hint.value);
  if (why) return yield `${where} has ${key}: ${quoted(value)}${meant(value, (hint.value.enum as string[] | undefined) ?? [], why)}`;
  if (key !== "x-variables") return;
  const inputs = Object.keys(record(io.input.properties));
  for (const name of (value as string[]).map((one) => one.replace(/\.\*$/, "")))
    if (!inputs.includes(name)) yield `${where} has ${key} with ${quoted(name)}, which is no input${meant(name, inputs)}`;
}

/** The names in `required` that no property has, each with the one that was probably meant. */
function unknownNames({ required = [], properties }: Schema): string[] {
  if (!Array.isArray(required)) return ["what is no list of names."];
  const known = Object.keys(record(properties));
  return required.filter((name) => !known.includes(name)).map((name) => `${quoted(name)}, which is not there${meant(name, known)}`);
}

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

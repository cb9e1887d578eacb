// One input of ComfyUI's /object_info -> the JSON Schema of a port (server.py node_info, comfy_api/latest/_io.py).
import { COMFY_TYPES, PORT_TYPES } from "@spindle/schemas";

type Options = Record<string, unknown>;
export type PortSchema = Record<string, unknown>;

/** Several ports where the input grows, or brings inputs of its own with each choice. */
export type Ports = [name: string, schema: PortSchema, required: boolean][];

/** What an input is under certain values of others. */
interface Variant {
  when: Record<string, unknown[]>;
  required: boolean;
  schema: PortSchema;
}

/** More of them are not offered on a canvas. */
const GROWS_TO = 16;
/** Inputs inside inputs; ComfyUI's own nodes nest them twice. */
const DEPTH = 4;
/** Inputs of one class, those of all choices and rows together. */
const MOST_INPUTS = 2000;
/** Choices of all its inputs: a folder of files is offered by some of them, and again in each row. */
const MOST_CHOICES = 200_000;
const SEEDS = new Set(["seed", "noise_seed"]);
const UPLOADS = { image_upload: "image", audio_upload: "audio", video_upload: "video", file_upload: "file" } as const;

export const object = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === "object" && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
export const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
export const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
export const textsOf = (value: unknown): string[] => list(value).filter((item): item is string => typeof item === "string");

/** How deep an input lies in others, and how many the class has so far. */
interface Nest {
  depth: number;
  count: { inputs: number; choices: number };
}

/** For the inputs of one class. */
export const outermost = (): Nest => ({ depth: 0, count: { inputs: 0, choices: 0 } });
const inside = ({ depth, count }: Nest): Nest => ({ depth: depth + 1, count });

/**
 * @param spec `[type, options]`, as the pack's author wrote it: anything that ComfyUI can write as JSON
 * @throws Error if the class has too many inputs
 */
export function inputPorts(name: string, spec: unknown, required: boolean, nest: Nest): Ports {
  if (!Array.isArray(spec) || nest.depth > DEPTH) return [];
  if (++nest.count.inputs > MOST_INPUTS) throw new Error(`it has more than ${MOST_INPUTS} inputs`);
  nest.count.choices += Array.isArray(spec[0]) ? spec[0].length : list(object(spec[1]).options).length;
  if (nest.count.choices > MOST_CHOICES) throw new Error(`its inputs have more than ${MOST_CHOICES} choices`);
  const [type, options] = [spec[0] as unknown, object(spec[1])];
  if (type === "COMFY_AUTOGROW_V3") return growing(name, options, required, nest);
  if (type === "COMFY_DYNAMICCOMBO_V3") return choosing(name, options, required, nest);
  if (type === "COMFY_DYNAMICGROUP_V3") return rows(name, options, nest);
  const schema = inputSchema(name, type, options);
  if (textOf(options.tooltip)) schema.description = textOf(options.tooltip);
  if (textOf(options.display_name)) schema.title = textOf(options.display_name);
  if (options.advanced === true) schema["x-advanced"] = true;
  return [[name, schema, required && !("default" in schema)]];
}

/** Objects are filled and not spread: a server has tens of thousands of inputs. */
function inputSchema(name: string, type: unknown, options: Options): PortSchema {
  if (Array.isArray(type)) return combo(type, options);
  if (type === "COMBO") return combo(list(options.options), options);
  const comfy = comfyTypeOf(type, options);
  const port = portOf(comfy);
  const schema: PortSchema = { "x-comfy-type": comfy };
  if (port === undefined) return schema;
  if (isMedia(port)) {
    schema["x-artifact"] = port;
    return schema;
  }
  schema.type = port;
  const mustBeWired = options.forceInput === true; // then it has no default of its own
  if (!mustBeWired) schema["x-inline"] = true;
  if (port === "integer" || port === "number") numeric(schema, name, options, mustBeWired);
  else {
    if (options.multiline) schema["x-multiline"] = true;
    if (options.dynamicPrompts) schema["x-dynamic"] = true;
    if (!mustBeWired) schema.default = defaultOf(port, options.default);
  }
  return schema;
}

/** ComfyUI makes text and truth values of what it is given, as Python does. */
function defaultOf(port: string, value: unknown): unknown {
  if (port === "boolean") return value === "false" || value === "False" ? false : Boolean(value);
  return typeof value === "number" || typeof value === "boolean" ? String(value) : textOf(value);
}

export const isMedia = (port: string): boolean => PORT_TYPES[port]?.kind === "artifact";
const ports = new Map<string, string | undefined>();

/** The port type of a type that may leave the server; of several the widest that may: a number where integers are taken, too. */
export function portOf(comfy: string): string | undefined {
  if (!ports.has(comfy)) {
    const found = comfy.split(",").flatMap((one) => (Object.hasOwn(COMFY_TYPES, one) ? (COMFY_TYPES[one]?.port ?? []) : []));
    ports.set(comfy, found.find((one) => one === "number" && found[0] === "integer") ?? found[0]);
  }
  return ports.get(comfy);
}

const joined = (value: unknown): string => (Array.isArray(value) ? textsOf(value).join(",") : textOf(value));

/** Type variables and unions by what they take. */
function comfyTypeOf(type: unknown, options: Options): string {
  if (type === "COMFY_MATCHTYPE_V3") return joined(object(options.template).allowed_types) || "*";
  if (type === "COMFY_MULTITYPED_V3") return joined(options.types) || "*";
  return textOf(type) || "*";
}

/** A number, also one that is written as text. Beyond what JavaScript counts exactly, a seed would not be the one that was asked for. */
function safe(value: unknown): number | undefined {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isFinite(number)) return undefined;
  return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, number));
}

/** A number that no JSON has: it could not be sent, and another one would mean something else. */
const isNoDefault = (value: unknown): boolean => typeof value === "number" && !Number.isFinite(value);

function numeric(schema: PortSchema, name: string, options: Options, mustBeWired: boolean): void {
  const [minimum, maximum, step] = [safe(options.min), safe(options.max), safe(options.step)];
  const isSeed = schema.type === "integer" && SEEDS.has(name);
  if (minimum !== undefined) schema.minimum = minimum;
  if (maximum !== undefined) schema.maximum = maximum;
  if (step !== undefined) schema["x-step"] = step;
  if (options.control_after_generate ?? isSeed) schema["x-control"] = true;
  if (schema["x-control"] || isSeed) schema["x-widget"] = "seed";
  else if (options.display === "slider") schema["x-widget"] = "slider";
  if (mustBeWired || isNoDefault(options.default)) return;
  const given = safe(options.default) ?? Math.max(0, minimum ?? 0);
  schema.default = schema.type === "integer" ? Math.trunc(given) : given;
}

function combo(choices: unknown[], options: Options): PortSchema {
  const comfy = { "x-comfy-type": "COMBO" };
  for (const [key, kind] of Object.entries(UPLOADS))
    if (options[key] === true)
      return { ...comfy, "x-artifact": kind, "x-upload": true, "x-inline": true, anyOf: [{ enum: choices }, { type: "object" }] };
  if (options.multiselect === true)
    return { ...comfy, type: "array", items: { enum: choices }, "x-inline": true, default: list(options.default) };
  // A list that the server gets from elsewhere is not known here.
  if (options.remote !== undefined) return { ...comfy, type: "string", "x-inline": true, default: textOf(options.default) };
  const otherwise = choices.includes(options.default) ? options.default : choices[0];
  const type = choices.every((choice) => typeof choice === "string") ? { type: "string" } : {};
  return {
    ...comfy,
    ...type,
    enum: choices,
    "x-inline": true,
    ...(options.control_after_generate ? { "x-control": true } : {}),
    ...(otherwise === undefined ? {} : { default: otherwise }),
  };
}

/** `images` grows by `images.image0`, `images.image1`, ... The template holds the one input, under `input` or by itself. */
function growing(name: string, options: Options, required: boolean, nest: Nest): Ports {
  const template = object(options.template);
  const inner = object(template.input);
  const of = (key: string) => template[key] ?? options[key];
  const spec = [...Object.values(object(inner.required)), ...Object.values(object(inner.optional)), ...Object.values(template)].find(
    isSpec,
  );
  const count = Math.min(GROWS_TO, safe(of("max")) ?? GROWS_TO);
  const numbered = Array.from({ length: Math.max(0, count) }, (_, index) => `${textOf(of("prefix")) || name}${index}`);
  const names = textsOf(of("names")).length > 0 ? textsOf(of("names")).slice(0, GROWS_TO) : numbered;
  const least = safe(of("min")) ?? 0;
  return names.flatMap((own, index) => inputPorts(`${name}.${own}`, spec ?? ["*"], required && index < least, inside(nest)));
}

/** A list of names is no input, though it is a list. */
const isSpec = (value: unknown): boolean =>
  Array.isArray(value) && (Array.isArray(value[0]) || (value[1] !== null && typeof value[1] === "object") || value.length === 1);

/** `mode` is chosen; each choice brings inputs of its own, `mode.sub`, which may have the name of another choice's. */
function choosing(name: string, options: Options, required: boolean, nest: Nest): Ports {
  const choices = list(options.options).map(object);
  const keys = choices.map(({ key }) => key).filter((key) => typeof key === "string");
  const inner = choices.flatMap(({ key, inputs }) =>
    innerPorts(name, object(inputs), nest).map((port) => ({ port, when: { [name]: [key] } })),
  );
  const chooser = { "x-comfy-type": "COMBO", type: "string", enum: keys, "x-inline": true, "x-chooses": true };
  return [[name, keys.length > 0 ? { ...chooser, default: keys[0] } : chooser, required && keys.length === 0], ...conditional(inner)];
}

/** `loras` is how many rows there are; each row has the inputs of the template, `loras.0.name`. The number itself is not sent. */
function rows(name: string, options: Options, nest: Nest): Ports {
  const countOf = (value: unknown, otherwise: number) => Math.max(0, Math.min(GROWS_TO, Math.trunc(safe(value) ?? otherwise)));
  const least = countOf(options.min, 0);
  const most = Math.max(least, countOf(options.max, GROWS_TO));
  const counts = Array.from({ length: most }, (_, index) => index + 1);
  const inner = counts.flatMap((count, row) =>
    innerPorts(`${name}.${row}`, object(options.template), nest).map((port) => ({
      port,
      when: { [name]: counts.filter((one) => one >= count) },
    })),
  );
  const chooser = { "x-comfy-type": "INT", type: "integer", "x-inline": true, "x-chooses": true, "x-unsent": true };
  return [[name, { ...chooser, minimum: least, maximum: most, default: least }, false], ...conditional(inner)];
}

function innerPorts(name: string, inputs: Options, nest: Nest): Ports {
  return (["required", "optional"] as const).flatMap((part) =>
    Object.entries(object(inputs[part])).flatMap(([sub, spec]) => inputPorts(`${name}.${sub}`, spec, part === "required", inside(nest))),
  );
}

/** One port of each name, with its variants; outside of any, it is what its first variant is. */
function conditional(inner: readonly { port: Ports[number]; when: Record<string, unknown[]> }[]): Ports {
  const found = new Map<string, Map<string, Variant>>();
  inner.forEach(({ port: [name, schema, required], when }) => {
    const { "x-variants": nested, ...plain } = schema;
    const [chooser, values] = Object.entries(when)[0] as [string, unknown[]];
    const known = found.get(name) ?? new Map<string, Variant>();
    found.set(name, known);
    for (const variant of (nested as Variant[] | undefined) ?? [{ when: {}, required, schema: plain }]) {
      // Variants that differ in nothing but the choice they belong to are one.
      const likeness = JSON.stringify([variant.when, variant.required, variant.schema]);
      const same = known.get(likeness);
      if (same) same.when[chooser]?.push(...values);
      else known.set(likeness, { ...variant, when: { ...variant.when, [chooser]: [...values] } });
    }
  });
  return [...found].map(([name, known]) => {
    const variants = [...known.values()];
    return [name, { ...variants[0]?.schema, "x-variants": variants }, false];
  });
}

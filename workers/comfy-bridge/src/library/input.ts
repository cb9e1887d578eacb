// One input of ComfyUI's /object_info -> the JSON Schema of a port (server.py node_info, comfy_api/latest/_io.py).
import { COMFY_TYPES, PORT_TYPES } from "@spindle/schemas";

type Options = Record<string, unknown>;
export type Spec = [type: unknown, options?: Options];
export type PortSchema = Record<string, unknown>;

/** Several ports where the input grows, or brings inputs of its own with each choice. */
export type Ports = [name: string, schema: PortSchema, required: boolean][];

/** More of them are not offered on a canvas. */
const GROWS_TO = 16;
const SEEDS = new Set(["seed", "noise_seed"]);
const UPLOADS = { image_upload: "image", audio_upload: "audio", video_upload: "video", file_upload: "file" } as const;

export function inputPorts(name: string, [type, given]: Spec, required: boolean): Ports {
  const options = given ?? {};
  if (type === "COMFY_AUTOGROW_V3") return growing(name, options, required);
  if (type === "COMFY_DYNAMICCOMBO_V3") return choosing(name, options, required);
  const schema = inputSchema(name, type, options);
  if (options.tooltip) schema.description = String(options.tooltip);
  if (options.display_name) schema.title = String(options.display_name);
  if (options.advanced === true) schema["x-advanced"] = true;
  return [[name, schema, required && !("default" in schema)]];
}

/** Objects are filled and not spread: a server has tens of thousands of inputs. */
function inputSchema(name: string, type: unknown, options: Options): PortSchema {
  if (Array.isArray(type)) return combo(type, options);
  if (type === "COMBO") return combo(Array.isArray(options.options) ? options.options : [], options);
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
    if (!mustBeWired) schema.default = options.default ?? (port === "boolean" ? false : "");
  }
  return schema;
}

export const isMedia = (port: string): boolean => PORT_TYPES[port]?.kind === "artifact";
const ports = new Map<string, string | undefined>();

/** The port type of a type that may leave the server; of several the first that may. */
export function portOf(comfy: string): string | undefined {
  if (!ports.has(comfy)) ports.set(comfy, comfy.split(",").flatMap((one) => COMFY_TYPES[one]?.port ?? [])[0]);
  return ports.get(comfy);
}

/** Type variables and unions by what they take. */
function comfyTypeOf(type: unknown, options: Options): string {
  const list = (value: unknown) => (Array.isArray(value) ? value.map(String).join(",") : typeof value === "string" ? value : "");
  if (type === "COMFY_MATCHTYPE_V3") return list((options.template as Options | undefined)?.allowed_types) || "*";
  if (type === "COMFY_MULTITYPED_V3") return list(options.types) || "*";
  return String(type);
}

/** Beyond what JavaScript counts exactly, a seed would not be the one that was asked for. */
const safe = (value: unknown): number | undefined =>
  typeof value === "number" ? Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value)) : undefined;

function numeric(schema: PortSchema, name: string, options: Options, mustBeWired: boolean): void {
  const [minimum, maximum] = [safe(options.min), safe(options.max)];
  const isSeed = schema.type === "integer" && SEEDS.has(name);
  if (minimum !== undefined) schema.minimum = minimum;
  if (maximum !== undefined) schema.maximum = maximum;
  if (typeof options.step === "number") schema["x-step"] = options.step;
  if (options.control_after_generate ?? isSeed) schema["x-control"] = true;
  if (schema["x-control"] || isSeed) schema["x-widget"] = "seed";
  else if (options.display === "slider") schema["x-widget"] = "slider";
  if (!mustBeWired) schema.default = safe(options.default) ?? Math.max(0, minimum ?? 0);
}

function combo(choices: unknown[], options: Options): PortSchema {
  const comfy = { "x-comfy-type": "COMBO" };
  for (const [key, kind] of Object.entries(UPLOADS))
    if (options[key] === true)
      return { ...comfy, "x-artifact": kind, "x-upload": true, "x-inline": true, anyOf: [{ enum: choices }, { type: "object" }] };
  if (options.multiselect === true)
    return { ...comfy, type: "array", items: { enum: choices }, "x-inline": true, default: options.default ?? [] };
  // A list that the server gets from elsewhere is not known here.
  if (options.remote !== undefined) return { ...comfy, type: "string", "x-inline": true, default: options.default ?? "" };
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

/** `images` grows by `images.image0`, `images.image1`, ... */
function growing(name: string, options: Options, required: boolean): Ports {
  const template = (options.template ?? {}) as {
    input?: Record<string, Record<string, Spec>>;
    prefix?: string;
    names?: string[];
    min?: number;
    max?: number;
  };
  const spec = Object.values({ ...template.input?.required, ...template.input?.optional })[0] ?? ["*"];
  const count = Math.min(GROWS_TO, template.max ?? GROWS_TO);
  const names = (template.names ?? Array.from({ length: count }, (_, index) => `${template.prefix ?? name}${index}`)).slice(0, GROWS_TO);
  return names.flatMap((one, index) => inputPorts(`${name}.${one}`, spec, required && index < (template.min ?? 0)));
}

/** `mode` is chosen; `mode.sub` belongs to one of its choices. */
function choosing(name: string, options: Options, required: boolean): Ports {
  const choices = (options.options ?? []) as { key: string; inputs?: Record<string, Record<string, Spec>> }[];
  const inner = new Map<string, [PortSchema, string]>();
  for (const { key, inputs } of choices)
    for (const [sub, spec] of Object.entries({ ...inputs?.required, ...inputs?.optional }))
      for (const [port, schema] of inputPorts(`${name}.${sub}`, spec, false)) if (!inner.has(port)) inner.set(port, [schema, key]);
  const keys = choices.map((choice) => choice.key);
  return [
    [
      name,
      {
        "x-comfy-type": "COMBO",
        type: "string",
        enum: keys,
        "x-inline": true,
        "x-chooses": true,
        ...(keys[0] ? { default: keys[0] } : {}),
      },
      required && keys.length === 0,
    ],
    ...[...inner].map(([port, [schema, key]]): Ports[number] => [port, { ...schema, "x-when": { port: name, is: key } }, false]),
  ];
}

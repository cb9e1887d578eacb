// One node class of /object_info -> a manifest entry (DESIGN M1).
import { type Capability, validateCapability } from "@spindle/schemas";
import { inputPorts, isMedia, list, object, outermost, type PortSchema, type Ports, portOf, textOf, textsOf } from "./input.ts";

/** As /object_info should give it. What a pack's author wrote is handed on by ComfyUI as it is, so any part may be missing or of another kind. */
interface NodeInfo {
  input: Record<"required" | "optional", Record<string, unknown>>;
  input_order: Record<"required" | "optional", string[] | undefined>;
  output: unknown[];
  output_name: unknown[];
  output_is_list: unknown[];
  output_tooltips: unknown[];
  display_name: string;
  description: string;
  python_module: string;
  category: string;
  output_node: boolean;
  deprecated: boolean;
  experimental: boolean;
  search_aliases: string[];
}

/** @throws Unreadable if no capability can be made of it */
export function toCapability(name: string, given: unknown): Capability {
  const info = readInfo(given);
  const inputs = allInputs(info);
  const outputs = allOutputs(info, inputs);
  const pack = packOf(info.python_module);
  const description = info.description.trim() || `ComfyUI's ${info.display_name || name}.`;
  const capability: Capability = {
    id: name,
    label: info.display_name || name,
    description,
    version: interfaceVersion(inputs, outputs),
    plane: "comfy",
    runtime: { kind: "gpu", concurrency: 1 },
    handler: { module: info.python_module, method: name },
    io: {
      input: schemaOf(inputs),
      output: schemaOf(outputs),
    },
    contracts: { idempotent: true },
    telemetry: { emitsProgressEvents: true },
    category: ["ComfyUI", ...info.category.split("/").filter(Boolean)].join(" / "),
    keywords: [...info.search_aliases, ...(pack ? [pack] : [])],
    docs: docsOf(description, info, pack),
    ...(info.deprecated ? { deprecated: true } : {}),
    ...(info.experimental ? { experimental: true } : {}),
  };
  if (validateCapability(capability)) return capability;
  const [error] = validateCapability.errors ?? [];
  throw new Unreadable(`${error?.instancePath ?? ""} ${error?.message ?? "is not valid"}`.trim());
}

/** A class that no capability can be made of. The message says which part is why. */
export class Unreadable extends Error {}

/** What stands in the library for such a class: its name, and nothing that could be wired. */
export const unreadableCapability = (name: string): Capability => ({ ...toCapability("unreadable", {}), id: name, label: name });

function readInfo(given: unknown): NodeInfo {
  const info = object(given);
  const [input, order] = [object(info.input), object(info.input_order)];
  return {
    input: { required: object(input.required), optional: object(input.optional) },
    input_order: { required: orderOf(order.required), optional: orderOf(order.optional) },
    output: list(info.output),
    output_name: list(info.output_name),
    output_is_list: list(info.output_is_list),
    output_tooltips: list(info.output_tooltips),
    display_name: textOf(info.display_name),
    description: textOf(info.description),
    python_module: textOf(info.python_module),
    category: textOf(info.category),
    output_node: info.output_node === true,
    deprecated: info.deprecated === true,
    experimental: info.experimental === true,
    search_aliases: textsOf(info.search_aliases),
  };
}

const orderOf = (part: unknown): string[] | undefined => (Array.isArray(part) ? textsOf(part) : undefined);

function schemaOf(ports: Ports): PortSchema {
  const required: string[] = [];
  const properties: Record<string, PortSchema> = {};
  for (const [name, schema, needed] of ports) {
    if (name === "__proto__") throw new Unreadable("an input or output is called __proto__");
    properties[name] = schema;
    if (needed) required.push(name);
  }
  return { type: "object", required, properties };
}

/** In the server's own order: widget values are stored by it. */
function allInputs({ input, input_order }: NodeInfo): Ports {
  const ports: Ports = [];
  const nest = outermost();
  for (const part of ["required", "optional"] as const) {
    const specs = input[part];
    for (const name of input_order[part] ?? Object.keys(specs))
      for (const port of inputPorts(name, specs[name], part === "required", nest)) ports.push(named(port));
  }
  return ports;
}

/** ComfyUI's names are what its users know: `clip_skip`, not "Clip skip". */
const named = (port: Ports[number]): Ports[number] => {
  port[1].title ??= port[0];
  return port;
};

function allOutputs(info: NodeInfo, inputs: Ports): Ports {
  const taken = new Map<string, number>();
  const slots = info.output.map((type, slot): Ports[number] => {
    const comfy = typeof type === "string" ? type : "COMBO"; // a list of choices
    const label = textOf(info.output_name[slot]) || comfy; // ComfyUI gives the type again where the pack names no output
    const times = (taken.get(label) ?? 0) + 1;
    taken.set(label, times);
    const name = times === 1 ? label : `${label}_${times}`;
    const tip = textOf(info.output_tooltips[slot]);
    const schema = outputSchema(comfy, info.output_is_list[slot] === true);
    return [name, { title: label, "x-slot": slot, ...schema, ...(tip ? { description: tip } : {}) }, false];
  });
  return info.output_node ? [...slots, ...shown(inputs, packOf(info.python_module)).filter(([name]) => !taken.has(name))] : slots;
}

/** Inside a region ComfyUI takes a list apart by itself, so that the wire's type is that of its elements. */
function outputSchema(comfy: string, isList: boolean): PortSchema {
  const port = portOf(comfy);
  if (port === undefined) return { "x-comfy-type": comfy };
  const known = isMedia(port) ? { "x-artifact": port } : { type: port };
  // Any of them may be several: a batch, or one for each element of a list before it.
  return { "x-comfy-type": comfy, ...(isList ? { type: "array", items: known, "x-many": "all" } : { ...known, "x-many": "first" }) };
}

const TEXT: Ports[number] = ["text", { title: "Text", type: "string", "x-pick": "text" }, false];

/**
 * What an output node shows or saves, as outputs of ours. /object_info does not say what that is; what the node takes does:
 * a sound, a video, pictures (which with a frame rate become a video), or anything, which it shows as text. A pack's node that takes
 * pictures or sounds and is not told how to call a file may be one that describes them.
 */
function shown(inputs: Ports, pack: string | undefined): Ports {
  const takes = new Set(inputs.flatMap(([, schema]) => String(schema["x-comfy-type"]).split(",")));
  const moves = inputs.some(([name]) => name === "fps" || name === "frame_rate");
  const kinds = [
    ...(takes.has("IMAGE") || takes.has("MASK") || takes.has("LATENT") ? ["image"] : []),
    ...(takes.has("VIDEO") || moves ? ["video"] : []),
    ...(takes.has("AUDIO") && !takes.has("IMAGE") && !takes.has("VIDEO") ? ["audio"] : []),
  ];
  const mayDescribe = pack !== undefined && !inputs.some(([name]) => /filename|prefix|path/.test(name));
  const files = kinds.flatMap(
    (kind): Ports => [
      [kind, { title: upper(kind), "x-artifact": kind, "x-pick": kind, "x-many": "first" }, false],
      [`${kind}s`, { title: `${upper(kind)}s`, type: "array", items: { "x-artifact": kind }, "x-pick": `${kind}s` }, false],
    ],
  );
  return files.length === 0 || mayDescribe ? [...files, TEXT] : files;
}

const upper = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

/** Changes when ports do: results of another interface are another capability's. Lists of files do not count. */
function interfaceVersion(inputs: Ports, outputs: Ports): string {
  let hash = 0x811c9dc5; // FNV-1a, 32 bits: it tells versions of one node apart, and is made for thousands of nodes at once
  const add = (text: string) => {
    for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  };
  for (const ports of [inputs, outputs])
    for (const [name, schema] of ports) {
      add(name);
      add(String(schema["x-comfy-type"]));
      add(`${schema["x-slot"] ?? ""}${schema.type === "array" && "x-slot" in schema ? "[]" : ""};`);
    }
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/** `custom_nodes.ComfyUI-KJNodes` -> `ComfyUI-KJNodes`; nothing for what comes with ComfyUI. */
function packOf(module: string): string | undefined {
  return /^custom_nodes\.(.+)$/.exec(module)?.[1];
}

function docsOf(description: string, { python_module, deprecated, experimental }: NodeInfo, pack: string | undefined): string {
  const marks = [
    ...(deprecated ? ["**Deprecated:** ComfyUI offers something newer."] : []),
    ...(experimental ? ["**Experimental:** it may change."] : []),
    pack ? `From the node pack \`${pack}\`.` : `Part of ComfyUI (\`${python_module || "nodes"}\`).`,
  ];
  return [description, ...marks].join("\n\n");
}

// A region -> what its task is given: ComfyUI's API format, with loaders and savers where values cross the border. They are
// nodes of the prompt and of nothing else: no graph, canvas or run shows them.
import { COMFY_TYPES, type ComfyBorder, type RegionInput, type RegionInputGive, validateArtifactRef } from "@spindle/schemas";
import { edgeMetadata, type GraphNode, nodeTitle } from "../graph.ts";
import { declaredInterface } from "../interface.ts";
import type { Level } from "../level.ts";
import type { NodeDefinition } from "../library.ts";
import { type Origin, originsIn } from "../origins.ts";
import { comfyType, type Port, portKind } from "../ports.ts";
import { WIDGET_VALUES } from "../stored-values.ts";
import { isOfOtherChoice, isUnsent } from "../variants.ts";

type Values = Readonly<Record<string, unknown>>;
type PromptNode = RegionInput["prompt"][string];

export interface RegionParts {
  level: Level;
  /** The nodes that are to run or are bypassed, each with what it gets from outside the region and from itself. */
  values: ReadonlyMap<string, Values>;
  /** Every node of the region, those that do not run too; what goes to them does not leave it. */
  inside?: readonly string[];
  /** The region is one node whose outputs are the task's (one element of a map). */
  only?: boolean;
}

/** `>` and `<` are in no node's id. */
const saverId = (node: string, port: string): string => `${node}>${port}`;
const loaderId = (node: string, port: string): string => `${node}<${port}`;

/** Undefined if nothing of the region leaves it, so that ComfyUI would run none of it. */
export function regionInput({ level, values, inside = [...values.keys()], only }: RegionParts): RegionInput | undefined {
  const prompt: Record<string, PromptNode> = {};
  const gives: RegionInputGive[] = [];
  const origin = originsIn(level, (id) => values.has(id));
  const wanted = wantedOutputs(level, new Set(inside), [...values.keys()], origin);
  for (const [id, own] of values) {
    const { node, element: definition, passes } = level.node(id) ?? {};
    if (!node || !definition || passes) continue;
    prompt[id] = {
      class_type: node.service,
      inputs: promptInputs(node, definition, own, { level, values, prompt, origin }),
      _meta: { title: nodeTitle(node) },
    };
    gives.push(...sinkOutputs(id, definition));
    for (const port of definition.outputs) {
      if (slotOf(port) === undefined || !wanted(id, port, definition)) continue;
      const give = addSaver(prompt, id, port);
      if (give) gives.push(give);
    }
  }
  const sinks = [...new Set(gives.map((give) => give.from))];
  if (sinks.length === 0) return undefined;
  const [single] = values.keys();
  return {
    prompt: reached(prompt, sinks),
    sinks: sinks as RegionInput["sinks"],
    gives,
    ...(only && single !== undefined ? { only: single } : {}),
  };
}

/** ComfyUI runs what its output nodes need; the rest of the prompt would only make it look changed. */
function reached(prompt: RegionInput["prompt"], sinks: readonly string[]): RegionInput["prompt"] {
  const found = new Set(sinks);
  for (const id of found)
    for (const value of Object.values(prompt[id]?.inputs ?? {}))
      if (Array.isArray(value) && typeof value[0] === "string") found.add(value[0]);
  return Object.fromEntries(Object.entries(prompt).filter(([id]) => found.has(id)));
}

/** Where in ComfyUI's list of outputs a port is; undefined for what only an output node's files give. */
export const slotOf = (port: Port): number | undefined => {
  const slot = port.schema["x-slot"];
  return typeof slot === "number" ? slot : undefined;
};

/** Whether ComfyUI runs the node for its own sake: then its files and texts are outputs. */
export const isOutputNode = (definition: NodeDefinition): boolean => definition.outputs.some((port) => "x-pick" in port.schema);

/** What an output node shows in ComfyUI, as outputs. */
function sinkOutputs(id: string, definition: NodeDefinition): RegionInputGive[] {
  return definition.outputs.flatMap((port) => {
    const pick = port.schema["x-pick"];
    return typeof pick === "string" ? [{ node: id, port: port.name, from: id, pick: pickOf(port, pick.replace(/s$/, "")) }] : [];
  });
}

type Origins = (node: string, output: string) => Origin;

/**
 * An output leaves if something outside takes it, the graph gives it, or it is a last result that nobody saved; and if a bypassed node
 * passes it on whose output leaves.
 * @param running the nodes that are not skipped
 */
function wantedOutputs(level: Level, inside: ReadonlySet<string>, running: readonly string[], origin: Origins) {
  const { graph, shape } = level;
  const named = new Set(declaredInterface(graph).outputs.map(({ from }) => `${from.node}\n${from.port}`));
  const isWanted = (id: string, port: Port, definition: NodeDefinition): boolean => {
    if (portKind(port.type) === "opaque") return false;
    const after = shape.outgoing.get(id) ?? [];
    if (named.has(`${id}\n${port.name}`)) return true;
    if (after.some((edge) => !inside.has(edge.to) && (edgeMetadata(edge).sourcePort ?? port.name) === port.name)) return true;
    return after.length === 0 && isMedia(port) && !isOutputNode(definition);
  };
  for (const id of running) {
    const { element, passes } = level.node(id) ?? {};
    for (const port of element?.outputs ?? []) {
      const from = passes?.has(port.name) && isWanted(id, port, element as NodeDefinition) ? origin(id, port.name) : undefined;
      if (from && "output" in from) named.add(`${from.node}\n${from.output}`);
    }
  }
  return isWanted;
}

/** Files, one or a list of them. */
const isMedia = ({ type, schema }: Port): boolean => portKind(type) === "artifact" || "x-artifact" in Object(schema.items);

function addSaver(prompt: Record<string, PromptNode>, id: string, port: Port): RegionInputGive | undefined {
  const save = border(port, "save");
  if (!save) return undefined;
  const saver = saverId(id, port.name);
  prompt[saver] = { class_type: save.class, inputs: { ...save.with, [save.input]: [id, slotOf(port)] } };
  return { node: id, port: port.name, from: saver, pick: pickOf(port, save.pick ?? "json") };
}

/** All of them into a list, else the first. */
const pickOf = ({ type }: Port, kind: string): RegionInputGive["pick"] => (type === "array" ? `${kind}s` : kind) as RegionInputGive["pick"];

interface Around {
  level: Level;
  values: ReadonlyMap<string, Values>;
  prompt: Record<string, PromptNode>;
  origin: Origins;
}

function promptInputs(node: GraphNode, definition: NodeDefinition, own: Values, around: Around): PromptNode["inputs"] {
  const { level, values, prompt, origin } = around;
  const inputs: PromptNode["inputs"] = {};
  const known = new Set(definition.inputs.map((port) => port.name));
  // What ComfyUI's own list does not name still reaches nodes that take any option (VHS_VideoCombine's codecs).
  for (const [name, value] of Object.entries(node.params ?? {}))
    if (!known.has(name) && !isOfOtherChoice(definition, name) && name !== WIDGET_VALUES) inputs[name] = literal(value);
  for (const port of definition.inputs) {
    const edge = level.shape.incoming.get(node.id)?.find((one) => edgeMetadata(one).targetPort === port.name);
    const from = edge && values.has(edge.from) ? origin(edge.from, String(edgeMetadata(edge).sourcePort)) : undefined;
    const source = from && "output" in from ? level.node(from.node) : undefined;
    const output = source?.element?.outputs.find(({ name }) => from && "output" in from && name === from.output);
    const value = from && "input" in from ? values.get(from.node)?.[from.input] : own[port.name];
    if (source && output && !source.passes) inputs[port.name] = [source.node.id, slotOf(output) ?? 0];
    else if (value !== undefined && !isUnsent(port)) inputs[port.name] = promptValue(node.id, port, value, prompt);
  }
  return inputs;
}

function promptValue(id: string, port: Port, value: unknown, prompt: Record<string, PromptNode>): unknown {
  const load = validateArtifactRef(value) && port.schema["x-upload"] !== true ? border(port, "load") : undefined;
  if (!load) return literal(value);
  const loader = loaderId(id, port.name);
  prompt[loader] = { class_type: load.class, inputs: { ...load.with, [load.input]: value } };
  return [loader, 0];
}

/** ComfyUI reads a bare list as a link. */
const literal = (value: unknown): unknown => (Array.isArray(value) ? { __value__: value } : value);

function border(port: Port, side: "load" | "save"): ComfyBorder | undefined {
  const names = (comfyType(port.schema) ?? "").split(",");
  for (const name of names) {
    const found = Object.hasOwn(COMFY_TYPES, name) ? COMFY_TYPES[name]?.[side] : undefined;
    if (found) return found;
  }
  return undefined;
}

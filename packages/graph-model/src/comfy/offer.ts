// A region of a graph as an engine of a capability: where the capability's inputs can go, which results can be its outputs, and what is wrong
// with a workflow that somebody offers. The engine is a blueprint, as a file of templates/comfy is.
import { type Blueprint, COMFY_TYPES, validateArtifactRef } from "@spindle/schemas";
import { Condition } from "../condition.ts";
import { edgeMetadata, type Graph, nodeTitle } from "../graph.ts";
import type { Library, NodeDefinition } from "../library.ts";
import { jsonBytes, whyTooLarge } from "../limits.ts";
import { article, comfyType, type Port, portKind, portsFit, portsOf, portType, typesFit } from "../ports.ts";
import { isUnsent } from "../variants.ts";
import { type ExportedRegion, exportedRegion, withNamedFiles } from "./export.ts";

type Prompt = Blueprint["prompt"];

/** An input of the workflow that a capability's input can set. */
export interface WorkflowPlace {
  /** `node.input` of the prompt. */
  at: string;
  label: string;
  port: Port;
  /** Nothing in the workflow itself gives its value. */
  isOpen: boolean;
}

/** Something that the workflow gives. */
export interface WorkflowResult {
  from: string;
  pick: Blueprint["gives"][string]["pick"];
  label: string;
  port: Port;
}

export interface OfferedWorkflow {
  prompt: Prompt;
  places: WorkflowPlace[];
  results: WorkflowResult[];
}

/** What a person says of a workflow that is to be an engine. */
export interface WorkflowOffer {
  name: string;
  label: string;
  description: string;
  /** Place -> name of the capability's input or parameter. */
  set: Readonly<Record<string, string>>;
  /** Output of the capability -> which result it is. */
  gives: Readonly<Record<string, Pick<WorkflowResult, "from" | "pick">>>;
}

/** @param node one of the region's; of the only region where empty */
export function workflowOf(graph: Graph, library: Library, node = ""): OfferedWorkflow | { why: string } {
  const region = exportedRegion(graph, library, node);
  if ("why" in region) return region;
  const { prompt } = region.input;
  // A place is split at its first dot, which an id of a graph may have.
  const ids = new Map(Object.keys(prompt).map((id, index) => [id, String(index + 1)]));
  const renamed = Object.fromEntries(Object.entries(prompt).map(([id, each]) => [ids.get(id), relinked(each, ids)]));
  return { prompt: withNamedFiles(renamed), places: distinct(placesOf(region, ids)), results: distinct(resultsOf(region, ids)) };
}

function relinked(node: Prompt[string], ids: ReadonlyMap<string, string>): Prompt[string] {
  const inputs = Object.entries(node.inputs).map(([name, value]) => [name, isLink(value) ? [ids.get(value[0]), value[1]] : value]);
  return { ...node, inputs: Object.fromEntries(inputs) };
}

/** Where several have one label, each says of which node of the prompt it is. */
function distinct<Labelled extends { label: string; at?: string; from?: string }>(all: Labelled[]): Labelled[] {
  const counts = new Map<string, number>();
  for (const { label } of all) counts.set(label, (counts.get(label) ?? 0) + 1);
  const idOf = ({ at, from = at ?? "" }: Labelled) => from.split(".")[0];
  return all.map((each) => ((counts.get(each.label) ?? 0) > 1 ? { ...each, label: `${each.label} (node ${idOf(each)})` } : each));
}

const isLink = (value: unknown): value is [string, number] =>
  Array.isArray(value) && value.length === 2 && typeof value[0] === "string" && typeof value[1] === "number";

function placesOf({ level, input: { prompt }, outside }: ExportedRegion, ids: ReadonlyMap<string, string>): WorkflowPlace[] {
  return Object.entries(prompt).flatMap(([id, { inputs }]) => {
    const { node, element: definition } = level.node(id) ?? {};
    if (!node || !definition) return [];
    return definition.inputs.flatMap((port): WorkflowPlace[] => {
      const value = inputs[port.name];
      const label = `${nodeTitle(node)}: ${port.label}`;
      const isOutside = outside.get(id)?.has(port.name) === true;
      if (isLink(value)) {
        // A loader that stands at the border, for what comes from outside or for a file that the graph holds.
        const loader = loaderInput(port);
        if (level.node(value[0]) || !loader) return [];
        return [{ at: `${ids.get(value[0])}.${loader}`, label, port, isOpen: true }];
      }
      const isWired = level.shape.incoming.get(id)?.some((edge) => edgeMetadata(edge).targetPort === port.name) === true;
      if (isUnsent(port) || (isWired && !isOutside) || !canBeSet(port)) return [];
      const isFile = port.schema["x-upload"] === true && (value === undefined || validateArtifactRef(value));
      return [{ at: `${ids.get(id)}.${port.name}`, label, port, isOpen: isOutside || isFile }];
    });
  });
}

/** A value, or the name of a file; what ComfyUI's nodes hand on to each other has no place of its own. */
const canBeSet = (port: Port): boolean =>
  port.schema["x-upload"] === true || (portKind(port.type) === "json" && port.type !== "array" && port.type !== "object");

const loaderInput = (port: Port): string | undefined =>
  (comfyType(port.schema) ?? "")
    .split(",")
    .flatMap((name) => (Object.hasOwn(COMFY_TYPES, name) ? (COMFY_TYPES[name]?.load?.input ?? []) : []))[0];

function resultsOf({ level, input: { gives } }: ExportedRegion, ids: ReadonlyMap<string, string>): WorkflowResult[] {
  return gives.flatMap(({ node: id, port: name, from, pick }) => {
    const { node, element: definition } = level.node(id) ?? {};
    const port = definition?.outputs.find((output) => output.name === name);
    return node && port ? [{ from: ids.get(from) as string, pick, label: `${nodeTitle(node)}: ${port.label}`, port }] : [];
  });
}

/** A name that CEL can have after `inputs.`. */
const NAME = /^[A-Za-z_]\w*$/;

/** The inputs and parameters of a capability that a workflow can be given. */
export function inputsOf(definition: NodeDefinition): Port[] {
  const parameters = portsOf({
    properties: Object.fromEntries(definition.parameters.map(({ name, schema }) => [name, schema])),
    required: definition.parameters.filter(({ required }) => required).map(({ name }) => name),
  });
  return [...definition.inputs, ...parameters].filter(({ name }) => NAME.test(name));
}

/** What fits by its type, and by its name where many things have that type. */
export function suggestedOffer(workflow: OfferedWorkflow, definition: NodeDefinition): Pick<WorkflowOffer, "set" | "gives"> {
  const set: Record<string, string> = {};
  const used = new Set<string>();
  for (const { at, port, isOpen } of workflow.places) {
    const fitting = inputsOf(definition).filter((input) => !used.has(input.name) && portsFit(input, port));
    const isFile = portKind(port.type) === "artifact";
    const found =
      fitting.find(({ name }) => sameName(name, port.name)) ??
      (isOpen ? fitting.find(({ type }) => isFile || type === port.type) : undefined);
    if (!found) continue;
    set[at] = found.name;
    used.add(found.name);
  }
  const gives = definition.outputs.flatMap((output) => {
    const found = workflow.results.find(({ port }) => port.type === output.type);
    return found && (output.required || portKind(output.type) === "artifact")
      ? [[output.name, { from: found.from, pick: found.pick }] as const]
      : [];
  });
  return { set, gives: Object.fromEntries(gives) };
}

const sameName = (a: string, b: string): boolean => a.replaceAll(/\W|_/g, "").toLowerCase() === b.replaceAll(/\W|_/g, "").toLowerCase();

export function offeredBlueprint({ prompt, places }: OfferedWorkflow, definition: NodeDefinition, offer: WorkflowOffer): Blueprint {
  const { name, label, description, set, gives } = offer;
  const inputs = inputsOf(definition);
  // Without it ComfyUI would be sent the name of a file that it does not have.
  const limits = Object.entries(set).flatMap(([at, from]) => {
    const input = inputs.find((each) => each.name === from);
    const place = places.find((each) => each.at === at);
    if (!input || input.required || !place?.isOpen || portKind(place.port.type) !== "artifact") return [];
    return [{ holds: `has(inputs.${from})`, otherwise: `${label} needs ${input.label}: choose a file, or another engine.` }];
  });
  return {
    name,
    capability: definition.service,
    plane: definition.plane,
    label,
    description,
    prompt,
    set: Object.fromEntries(Object.entries(set).map(([at, from]) => [at, `inputs.${from}`])),
    gives: { ...gives },
    models: [],
    ...(limits.length > 0 ? { limits } : {}),
  };
}

/** Bytes of a workflow that is an engine. The largest that ships has some 15,000. */
const MOST_BYTES = 1024 * 1024;
const MOST_NODES = 2000;

/**
 * What keeps a workflow from being an engine, a sentence for each; nothing if it can be one.
 * @param workflow what it was made of: of that, each place that has no value of its own must be set
 */
export function whyNotOffered(blueprint: Blueprint, library: Library, workflow?: OfferedWorkflow): string[] {
  const tooLarge = whyTooLarge(blueprint, { depth: 32 });
  if (tooLarge !== undefined) return [tooLarge];
  if (jsonBytes(blueprint, MOST_BYTES) > MOST_BYTES) return ["A workflow that is an engine has at most 1 MiB."];
  const { prompt, capability, plane = "python" } = blueprint;
  const definition = library.find(plane, capability);
  if (!definition) return [`There is no capability ${capability} in the plane ${plane}.`];
  if (plane === "comfy") return [`${capability} is a node of ComfyUI itself: a workflow can be an engine of other capabilities.`];
  if (definition.instant || definition.human || definition.calls !== undefined)
    return [`${definition.label} is carried out by Spindle itself and cannot have another engine.`];
  const count = Object.keys(prompt).length;
  if (count === 0) return ["The workflow has no nodes."];
  if (count > MOST_NODES)
    return [`A workflow that is an engine has at most ${MOST_NODES.toLocaleString("en")} nodes; this one has ${count}.`];
  const set = new Set(Object.keys(blueprint.set));
  return [
    ...faultsOfPrompt(prompt),
    ...cycleOf(prompt),
    ...faultsOfSet(blueprint, definition),
    ...faultsOfExpressions(blueprint),
    ...faultsOfOutputs(blueprint, definition),
    ...(workflow?.places ?? []).flatMap(({ at, label, isOpen }) =>
      isOpen && !set.has(at) ? [`${label} has no value of its own: choose which input gives it.`] : [],
    ),
  ];
}

function faultsOfPrompt(prompt: Prompt): string[] {
  return Object.entries(prompt).flatMap(([id, { inputs }]) =>
    Object.values(inputs).flatMap((value) =>
      isLink(value) && !Object.hasOwn(prompt, value[0])
        ? [`Node ${id} takes something from node ${value[0]}, which the workflow does not have.`]
        : [],
    ),
  );
}

const MOST_NAMED = 8;

/** ComfyUI refuses such a prompt when it is sent. */
function cycleOf(prompt: Prompt): string[] {
  const links = Object.entries(prompt).flatMap(([id, { inputs }]) =>
    Object.values(inputs).flatMap((value) => (isLink(value) && Object.hasOwn(prompt, value[0]) ? [{ from: value[0], to: id }] : [])),
  );
  // What takes nothing of what is left can run, and what gives nothing to what is left stands behind a cycle: neither is part of one.
  const waiting = unsorted(new Set(Object.keys(prompt)), links);
  const back = links.map(({ from, to }) => ({ from: to, to: from }));
  const [first = "", ...others] = unsorted(waiting, back);
  if (first === "") return [];
  if (others.length === 0) return [`Node ${first} takes what it gives itself. Cut that wire.`];
  const more = others.length >= MOST_NAMED ? ` and ${others.length + 1 - MOST_NAMED} more` : "";
  const named = [first, ...others].slice(0, MOST_NAMED).join(", ");
  return [`The nodes ${named}${more} wait for one another: each takes something that another gives. Cut one of their wires.`];
}

/** The nodes that are left when each goes to which no link leads from one that is left. */
function unsorted(nodes: ReadonlySet<string>, links: readonly { from: string; to: string }[]): Set<string> {
  const left = new Set(nodes);
  const within = links.filter(({ from, to }) => left.has(from) && left.has(to));
  const leading = new Map<string, number>();
  const targets = new Map<string, string[]>();
  for (const { from, to } of within) {
    leading.set(to, (leading.get(to) ?? 0) + 1);
    const known = targets.get(from);
    if (known) known.push(to);
    else targets.set(from, [to]);
  }
  const free = [...left].filter((id) => !leading.has(id));
  for (let id = free.pop(); id !== undefined; id = free.pop()) {
    left.delete(id);
    for (const to of targets.get(id) ?? []) {
      const count = (leading.get(to) ?? 0) - 1;
      leading.set(to, count);
      if (count === 0) free.push(to);
    }
  }
  return left;
}

function faultsOfSet({ set, prompt }: Blueprint, definition: NodeDefinition): string[] {
  const names = new Set(inputsOf(definition).map(({ name }) => name));
  return Object.entries(set).flatMap(([place, expression]) => {
    const [node = "", ...rest] = place.split(".");
    if (!Object.hasOwn(prompt, node)) return [`${place}: the workflow has no node ${node}.`];
    if (rest.join(".") === "") return [`${place}: the input of the node is missing.`];
    const plain = /^inputs\.([A-Za-z_]\w*)$/.exec(expression)?.[1];
    return plain !== undefined && !names.has(plain) ? [`${place}: ${definition.label} has no input ${plain}.`] : [];
  });
}

function faultsOfExpressions({ set, limits = [], windows, repeat }: Blueprint): string[] {
  const all = [...Object.entries(set), ...limits.map(({ holds }) => ["limits", holds] as const)];
  if (windows) all.push(["windows", windows.count]);
  if (repeat) all.push(["repeat", repeat.count]);
  return all.flatMap(([place, expression]) => {
    const { fault } = new Condition(expression);
    return fault === undefined ? [] : [`${place}: ${fault}`];
  });
}

/** Of which type a single value is that is picked. */
const PICKED: Readonly<Record<string, readonly string[]>> = {
  ...{ image: ["image"], audio: ["audio"], video: ["video"] },
  ...{ text: ["string"], json: ["integer", "number", "boolean"] },
};

/** What an output is picked as; undefined where that may be anything. */
function rightPick({ type, schema }: Port): string | undefined {
  if (type === "array") {
    const items =
      schema.items === undefined ? undefined : rightPick({ type: portType(Object(schema.items)), schema: Object(schema.items) } as Port);
    return items === undefined || items.endsWith("s") ? undefined : `${items}s`;
  }
  if (["image", "audio", "video"].includes(type)) return type;
  if (type === "string") return "text";
  return ["number", "integer", "boolean"].includes(type) ? "json" : undefined;
}

function faultsOfOutputs({ gives, prompt, windows, repeat }: Blueprint, definition: NodeDefinition): string[] {
  const unknown = Object.entries(gives).flatMap(([output, { from, pick }]) => {
    const port = definition.outputs.find(({ name }) => name === output);
    if (!port) return [`${definition.label} has no output ${output}.`];
    if (!Object.hasOwn(prompt, from)) return [`${output}: the workflow has no node ${from}.`];
    const right = rightPick(port);
    if (right === undefined || right === pick || (PICKED[pick] ?? []).some((type) => typesFit(type, port.type))) return [];
    const what = port.type === "array" ? "a list" : article(port.type);
    return [`${output}: what is picked of node ${from} (${pick}) is no value of this output, which is ${what}. Choose ${right}.`];
  });
  const missing = definition.outputs.flatMap(({ name, label, required }) =>
    required && !Object.hasOwn(gives, name) ? [`Nothing gives ${label}: choose which result of the workflow it is.`] : [],
  );
  const named = [...(windows ? [windows.node] : []), ...(repeat ? [...repeat.nodes, ...Object.entries(repeat.carry).flat()] : [])];
  const lost = named.flatMap((node) => (Object.hasOwn(prompt, node) ? [] : [`The workflow has no node ${node}.`]));
  const nothing = Object.keys(gives).length === 0 && missing.length === 0 ? ["The workflow gives nothing."] : [];
  return [...unknown, ...missing, ...lost, ...nothing];
}

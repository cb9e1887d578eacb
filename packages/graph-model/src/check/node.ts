import type { NodeParts } from "../definitions.ts";
import { type Graph, type GraphNode, isOfComfyCore, nodePack, nodeTitle } from "../graph.ts";
import { type Issue, issue } from "../issue.ts";
import type { NodeDefinition } from "../library.ts";
import { nearest } from "../nearest.ts";
import { WIDGET_VALUES } from "../stored-values.ts";
import { CALL } from "../subgraphs.ts";
import { isOfOtherChoice } from "../variants.ts";
import { whyNoForm } from "./form.ts";
import { whyInvalid } from "./invalid.ts";
import { checkSettings } from "./settings.ts";

/** Issues of a node: of its settings, and of its parameters against its definition. */
export function checkNode(parts: NodeParts): Issue[] {
  const ofSettings = checkSettings(parts);
  const ofParameters = parts.element ? checkParameters(parts.node, parts.element) : ofSettings;
  if (ofParameters.length === 0 || ofParameters === ofSettings) return ofSettings;
  // Nothing is done with the values of a bypassed node: the file that it names may be missing, which is why it is bypassed.
  const counted = parts.passes ? ofParameters.map((one): Issue => ({ ...one, severity: "warning" })) : ofParameters;
  return [...ofSettings, ...counted];
}

/** Issues of a node that the library does not have. */
export function checkUnknown(graph: Graph, { node }: NodeParts): Issue[] {
  if (node.service === CALL) return []; // checkCall reports what is wrong with a call
  const pack = nodePack(graph, node.id);
  const { from, fix } = pack !== undefined ? ofPack(node, pack) : isOfComfyCore(graph, node.id) ? OF_CORE : withoutPack(node);
  return [
    issue(
      "error",
      "node.unknown_capability",
      `"${node.service}" is not in the library of the ${node.plane} plane.${from}`,
      { node: node.id },
      fix,
    ),
  ];
}

interface Origin {
  from: string;
  fix: string;
}

const OF_CORE: Origin = { from: " It comes with ComfyUI itself, in another version.", fix: "Update ComfyUI, or replace the node." };

const withoutPack = ({ plane, service }: GraphNode): Origin => ({
  from: "",
  fix:
    plane === "comfy"
      ? `Its workflow does not name its pack: look for ${service} in ComfyUI-Manager, or replace the node.`
      : "Replace the node or start a worker that offers it.",
});

/** `owner/name` where ComfyUI's registry has no name for it: then it is installed by its address. */
function ofPack({ plane }: GraphNode, pack: string): Origin {
  const [, owner, name] = /^([\w.-]+)\/([\w.-]+)$/.exec(pack) ?? [];
  const from = ` It comes from the node pack ${owner === undefined ? pack : `${name} of ${owner}`}.`;
  const source = owner === undefined ? pack : `https://github.com/${owner}/${name}`;
  const where = plane === "comfy" ? "with ComfyUI-Manager, or into custom_nodes, and start ComfyUI again" : "where the plane's worker runs";
  return { from, fix: `Install ${source} ${where}.` };
}

function checkParameters(node: GraphNode, definition: NodeDefinition): Issue[] {
  const schemas = schemasOf(definition);
  const given: Readonly<Record<string, unknown>> = node.params ?? {};
  const issues: Issue[] = [];
  for (const name of Object.keys(given)) {
    const found = checkParameter(node, definition, name, given[name], schemas.get(name));
    if (found) issues.push(found);
  }
  for (const { name, required, schema } of definition.parameters) {
    if (!required || "default" in schema || Object.hasOwn(given, name)) continue;
    issues.push(issue("error", "input.missing", `${definition.label} needs ${name}.`, { node: node.id, port: name }, `Set ${name}.`));
  }
  return issues;
}

function checkParameter(
  node: GraphNode,
  definition: NodeDefinition,
  name: string,
  value: unknown,
  schema: Record<string, unknown> | undefined,
): Issue | undefined {
  if (!schema) {
    const { label, plane } = definition;
    // Packs have inputs that they describe to ComfyUI's editor alone, such as those of a video's format.
    const message =
      plane === "comfy" && name !== WIDGET_VALUES && !isOfOtherChoice(definition, name)
        ? `The server does not describe a parameter "${name}" of ${label}; the value is sent to ComfyUI as it is.`
        : `${label} has no parameter "${name}"; the value is not used.`;
    return issue("warning", "param.invalid", message, { node: node.id, port: name });
  }
  const choices = choicesOf(schema);
  if (choices && typeof value === "string" && !choices.includes(value)) {
    const near = nearest(value, choices);
    const reason = `"${value.slice(0, 120)}" is not in the list${choices.length === 0 ? ", which is empty" : ""}.`;
    return ofValue(node, name, reason, near === undefined ? undefined : `Choose "${near}".`);
  }
  const reason = whyInvalid(value, schema) ?? (schema["x-ports"] === undefined ? undefined : whyNoForm(value));
  return reason ? ofValue(node, name, reason) : undefined;
}

const ofValue = (node: GraphNode, port: string, reason: string, fix?: string): Issue => ({
  ...issue("error", "param.invalid", `${port} of ${nodeTitle(node)}: ${reason}`, { node: node.id, port }, fix),
  reason,
});

type Schemas = ReadonlyMap<string, Record<string, unknown>>;
const schemas = new WeakMap<NodeDefinition, Schemas>();

/** The schemas of a capability's parameters, and of the inputs that a parameter may stand in for. */
function schemasOf(definition: NodeDefinition): Schemas {
  const known = schemas.get(definition);
  if (known) return known;
  const made = new Map<string, Record<string, unknown>>();
  for (const { name, schema } of definition.inputs) made.set(name, schema);
  for (const { name, schema } of definition.parameters) made.set(name, schema);
  if (definition.calls === undefined) schemas.set(definition, made); // each capability has one, and each graph one for its calls
  return made;
}

/** The values a schema allows, where it lists them; a file's name among them, or an uploaded file instead. */
function choicesOf(schema: Record<string, unknown>): readonly unknown[] | undefined {
  if (Array.isArray(schema.enum)) return schema.enum;
  const listed = Array.isArray(schema.anyOf) ? schema.anyOf.find((one: { enum?: unknown }) => Array.isArray(one.enum)) : undefined;
  return (listed as { enum?: unknown[] } | undefined)?.enum;
}

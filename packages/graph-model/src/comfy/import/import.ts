// A ComfyUI workflow -> a graph of comfy nodes (DESIGN G8): UI format 0.4 and 1.0, and API format.
import type { Graph, GraphEdge, GraphNode } from "@spindle/schemas";
import { noNumber } from "@spindle/schemas/python-json";
import type { Position } from "../../graph.ts";
import { hasErrors, type Issue, issue } from "../../issue.ts";
import type { Library, NodeDefinition } from "../../library.ts";
import { checkLimits, ID_PATTERN, LIMITS } from "../../limits.ts";
import { passesOf } from "../../passing.ts";
import { ofKind } from "../../stored-values.ts";
import { definitionWith } from "../../variants.ts";
import { slotOf } from "../prompt.ts";
import { byId, type FlatNode, flatten, passedBy } from "./flatten.ts";
import { takeGroupsApart } from "./group-nodes.ts";
import { carriedWorkflow, compareWithPrompt } from "./made-with.ts";
import { readWidgets } from "./widgets.ts";
import { isUiFormat, rawOf, readWorkflow, text, type UiFrame, type UiNode } from "./workflow.ts";

export interface Imported {
  /** The graph; absent if an issue is an error. */
  graph?: Graph;
  issues: Issue[];
}

type ApiNode = { class_type: string; inputs?: Record<string, unknown> | null; _meta?: { title?: unknown } };

/** One node on its way into the graph. */
interface Draft {
  id: string;
  type: string;
  title?: string | undefined;
  position?: Position;
  params: Record<string, unknown>;
  wires: { input: string; from: string; slot: number }[];
  /** Names of its outputs by slot, for a node that the library does not have. */
  outputs: readonly string[];
  pack?: string | undefined;
  bypassed?: true;
  problems: string[];
}

export const isComfyFormat = (value: unknown): boolean =>
  isUiFormat(value) || carriedWorkflow(value) !== undefined || apiNodes(value) !== undefined;

/** @param value parsed JSON, within the limits of a document */
export function importComfy(value: unknown, library: Library, name = "workflow"): Imported {
  const carried = carriedWorkflow(value);
  if (carried) return fromUi(carried.workflow, library, name, carried.prompt);
  const api = apiNodes(value);
  return api ? fromApi(api, library, name) : fromUi(value, library, name);
}

/** API format, bare or as it is sent to ComfyUI. */
function apiNodes(value: unknown): Record<string, ApiNode> | undefined {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return undefined;
  const { prompt } = value as { prompt?: unknown };
  if (prompt !== null && typeof prompt === "object") return apiNodes(prompt);
  const entries = Object.values(value);
  const isNode = (one: unknown) => one !== null && typeof one === "object" && typeof (one as ApiNode).class_type === "string";
  return entries.length > 0 && entries.every(isNode) ? (value as Record<string, ApiNode>) : undefined;
}

const tooManyNodes = (): Imported => ({
  issues: [
    issue(
      "error",
      "graph.too_large",
      `The workflow has more than ${LIMITS.nodes.toLocaleString("en")} nodes with those of its subgraphs, or they hold too much.`,
      {},
      "Use fewer instances of subgraphs inside one another, or split the workflow.",
    ),
  ],
});

/** @param prompt what ran when the file was made that carries the workflow */
function fromUi(value: unknown, library: Library, name: string, prompt?: unknown): Imported {
  const { workflow, problems, tooMany } = takeGroupsApart(readWorkflow(value));
  if (tooMany) return tooManyNodes();
  const flat = flatten(workflow, (node) => passesOnAlike(node, library));
  if (flat.tooMany || flat.nodes.length > LIMITS.nodes) return tooManyNodes();
  const drafts = flat.nodes.map((node) => uiDraft(node, library));
  const apart = compareWithPrompt(drafts, prompt, (type) => library.find("comfy", type) !== undefined);
  const left = [
    ...unknownFormat(value),
    ...apart.map((message) => issue("warning", "import.value", message)),
    ...(flat.muted > 0 ? [issue("info", "import.unsupported", `${flat.muted} muted nodes are left out.`)] : []),
    ...(flat.bypassed > 0
      ? [issue("info", "import.unsupported", `${flat.bypassed} bypassed nodes are left out; what they passed on goes straight through.`)]
      : []),
    ...[...problems, ...flat.problems].map(({ node, message }) => issue("warning", "import.unsupported", message, { node })),
  ];
  return build(drafts, library, name, left, { frames: workflow.graph.frames, notes: flat.notes });
}

/** The newest format of ComfyUI's editor that is known. */
const NEWEST_FORMAT = 1;

function unknownFormat(value: unknown): Issue[] {
  const version = Number.parseFloat(text(rawOf(value).version) ?? "");
  if (!(version > NEWEST_FORMAT)) return [];
  const words = `The workflow has format ${version}, which is newer than ${NEWEST_FORMAT}, the newest that is known. What could be read was taken over. Compare it with what ComfyUI shows, or export it there in the API format.`;
  return [issue("warning", "import.unsupported", words)];
}

/** Whether a bypassed node passes on at each output what ComfyUI's editor passes on there: it goes by the places in the file. */
function passesOnAlike(node: UiNode, library: Library): boolean {
  const definition = library.find("comfy", node.type);
  if (!definition) return false;
  const passes = passesOf(definition);
  const names = new Map(definition.outputs.map((port) => [slotOf(port), port.name]));
  return node.outputs.every((_, slot) => passes.get(names.get(slot) ?? "") === passedBy(node, slot)?.name);
}

function uiDraft({ id, node, position, sources, overrides, bypassed }: FlatNode, library: Library): Draft {
  const definition = library.find("comfy", node.type);
  const { params, problems } = readWidgets(node, definition);
  for (const [widget, value] of overrides) params[widget] = value;
  const wires: Draft["wires"] = [];
  for (const [input, source] of sources) {
    if ("value" in source) params[input] = source.value;
    else {
      wires.push({ input, from: source.node, slot: source.slot });
      delete params[input]; // the value of a linked widget is out of date
    }
  }
  const draft: Draft = {
    id,
    type: node.type,
    title: node.title,
    position,
    params,
    wires,
    outputs: node.outputs.map((output) => output.name),
    pack: packOf(node),
    ...(bypassed ? { bypassed } : {}),
    problems,
  };
  leaveOutNoNumbers(draft);
  return draft;
}

function leaveOutNoNumbers({ params, problems }: Draft): void {
  for (const [input, value] of Object.entries(params)) {
    const found = noNumber(value);
    if (found === undefined) continue;
    delete params[input];
    problems.push(`${input} is ${found} in the file, which is no number that can be set here: it is left out. Set it anew.`);
  }
}

function fromApi(nodes: Record<string, ApiNode>, library: Library, name: string): Imported {
  if (Object.keys(nodes).length > LIMITS.nodes) return tooManyNodes();
  const drafts = Object.entries(nodes)
    .sort(([a], [b]) => byId(a, b))
    .map(([id, { class_type, inputs: given, _meta }]): Draft => {
      const inputs = given ?? {};
      const definition = library.find("comfy", class_type);
      const ports = new Map(definition && definitionWith(definition, inputs).inputs.map((port) => [port.name, port]));
      const draft: Draft = {
        id,
        type: class_type,
        title: typeof _meta?.title === "string" ? _meta.title : undefined,
        params: {},
        wires: [],
        outputs: [],
        problems: [],
      };
      for (const [input, value] of Object.entries(inputs)) {
        if (isLink(value) && !Object.hasOwn(nodes, String(value[0])))
          draft.problems.push(`${input} is linked to the node ${String(value[0]).slice(0, 40)}, which is not in the file.`);
        else if (isLink(value)) draft.wires.push({ input, from: String(value[0]), slot: value[1] });
        else draft.params[input] = ofKind(unwrapped(value), ports.get(input));
      }
      leaveOutNoNumbers(draft);
      return draft;
    });
  return build(drafts, library, name, [], { frames: [], notes: [] });
}

/** ComfyUI takes every such pair for one; lists of values come wrapped. */
const isLink = (value: unknown): value is [string | number, number] =>
  Array.isArray(value) && value.length === 2 && ["string", "number"].includes(typeof value[0]) && Number.isInteger(value[1]);

const unwrapped = (value: unknown): unknown =>
  value !== null && typeof value === "object" && "__value__" in value ? value.__value__ : value;

function build(
  drafts: Draft[],
  library: Library,
  name: string,
  left: Issue[],
  view: { frames: readonly UiFrame[]; notes: readonly UiNode[] },
): Imported {
  if (drafts.length === 0)
    return { issues: [issue("error", "import.not_a_workflow", "The workflow has no node that could run."), ...left] };
  const ids = safeIds(drafts.map((draft) => draft.id));
  const byId = new Map(drafts.map((draft) => [draft.id, draft]));
  const define = (draft: Draft | undefined) => draft && library.find("comfy", draft.type);
  const nodes = drafts.map((draft): GraphNode => {
    const title = draft.title ?? define(draft)?.label ?? draft.type;
    const params = Object.keys(draft.params).length > 0 ? { params: draft.params } : {};
    return { id: ids.get(draft.id) as string, name: title, service: draft.type, plane: "comfy", status: "pending", ...params };
  });
  const edges = drafts.flatMap((draft) =>
    draft.wires.flatMap(({ input, from, slot }): GraphEdge[] => {
      const source = byId.get(from);
      if (!source) return [];
      const [a, b] = [ids.get(from) as string, ids.get(draft.id) as string];
      const id = `${b}.${input}`.replaceAll(/[^A-Za-z0-9_.:-]/g, "_").slice(-64);
      return [
        { from: a, to: b, kind: "normal", metadata: { id, sourcePort: outputName(source, slot, define(source)), targetPort: input } },
      ];
    }),
  );
  const issues = [
    ...left,
    ...drafts.flatMap((draft) =>
      draft.problems.map((message) => issue("warning", "import.value", message, { node: ids.get(draft.id) as string })),
    ),
  ];
  const graph = {
    schema: "langgraph.v1",
    workflowId: name,
    context: {},
    nodes,
    edges: unique(edges),
    metadata: metadataOf(drafts, ids, view, issues, library),
  } as unknown as Graph;
  const limits = checkLimits(graph);
  return hasErrors(limits) ? { issues: limits } : { graph, issues };
}

function outputName(source: Draft, slot: number, definition: NodeDefinition | undefined): string {
  const known = definition?.outputs.find((port) => slotOf(port) === slot)?.name;
  if (known !== undefined) return known;
  return numbered(source.outputs)[slot] ?? `output ${slot}`;
}

const numberedLists = new WeakMap<readonly string[], string[]>();

/** Outputs of one name are told apart by a number. */
function numbered(outputs: readonly string[]): string[] {
  const known = numberedLists.get(outputs);
  if (known) return known;
  const times = new Map<string, number>();
  const names = outputs.map((output, slot) => {
    const name = output || `output ${slot}`;
    const before = times.get(name) ?? 0;
    if (output !== "") times.set(output, before + 1);
    return before > 0 ? `${name}_${before + 1}` : name;
  });
  numberedLists.set(outputs, names);
  return names;
}

/** Two edges may have ended up with one id after long names were cut. */
function unique(edges: GraphEdge[]): GraphEdge[] {
  const taken = new Set<string>();
  return edges.map((edge, index) => {
    const id = String(edge.metadata?.id);
    if (taken.has(id)) return { ...edge, metadata: { ...edge.metadata, id: `e${index}` } };
    taken.add(id);
    return edge;
  });
}

/** The name of its pack in ComfyUI's registry, or else where the pack lies on GitHub: `owner/name`. */
function packOf({ properties: { cnr_id: name, aux_id: place } }: UiNode): string | undefined {
  if (typeof name === "string" && name !== "") return name;
  return typeof place === "string" && place !== "" ? place.replace(/\.git$/, "") : undefined;
}

function metadataOf(
  drafts: readonly Draft[],
  ids: ReadonlyMap<string, string>,
  { frames, notes }: { frames: readonly UiFrame[]; notes: readonly UiNode[] },
  issues: readonly Issue[],
  library: Library,
) {
  const own = (pick: (draft: Draft) => unknown) =>
    Object.fromEntries(drafts.flatMap((draft) => (pick(draft) === undefined ? [] : [[ids.get(draft.id) as string, pick(draft)]])));
  const placed = drafts.every((draft) => draft.position !== undefined);
  const ofClass = new Map(drafts.flatMap(({ type, pack }) => (pack === undefined ? [] : [[type, pack] as const])));
  const packs = own(({ type, pack }) => pack ?? ofClass.get(type) ?? (library.find("comfy", type) ? undefined : library.packOf?.(type)));
  const settings = own((draft) => (draft.bypassed ? { bypassed: true } : undefined));
  return {
    ...(issues.length > 0 ? { imported: { issues } } : {}),
    ...(Object.keys(settings).length > 0 ? { nodes: settings } : {}),
    editor: {
      ...(placed ? { positions: own((draft) => draft.position) } : {}),
      ...(frames.length > 0 && placed ? { frames } : {}),
      ...(notes.length > 0 && placed ? { notes: notes.map(noteOf) } : {}),
      ...(Object.keys(packs).length > 0 ? { packs } : {}),
    },
  };
}

const noteOf = ({ title, position, size, widgets }: UiNode) => ({
  title: title ?? "",
  text: text(Array.isArray(widgets) ? widgets[0] : Object.values(widgets)[0]) ?? "",
  position,
  size,
});

/** ComfyUI takes any text as an id; a graph does not (DESIGN G7). */
function safeIds(ids: readonly string[]): Map<string, string> {
  const taken = new Set(ids.filter((id) => ID_PATTERN.test(id)));
  const numbers = new Map<string, number>();
  return new Map(
    ids.map((id) => {
      if (ID_PATTERN.test(id)) return [id, id];
      const stem = id.replaceAll(/[^A-Za-z0-9_.:-]/g, "_").slice(0, 56) || "node";
      let free = stem;
      for (let number = numbers.get(stem) ?? 2; taken.has(free); number++) {
        free = `${stem}_${number}`;
        numbers.set(stem, number + 1);
      }
      taken.add(free);
      return [id, free];
    }),
  );
}

// Group nodes, which ComfyUI had before it had subgraphs -> subgraphs: each instance as one of its own, for it has the values of its nodes.

import { LIMITS } from "../../limits.ts";
import {
  INPUT_NODE,
  itemsOf,
  OUTPUT_NODE,
  type Raw,
  rawOf,
  readNode,
  text,
  type UiGraph,
  type UiLink,
  type UiNode,
  type Workflow,
} from "./workflow.ts";

export interface TakenApart {
  workflow: Workflow;
  problems: { node: string; message: string }[];
  /** Groups inside one another multiply: the rest was not taken apart. */
  tooMany: boolean;
}

/** Nodes of all instances: of a workflow within the limits not all nodes stay. */
const MOST_NODES = 4 * LIMITS.nodes;
const MAX_DEPTH = 32;
/** A group has no values of these; nor of a primitive that nothing takes. */
const WITHOUT_VALUES = new Set(["Note", "MarkdownNote"]);

export function takeGroupsApart(workflow: Workflow): TakenApart {
  const subgraphs = new Map(workflow.subgraphs);
  const problems: TakenApart["problems"] = [];
  let made = 0;
  let tooMany = false;
  const apart = (graph: UiGraph, prefix: string, depth: number): UiGraph => {
    const nodes = [...graph.nodes].map(([id, node]): [string, UiNode] => {
      const group = workflow.groups.get(/^workflow[>/](.+)$/.exec(node.type)?.[1] ?? "");
      tooMany ||= made > MOST_NODES || depth > MAX_DEPTH;
      if (!group || tooMany) return [id, node];
      const type = `${prefix}${id}`;
      made += 1 + itemsOf(group.nodes).length;
      const { inner, inputs, isUnclear } = takeApart(group, node);
      if (isUnclear)
        problems.push({ node: id, message: `Not all values of the group node "${node.type.slice(9, 69)}" could be told apart.` });
      subgraphs.set(type, apart(inner, `${type}:`, depth + 1));
      return [id, { ...node, type, inputs, widgets: [] }];
    });
    return { ...graph, nodes: new Map(nodes) };
  };
  if (workflow.groups.size === 0) return { workflow, problems, tooMany: false };
  for (const [id, graph] of workflow.subgraphs) subgraphs.set(id, apart(graph, `group ${id}:`, 0));
  const graph = apart(workflow.graph, "group ", 0);
  return { workflow: { ...workflow, graph, subgraphs }, problems, tooMany };
}

/** Of the group's nodes, which are numbered from 0: `[from, slot, to, slot, ...]`. */
type Inner = UiLink & { id: string };

function takeApart(group: Raw, instance: UiNode): { inner: UiGraph; inputs: UiNode["inputs"]; isUnclear: boolean } {
  const own = itemsOf(group.nodes).map((raw, index) => ({ ...readNode(rawOf(raw)), id: String(index) }));
  const links = itemsOf(group.links).flatMap((raw, index): Inner[] => {
    const [from = "", fromSlot, to = "", toSlot] = itemsOf(raw).map(text);
    const isInside = own[Number(from || Number.NaN)] !== undefined && own[Number(to || Number.NaN)] !== undefined;
    return isInside ? [{ id: `in ${index}`, from, fromSlot: Number(fromSlot), to, toSlot: Number(toSlot) }] : [];
  });
  const { nodes, isUnclear } = withValues(own, links, instance.widgets);
  const entries = entriesOf(nodes, links, group);
  const given = matched(entries, instance.inputs);
  const exits = exitsOf(nodes, links, group);
  const all = [
    ...links,
    ...entries.map(
      ({ node, slot }, index): Inner => ({ id: `from ${index}`, from: INPUT_NODE, fromSlot: index, to: node.id, toSlot: slot }),
    ),
    ...exits.map(({ node, slot }, index): Inner => ({ id: `to ${index}`, from: node.id, fromSlot: slot, to: OUTPUT_NODE, toSlot: index })),
  ];
  const linkTo = new Map(all.map(({ id, to, toSlot }) => [`${to} ${toSlot}`, id]));
  const wired = nodes.map((node): [string, UiNode] => {
    const inputs = node.inputs.map(({ link: _, ...input }, slot) => {
      const link = linkTo.get(`${node.id} ${slot}`);
      return link === undefined ? input : { ...input, link };
    });
    return [node.id, { ...node, inputs }];
  });
  const corner = nodes.reduce((low, { position: { x, y } }) => ({ x: Math.min(low.x, x), y: Math.min(low.y, y) }), {
    x: Number.POSITIVE_INFINITY,
    y: Number.POSITIVE_INFINITY,
  });
  const inner: UiGraph = {
    nodes: new Map(wired),
    lost: 0,
    links: new Map(all.map(({ id, ...link }) => [id, link])),
    ends: new Map(exits.map((_, index) => [index, `to ${index}`])),
    setters: new Map(),
    corner,
    frames: [],
    inputs: entries.map((_, index) => String(index)),
    outputs: [],
    promoted: new Set(),
  };
  const inputs = given.flatMap((input, index) =>
    input ? [{ name: String(index), type: input.type, ...(input.link === undefined ? {} : { link: input.link }) }] : [],
  );
  const isWired = instance.inputs.some((input) => input.link !== undefined && !given.includes(input));
  return { inner, inputs, isUnclear: isUnclear || isWired };
}

interface Slot {
  node: UiNode;
  slot: number;
}

const configOf = (group: Raw, { node, slot }: Slot, side: "input" | "output"): Raw => {
  const config = rawOf(rawOf(rawOf(group.config)[node.id])[side]);
  return rawOf(config[side === "input" ? (node.inputs[slot]?.name ?? "") : slot]);
};

/** What the group takes from outside, in the order of its inputs: those of its nodes, and after them their widgets that became inputs. */
function entriesOf(nodes: readonly UiNode[], links: readonly Inner[], group: Raw): Slot[] {
  const linked = new Set(links.map(({ to, toSlot }) => `${to} ${toSlot}`));
  const open = nodes
    .flatMap((node) => node.inputs.map((_, slot) => ({ node, slot })))
    .filter(({ node, slot }) => !linked.has(`${node.id} ${slot}`));
  const isWidget = ({ node, slot }: Slot) => node.inputs[slot]?.widget !== undefined;
  const isShown = (entry: Slot) => configOf(group, entry, "input").visible !== false;
  return [...open.filter((entry) => !isWidget(entry) && isShown(entry)), ...open.filter(isWidget)];
}

/** The instance's input for each; by name where the order is another one, as it is in files that list widgets among the inputs. */
function matched(entries: readonly Slot[], inputs: UiNode["inputs"]): (UiNode["inputs"][number] | undefined)[] {
  const nameOf = ({ node, slot }: Slot) => node.inputs[slot]?.name ?? "";
  const typeOf = ({ node, slot }: Slot) => node.inputs[slot]?.type ?? "*";
  const fits = entries.every((entry, index) => !inputs[index] || inputs[index].type === typeOf(entry) || typeOf(entry) === "*");
  if (fits) return entries.map((_, index) => inputs[index]);
  return entries.map((entry) => inputs.find(({ name }) => name === nameOf(entry) || name.endsWith(` ${nameOf(entry)}`)));
}

/** What the group gives, in the order of its outputs: what none of its nodes takes, or something outside takes as well. */
function exitsOf(nodes: readonly UiNode[], links: readonly Inner[], group: Raw): Slot[] {
  const taken = new Set(links.map(({ from, fromSlot }) => `${from} ${fromSlot}`));
  const outside = new Set(itemsOf(group.external).map((one) => itemsOf(one).slice(0, 2).map(text).join(" ")));
  return nodes.flatMap((node) =>
    node.outputs.flatMap((_, slot): Slot[] => {
      const at = `${node.id} ${slot}`;
      if (node.type === "PrimitiveNode" && !taken.has(at)) return [];
      const { visible = !taken.has(at) || outside.has(at) } = configOf(group, { node, slot }, "output");
      return visible ? [{ node, slot }] : [];
    }),
  );
}

/** The instance's values, which are those of its nodes one after another, without those of widgets that became inputs. */
function withValues(nodes: readonly UiNode[], links: readonly Inner[], values: UiNode["widgets"]): { nodes: UiNode[]; isUnclear: boolean } {
  const given: readonly unknown[] = Array.isArray(values) ? values : Object.values(values);
  const countsWithout = (isInput: (node: UiNode, slot: number) => boolean) =>
    nodes.map((node) => {
      const isIdle = node.type === "PrimitiveNode" && !links.some(({ from }) => from === node.id);
      const own = Array.isArray(node.widgets) && !isIdle && !WITHOUT_VALUES.has(node.type) ? node.widgets.length : 0;
      return Math.max(0, own - node.inputs.filter(({ widget }, slot) => widget !== undefined && isInput(node, slot)).length);
    });
  // Files of before 2025 have a widget among the inputs only once it has become one; later ones have all of them there.
  const counts = [
    countsWithout(() => true),
    countsWithout((node, slot) => links.some(({ to, toSlot }) => to === node.id && toSlot === slot)),
  ].find((each) => each.reduce((sum, one) => sum + one, 0) === given.length);
  if (!counts) return { nodes: [...nodes], isUnclear: given.length > 0 };
  let at = 0;
  let isUnclear = false;
  const filled = nodes.map((node, index) => {
    const own = given.slice(at, at + (counts[index] ?? 0));
    at += own.length;
    if (own.length === 0) return node;
    if (Array.isArray(node.widgets) && own.length === node.widgets.length) return { ...node, widgets: own };
    // Which of its places stand for inputs only the class tells; it does not matter where the values are those of the definition.
    isUnclear ||= !isWithin(own, itemsOf(node.widgets));
    return node;
  });
  return { nodes: filled, isUnclear };
}

function isWithin(part: readonly unknown[], whole: readonly unknown[]): boolean {
  let at = 0;
  for (const value of whole) if (at < part.length && value === part[at]) at++;
  return at === part.length;
}

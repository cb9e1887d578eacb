// DESIGN G6: the one validation, used while editing, on save, on import and before a run.

import { edgeId, edgeMetadata, type Graph, nodeTitle, record } from "../graph.ts";
import type { InputSource, Supply } from "../inputs.ts";
import { declaredInterface } from "../interface.ts";
import { type Issue, issue } from "../issue.ts";
import type { Level, ResolvedNode, Wiring } from "../level.ts";
import type { Library } from "../library.ts";
import { ID_PATTERN } from "../limits.ts";
import { nodeNotLive, regionsNotLive } from "../live.ts";
import type { RegionProblem } from "../regions.ts";
import { type Resolved, resolve } from "../resolve.ts";
import { finder, sameFields } from "../unchanged.ts";
import { checkBorders } from "./borders.ts";
import { checkCall, checkControl } from "./control.ts";
import { checkDefinitions } from "./definitions.ts";
import { checkEdges } from "./edges.ts";
import { checkExtent } from "./extent.ts";
import { checkEdgeMetadata, checkMetadata } from "./metadata.ts";
import { checkNode, checkUnknown } from "./node.ts";
import { checkPassing, passesAlike } from "./passing.ts";

export function validate(graph: Graph, library: Library): Issue[] {
  const resolved = resolve(graph, library);
  const issues = found.get(resolved) ?? issuesOf(resolved);
  found.set(resolved, issues);
  return [...issues];
}

const found = new WeakMap<Resolved, Issue[]>();

function issuesOf(resolved: Resolved): Issue[] {
  const extent = checkExtent(resolved.graph);
  if (extent.length > 0) return extent;
  return [...checkLevel(resolved.root), ...checkDefinitions(resolved, checkLevel)];
}

/** What was found at a level, by what it was found in: an edit leaves most of that as it was (resolve.ts). */
interface Findings {
  all: Issue[];
  wiring: Wiring;
  ofWiring: { metadata: Issue[]; ids: Issue[]; control: Issue[]; cycle: Issue[] };
  metadata: Graph["metadata"];
  ofMetadata: Issue[];
  supply: Supply;
  ofSupply: { edges: Issue[]; interface: Issue[] };
  ofPassing: Issue[];
  ofNodes: NodeFindings[];
}

interface NodeFindings {
  of: ResolvedNode;
  call: Issue[];
  node: Issue[];
  notLive: readonly Issue[];
  sources: Issue[];
}

const NONE: Issue[] = [];
const orNone = (issues: Issue[]): Issue[] => (issues.length === 0 ? NONE : issues); // most nodes have no issue

const checkLevel = (level: Level): Issue[] => level.derive(findingsOf).all;

function findingsOf(level: Level, before: Findings | undefined): Findings {
  const { graph, wiring, supply } = level;
  const ofWiring =
    before?.wiring === wiring
      ? before.ofWiring
      : { metadata: checkEdgeMetadata(graph), ids: checkIds(level), control: checkControl(level), cycle: checkCycle(level) };
  const isSaid = before?.wiring === wiring && sameFields(before.metadata, graph.metadata);
  const ofMetadata = isSaid ? before.ofMetadata : checkMetadata(graph);
  const ofSupply = before?.supply === supply ? before.ofSupply : { edges: checkEdges(level), interface: checkInterface(level) };
  const ofNodes = findingsOfNodes(level, before?.ofNodes);
  const isPassedAlike =
    before?.wiring === wiring &&
    before.metadata?.interface === graph.metadata?.interface &&
    level.nodes.every((node, at) => passesAlike((before.ofNodes[at] as NodeFindings).of, node));
  const ofPassing = isPassedAlike ? before.ofPassing : checkPassing(level);
  const all = [
    ...ofMetadata,
    ...ofWiring.metadata,
    ...(graph.nodes.length === 0 ? [issue("error", "graph.empty", "The graph has no nodes.", { pointer: "/nodes" }, "Add a node.")] : []),
    ...ofWiring.ids,
    ...ofWiring.control,
    ...joined(ofNodes, (node) => node.call),
    ...ofSupply.edges,
    ...joined(ofNodes, ({ of, node }) => (of.element ? node : [...node, ...checkUnknown(graph, of)])),
    ...joined(ofNodes, ({ notLive }) => notLive),
    ...regionsNotLive(level),
    ...joined(ofNodes, (node) => node.sources),
    ...ofWiring.cycle,
    ...(supply.hasTooManyNames ? [tooManyNames()] : NONE),
    ...ofPassing,
    ...level.regionProblems.map(regionIssue),
    ...checkBorders(level),
    ...ofSupply.interface,
    ...importIssues(graph),
  ];
  return { all, wiring, ofWiring, metadata: graph.metadata, ofMetadata, supply, ofSupply, ofPassing, ofNodes };
}

function findingsOfNodes({ nodes }: Level, before: readonly NodeFindings[] | undefined): NodeFindings[] {
  if (!before) return nodes.map(findingsOfNode);
  const found = finder(
    before,
    ({ of }) => of,
    ({ node }) => node.id,
  );
  return nodes.map((resolved, at) => found(resolved, at) ?? findingsOfNode(resolved));
}

function findingsOfNode(of: ResolvedNode): NodeFindings {
  let sources = NONE;
  for (const source of of.sources) {
    const found = checkSource(source, of);
    if (found) sources = [...sources, found];
  }
  return { of, call: orNone(checkCall(of)), node: orNone(checkNode(of)), notLive: nodeNotLive(of), sources };
}

function joined(findings: readonly NodeFindings[], issues: (node: NodeFindings) => readonly Issue[]): Issue[] {
  const all: Issue[] = [];
  for (const node of findings) for (const each of issues(node)) all.push(each);
  return all;
}

const tooManyNames = (): Issue =>
  issue(
    "error",
    "graph.too_large",
    "Too many inputs look for a name among the nodes before them.",
    { pointer: "/nodes" },
    "Wire them, or use fewer different names or fewer nodes.",
  );

function checkCycle({ nodes, shape }: Level): Issue[] {
  if (shape.order.length === nodes.length) return [];
  const settled = new Set(shape.order);
  const stuck = nodes.map(({ node }) => node).filter((node) => !settled.has(node.id) && shape.node.get(node.id) === node);
  if (!stuck[0]) return [];
  const some = stuck.slice(0, 5).map((node) => node.id);
  return [
    issue(
      "error",
      "graph.cycle",
      `${stuck.length} nodes are on a cycle or after one: ${some.join(", ")}.`,
      { node: stuck[0].id },
      "Remove an edge of the cycle, or make the one that leads back a loop.",
    ),
  ];
}

/** What an import could not take over; it is reported for as long as the node exists. */
function importIssues(graph: Graph): Issue[] {
  const { issues } = record(graph.metadata?.imported);
  if (!Array.isArray(issues) || issues.length === 0) return [];
  const ids = new Set(graph.nodes.map((node) => node.id));
  const isIssue = (one: unknown): one is Issue => typeof record(one).message === "string" && typeof record(one).place === "object";
  const still = issues.filter(isIssue).filter(({ place }) => place?.node === undefined || ids.has(place.node));
  return still.map(({ severity, code, message, place, fix }) => issue(severity === "info" ? "info" : "warning", code, message, place, fix));
}

function regionIssue({ nodes, edge, why }: RegionProblem): Issue {
  const place = { node: nodes[0] ?? "", ...(typeof edge?.metadata?.id === "string" ? { edge: edge.metadata.id } : {}) };
  if (why === "control")
    return issue(
      "error",
      "region.control",
      `${nodes.join(" and ")} must run in one ComfyUI prompt, and the wire between them has a condition, a loop, a failure path, a map or another server.`,
      place,
      "Move that to a wire that carries an image, a sound, a video or a value.",
    );
  const some = nodes.slice(0, 5).join(", ");
  if (why === "server")
    return issue(
      "error",
      "region.no_server",
      `No connected ComfyUI has all the nodes and files that must be together: ${some}.`,
      place,
      "Put what is missing on one server.",
    );
  return issue(
    "error",
    "region.not_convex",
    `${some} must run in one ComfyUI prompt, but part of what they need is made outside of it, from what they give.`,
    place,
    "Split the group at a wire that carries an image, a sound, a video or a value, or load the model twice.",
  );
}

function checkIds({ graph, wiring }: Level): Issue[] {
  const issues: Issue[] = [];
  const isEachOnce = wiring.index.size === graph.nodes.length;
  const nodes = new Set<string>();
  graph.nodes.forEach(({ id }, index) => {
    if (ID_PATTERN.test(id) && (isEachOnce || !nodes.has(id))) return isEachOnce ? undefined : void nodes.add(id);
    const place = { node: id, pointer: `/nodes/${index}/id` };
    if (!ID_PATTERN.test(id))
      issues.push(issue("error", "node.bad_id", `"${id.slice(0, 80)}" is not an id: 1 to 64 characters of A-Z a-z 0-9 _ . : -`, place));
    if (nodes.has(id)) issues.push(issue("error", "node.duplicate_id", `Two nodes have the id "${id}".`, place, "Rename one of them."));
    nodes.add(id);
  });
  if (!graph.edges.some((edge) => edgeMetadata(edge).id !== undefined)) return issues; // each is known by its place
  const edges = new Set<string>();
  graph.edges.forEach((edge, index) => {
    const id = edgeId(edge, index);
    if (edges.has(id))
      issues.push(issue("error", "edge.duplicate_id", `Two edges have the id "${id}".`, { edge: id, pointer: `/edges/${index}` }));
    edges.add(id);
  });
  return issues;
}

function checkSource({ kind, node, port }: InputSource, { passes }: ResolvedNode): Issue | undefined {
  if (kind === "none" && passes) return undefined; // checkPassing says where that is missed
  if (kind === "none" && port.required)
    return issue(
      "error",
      "input.missing",
      `${nodeTitle(node)} needs ${port.label} (${port.type}).`,
      { node: node.id, port: port.name },
      "Wire it.",
    );
  if (kind !== "run") return undefined;
  return issue("info", "input.for_run", `The run is asked for ${port.label}.`, { node: node.id, port: port.name });
}

function checkInterface(level: Level): Issue[] {
  const ports = new Map<string, ReadonlySet<string> | undefined>();
  const known = (node: string, port: string, side: "inputs" | "outputs"): boolean => {
    const found = level.node(node);
    if (!found) return false;
    const key = `${side}\n${node}`;
    if (!ports.has(key)) {
      const { definition } = found;
      ports.set(key, definition && new Set(definition[side].map(({ name }) => name)));
    }
    return ports.get(key)?.has(port) ?? true;
  };
  const { inputs, outputs } = declaredInterface(level.graph);
  const bad = [
    ...inputs.flatMap((input) => input.to.filter((to) => !known(to.node, to.port, "inputs")).map((to) => ({ name: input.name, ...to }))),
    ...outputs.filter(({ from }) => !known(from.node, from.port, "outputs")).map(({ name, from }) => ({ name, ...from })),
  ];
  return bad.map(({ name, node, port }) =>
    issue("error", "interface.invalid", `The public "${name}" names ${node}.${port}, which does not exist.`, {
      node,
      port,
      pointer: "/metadata/interface",
    }),
  );
}

// DESIGN G6: the one validation, used while editing, on save, on import and before a run.

import { type RegionProblem, regionProblems } from "../comfy/regions.ts";
import { definer } from "../definitions.ts";
import { edgeId, type Graph, nodeTitle } from "../graph.ts";
import { type InputSource, inputSources } from "../inputs.ts";
import { declaredInterface } from "../interface.ts";
import { type Issue, issue } from "../issue.ts";
import type { Define, Library } from "../library.ts";
import { levelNotLive } from "../live.ts";
import { type Topology, topology } from "../topology.ts";
import { checkControl } from "./control.ts";
import { checkDefinitions } from "./definitions.ts";
import { checkEdges } from "./edges.ts";
import { checkExtent } from "./extent.ts";
import { ID_PATTERN } from "./limits.ts";
import { checkMetadata } from "./metadata.ts";
import { checkNode } from "./node.ts";

export function validate(graph: Graph, library: Library): Issue[] {
  const extent = checkExtent(graph);
  if (extent.length > 0) return extent;
  return [
    ...checkMetadata(graph),
    ...checkGraph(graph, library),
    ...checkDefinitions(graph, library, (inner) => [...checkMetadata(inner), ...checkGraph(inner, library)]),
  ];
}

function checkGraph(graph: Graph, library: Library): Issue[] {
  const shape = topology(graph);
  const define = definer(graph, library);
  const sources = inputSources(graph, define, shape);
  const settled = new Set(shape.order);
  const stuck = graph.nodes.filter((node) => !settled.has(node.id) && shape.node.get(node.id) === node);
  return [
    ...(graph.nodes.length === 0 ? [issue("error", "graph.empty", "The graph has no nodes.", { pointer: "/nodes" }, "Add a node.")] : []),
    ...checkIds(graph),
    ...checkControl(graph, shape),
    ...checkEdges(graph, define),
    ...graph.nodes.flatMap((node) => checkNode(graph, node, library)),
    ...levelNotLive(graph, library, shape),
    ...sources.flatMap((source) => checkSource(source)),
    ...(stuck[0]
      ? [
          issue(
            "error",
            "graph.cycle",
            `${stuck.length} nodes are on a cycle or after one: ${stuck
              .slice(0, 5)
              .map((node) => node.id)
              .join(", ")}.`,
            { node: stuck[0].id },
            "Remove an edge of the cycle, or make the one that leads back a loop.",
          ),
        ]
      : []),
    ...regionProblems(graph, library, shape).map(regionIssue),
    ...checkInterface(graph, shape, define),
    ...importIssues(graph),
  ];
}

/** What an import could not take over, for as long as the node is there. */
function importIssues(graph: Graph): Issue[] {
  const { issues } = Object(graph.metadata?.imported) as { issues?: unknown };
  const ids = new Set(graph.nodes.map((node) => node.id));
  const isIssue = (one: unknown): one is Issue => typeof Object(one).message === "string" && typeof Object(one).place === "object";
  const still = (Array.isArray(issues) ? issues : [])
    .filter(isIssue)
    .filter(({ place }) => place?.node === undefined || ids.has(place.node));
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

function checkIds(graph: Graph): Issue[] {
  const issues: Issue[] = [];
  const nodes = new Set<string>();
  graph.nodes.forEach(({ id }, index) => {
    const place = { node: id, pointer: `/nodes/${index}/id` };
    if (!ID_PATTERN.test(id))
      issues.push(issue("error", "node.bad_id", `"${id.slice(0, 80)}" is not an id: 1 to 64 characters of A-Z a-z 0-9 _ . : -`, place));
    if (nodes.has(id)) issues.push(issue("error", "node.duplicate_id", `Two nodes have the id "${id}".`, place, "Rename one of them."));
    nodes.add(id);
  });
  const edges = new Set<string>();
  graph.edges.forEach((edge, index) => {
    const id = edgeId(edge, index);
    if (edges.has(id))
      issues.push(issue("error", "edge.duplicate_id", `Two edges have the id "${id}".`, { edge: id, pointer: `/edges/${index}` }));
    edges.add(id);
  });
  return issues;
}

function checkSource({ kind, node, port }: InputSource): Issue[] {
  if (kind === "none" && port.required)
    return [
      issue(
        "error",
        "input.missing",
        `${nodeTitle(node)} needs ${port.label} (${port.type}).`,
        { node: node.id, port: port.name },
        "Wire it.",
      ),
    ];
  if (kind !== "run") return [];
  return [issue("info", "input.for_run", `The run is asked for ${port.label}.`, { node: node.id, port: port.name })];
}

function checkInterface(graph: Graph, { node: nodes }: Topology, define: Define): Issue[] {
  const ports = new Map<string, ReadonlySet<string> | undefined>();
  const known = (node: string, port: string, side: "inputs" | "outputs"): boolean => {
    const found = nodes.get(node);
    if (!found) return false;
    const key = `${side}\n${node}`;
    if (!ports.has(key)) {
      const definition = define(found);
      ports.set(key, definition && new Set(definition[side].map(({ name }) => name)));
    }
    return ports.get(key)?.has(port) ?? true;
  };
  const { inputs, outputs } = declaredInterface(graph);
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

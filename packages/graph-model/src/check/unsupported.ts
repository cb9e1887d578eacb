// What the document format knows and this version does not run. Each is refused at its place; nothing is ignored.
import { edgeId, edgeMetadata, type Graph, nodeSettings } from "../graph.ts";
import { type Issue, issue } from "../issue.ts";

const EDGE_FEATURES = { when: "Conditions on edges", loop: "Loops", map: "Maps over lists" } as const;
const NODE_FEATURES = { pinned: "Pinned outputs", disabled: "Nodes that are off", breakpoint: "Breakpoints" } as const;
const isSet = (value: unknown): boolean => value !== undefined && value !== null && value !== false;

export function checkUnsupported(graph: Graph): Issue[] {
  const refuse = (what: string, place: Issue["place"]) => issue("error", "feature.not_supported", `${what}: not supported yet.`, place);
  const edges = graph.edges.flatMap((edge, index) =>
    (Object.keys(EDGE_FEATURES) as (keyof typeof EDGE_FEATURES)[])
      .filter((key) => isSet(edgeMetadata(edge)[key]))
      .map((key) => refuse(EDGE_FEATURES[key], { edge: edgeId(edge, index), pointer: `/edges/${index}/metadata/${key}` })),
  );
  const nodes = graph.nodes.flatMap((node) => {
    const found = (Object.keys(NODE_FEATURES) as (keyof typeof NODE_FEATURES)[])
      .filter((key) => isSet(nodeSettings(graph, node.id)[key]))
      .map((key) => NODE_FEATURES[key] as string);
    if (node.service === "graph.call") found.push("Subgraphs");
    if (node.status === "completed" && isSet(node.output)) found.push("Resuming a finished node");
    return found.map((what) => refuse(what, { node: node.id }));
  });
  const definitions = Object.keys((graph.metadata?.definitions as object | undefined) ?? {}).length > 0;
  return [...edges, ...nodes, ...(definitions ? [refuse("Subgraph definitions", { pointer: "/metadata/definitions" })] : [])];
}

// What the schema of the document leaves open: the parts of `metadata` that Spindle reads (DESIGN G1). What decides how a run goes is
// refused if it has not its schema's shape; anything else is a warning, and so is a key that nothing reads.
import { edgeId, edgeMetadata, type Graph, isLoopEdge, isMapEdge, isObject } from "../graph.ts";
import { type Issue, issue } from "../issue.ts";
import { nearest } from "../nearest.ts";
import { fits, type Misfit, misfits, misfitWarning, pointerOf, some, unknownKeys } from "./misfits.ts";

const PARTS = ["nodes", "editor", "definitions", "interface"] as const;

export function checkMetadata(graph: Graph): Issue[] {
  const metadata: Record<string, unknown> = isObject(graph.metadata) ? graph.metadata : {};
  return [
    ...PARTS.filter((key) => metadata[key] !== undefined && !isObject(metadata[key])).map((key) =>
      bad(`/metadata/${key}`, `is ${kind(metadata[key])}, not an object`, metadata[key] === null),
    ),
    ...(isObject(metadata.nodes) ? checkNodes(graph, metadata.nodes) : []),
    ...(isObject(metadata.interface) ? checkInterfaceShape(metadata.interface) : []),
    ...(isObject(metadata.editor) ? checkEditor(metadata.editor) : []),
  ];
}

export const checkEdgeMetadata = ({ edges }: Graph): Issue[] => edges.flatMap(checkEdge);

/** A null is read as absent, so that it breaks no reader. */
const bad = (pointer: string, what: string, isNull = false): Issue =>
  issue(
    isNull ? "warning" : "error",
    pointer.startsWith("/metadata/interface") ? "interface.invalid" : "graph.schema",
    `${pointer} ${what}.`,
    {
      pointer,
    },
  );

function checkNodes(graph: Graph, nodes: Record<string, unknown>): Issue[] {
  const ids = graph.nodes.map((node) => node.id);
  const known = new Set(ids);
  const ghosts = Object.keys(nodes).filter((id) => !known.has(id));
  return [
    ...Object.entries(nodes).flatMap(([id, settings]) =>
      isObject(settings) ? [] : [bad(`/metadata/nodes/${id}`, `is ${kind(settings)}, not an object of settings`, settings === null)],
    ),
    ...some(
      ghosts.filter((id) => isObject(nodes[id])),
      (id) => {
        const near = nearest(id, ids.length <= MOST_COMPARED ? ids : []);
        const pointer = `/metadata/nodes${pointerOf([id])}`;
        const message = `There are settings for the node "${id.slice(0, 80)}", which does not exist.`;
        return issue("warning", "metadata.unknown", message, { pointer }, near === undefined ? "Remove them." : `Call them "${near}".`);
      },
      "settings of nodes that do not exist",
      { pointer: "/metadata/nodes" },
    ),
  ];
}

/** For more ids than these, no similar name is suggested. */
const MOST_COMPARED = 500;

/** One issue for each entry that a run cannot use; the rest of what does not fit is shown as it is. */
function checkInterfaceShape(raw: Record<string, unknown>): Issue[] {
  const found = misfits("GraphInterface", raw);
  const place = { pointer: "/metadata/interface" };
  const reported = new Set<string>();
  return [
    ...found.wrong.flatMap((misfit) => {
      const [side = "", index, field] = misfit.path;
      const pointer = `${place.pointer}/${side}`;
      if (index === undefined) return [bad(pointer, `is ${kind(raw[side])}, not a list`, raw[side] === null)];
      if (field === "label" || field === "widget") return [misfitWarning(misfit, place)];
      if (reported.has(`${side}/${index}`)) return [];
      reported.add(`${side}/${index}`);
      return [bad(`${pointer}/${index}`, whyNot(side, field))];
    }),
    ...unknownKeys("GraphInterface", found, place),
  ];
}

function whyNot(side: string, field: string | undefined): string {
  if (field === "to") return "goes to no ports: `to` lists a node and a port each";
  if (field === "from") return "comes from no port: `from` is a node and a port";
  return side === "inputs" ? "is no input: an object with a name" : "is no output: an object with a name";
}

function checkEditor(editor: Record<string, unknown>): Issue[] {
  const found = misfits("EditorMetadata", editor);
  const place = { pointer: "/metadata/editor" };
  return [...warnings(found.wrong, place), ...unknownKeys("EditorMetadata", found, place)];
}

/** What a definition has besides its graph, which is checked as one. */
export function checkDefinitionKeys(definition: unknown): Issue[] {
  if (!isObject(definition)) return [];
  const { nodes: _, edges: __, context: ___, metadata: ____, ...own } = definition;
  const found = misfits("Definition", { ...own, nodes: [SOME_NODE] });
  const place = { pointer: "" };
  return [...warnings(found.wrong, place), ...unknownKeys("Definition", found, place)];
}

const SOME_NODE = { id: "n", service: "s", plane: "node", status: "pending" };

/** Ports, conditions, loops and maps are said with what they mean for the run (edges.ts, control.ts). */
function checkEdge(edge: Graph["edges"][number], index: number): Issue[] {
  const found = misfits("EdgeMetadata", edgeMetadata(edge));
  if (fits(found)) return [];
  const place = { edge: edgeId(edge, index), pointer: `/edges/${index}/metadata` };
  const isSaid = ({ path: [key, inner] }: Misfit): boolean =>
    key === "sourcePort" ||
    key === "targetPort" ||
    key === "when" ||
    (key === "loop" && isLoopEdge(edge)) ||
    (key === "map" && isMapEdge(edge) && inner !== undefined);
  const own = found.wrong.filter((misfit) => !isSaid(misfit));
  return [...warnings(own, place), ...unknownKeys("EdgeMetadata", found, place)];
}

const warnings = (wrong: readonly Misfit[], place: { edge?: string; pointer: string }): Issue[] =>
  some(wrong, (misfit) => misfitWarning(misfit, place), "parts that have the wrong shape", place);

const kind = (value: unknown): string =>
  value === null ? "null" : Array.isArray(value) ? "a list" : typeof value === "object" ? "an object" : `a ${typeof value}`;

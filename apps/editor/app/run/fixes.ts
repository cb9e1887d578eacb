// What ends a problem at the press of a button. Each fix is one step of undo.
import {
  edgeId,
  type Graph,
  type GraphEdge,
  type Issue,
  type Library,
  nearest,
  nodePack,
  nodePosition,
  portType,
  type ResolvedNode,
  resolve,
  words,
} from "@spindle/graph-model";
import { remove, type Sheet, setEdge, setParam, setSetting } from "@spindle/graph-model/shared-doc";
import { insertNode, replaceNode } from "../canvas/edits";
import { converter, jointOfWire } from "../canvas/joint";
import { ME } from "../session/use-document";

export interface Fix {
  label: string;
  /** What is copied rather than changed in the graph. */
  copies?: string;
  apply(sheet: Sheet): void;
}

interface Place {
  graph: Graph;
  library: Library;
  issue: Issue;
}

/** As many of one kind as are read at a glance. */
const MOST_OFFERED = 2;

/** The fixes of an issue, the likeliest first. @param graph of the level that the issue lies on, with its place as it is there */
export function fixesFor(graph: Graph, library: Library, issue: Issue): Fix[] {
  if (issue.severity === "info") return [];
  return (FIXES[issue.code] ?? (() => []))({ graph, library, issue });
}

const FIXES: Partial<Record<Issue["code"], (place: Place) => Fix[]>> = {
  "edge.type_mismatch": (place) => [...converters(place), ...removeWire(place)],
  "edge.dangling": (place) => removeWire(place),
  "edge.unknown_port": (place) => removeWire(place),
  "edge.port_taken": (place) => removeWire(place),
  "edge.bad_condition": ({ issue: { place } }) =>
    place.edge === undefined ? [] : [fix("Remove the condition", (sheet) => setEdge(sheet, ME, place.edge ?? "", { when: null }))],
  "param.invalid": (place) => valueFixes(place),
  "graph.schema": (place) => settingFixes(place),
  "node.bypassed": (place) => settingFixes(place),
  "node.unknown_version": ({ graph, library, issue: { place } }) => {
    const { definition } = resolve(graph, library).root.node(place.node ?? "") ?? {};
    return definition
      ? [fix(`Use version ${definition.version}`, (sheet) => setSetting(sheet, ME, place.node ?? "", "version", undefined))]
      : [];
  },
  "node.unknown_engine": (place) => engines(place),
  "node.engine_not_live": (place) => engines(place),
  "engine.not_live": (place) => engines(place),
  "node.unknown_capability": (place) => replacements(place),
};

const fix = (label: string, apply: Fix["apply"]): Fix => ({ label, apply });

function removeWire({ issue: { place } }: Place): Fix[] {
  const { edge } = place;
  return edge === undefined ? [] : [fix("Remove the wire", (sheet) => remove(sheet, ME, [], [edge]))];
}

/** A node between the two ends that makes one type of the other. */
function converters({ graph, library, issue: { place } }: Place): Fix[] {
  const joint = jointOfWire(graph, place.edge ?? "");
  if (!joint?.from || !joint.to) return [];
  const { from, to } = joint;
  const ask = converter(graph, library, { from, to });
  const found = library.all().flatMap((definition) => {
    const join = ask(definition);
    return "why" in join ? [] : [{ definition, score: join.score }];
  });
  const [start, end] = [nodePosition(graph, from.node), nodePosition(graph, to.node)];
  const middle = { x: ((start?.x ?? 0) + (end?.x ?? 0)) / 2, y: Math.max(start?.y ?? 0, end?.y ?? 0) + BELOW };
  return found
    .toSorted((one, other) => Number(other.definition.live) - Number(one.definition.live) || other.score - one.score)
    .slice(0, MOST_OFFERED)
    .map(({ definition }) =>
      fix(`Insert ${definition.label}`, (sheet) => void insertNode(sheet, { graph, library }, definition, middle, joint)),
    );
}

const BELOW = 60;

function valueFixes(place: Place): Fix[] {
  const { graph, library, issue } = place;
  const { node: id = "", port: name = "" } = issue.place;
  if (issue.place.pointer?.startsWith("/metadata/nodes/")) return settingFixes(place);
  const { node, definition } = resolve(graph, library).root.node(id) ?? {};
  if (!node || !definition) return [];
  const schemas = new Map([...definition.inputs, ...definition.parameters].map((each) => [each.name, each.schema]));
  const [value, schema] = [node.params?.[name], schemas.get(name)];
  const set = (label: string, to: string, next: unknown) => fix(label, (sheet) => setParam(sheet, ME, id, to, next));
  if (!schema) {
    const free = [...schemas.keys()].filter((each) => node.params?.[each] === undefined);
    const near = nearest(name, free);
    const rename = fix(`Move it to ${words(near ?? "")}`, (sheet) =>
      sheet.transact(() => {
        setParam(sheet, ME, id, near ?? "", value);
        setParam(sheet, ME, id, name, undefined);
      }, ME),
    );
    return [...(near === undefined ? [] : [rename]), set("Remove the value", name, undefined)];
  }
  const near = fittingValue(value, schema);
  const fitting = near === undefined ? [] : [set(`Set ${typeof near === "string" ? `"${near}"` : String(near)}`, name, near)];
  const clear =
    "default" in schema ? set(`Use the default, ${String(schema.default)}`, name, undefined) : set("Remove the value", name, undefined);
  return [...fitting, clear];
}

/** The value next to a wrong one that is allowed. */
export function fittingValue(value: unknown, schema: Record<string, unknown>): unknown {
  const listed = Array.isArray(schema.anyOf) ? schema.anyOf.find((one: { enum?: unknown }) => Array.isArray(one.enum))?.enum : schema.enum;
  if (Array.isArray(listed)) return typeof value === "string" ? nearest(value, listed) : undefined;
  const type = portType(schema);
  if (type !== "number" && type !== "integer") return undefined;
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  if (typeof number !== "number" || !Number.isFinite(number)) return undefined;
  const { minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY } = schema as { minimum?: number; maximum?: number };
  const whole = type === "integer" ? Math.round(number) : number;
  const fitting = Math.min(Math.max(whole, minimum), maximum);
  return fitting === value ? undefined : fitting;
}

function settingFixes({ issue: { place } }: Place): Fix[] {
  const { node, port, pointer = "" } = place;
  if (node === undefined || port === undefined || (pointer !== "" && !pointer.startsWith("/metadata/nodes/"))) return [];
  return [fix("Remove the setting", (sheet) => setSetting(sheet, ME, node, port as "engine", undefined))];
}

/** Another engine of the node; of a node that names none there is only the choice to wait. */
function engines({ graph, library, issue: { place } }: Place): Fix[] {
  const { definition, settings, node }: Partial<ResolvedNode> = resolve(graph, library).root.node(place.node ?? "") ?? {};
  if (!definition || !node) return [];
  const others = definition.engines.filter((engine) => engine.live && engine.id !== settings?.engine);
  const use = (engine: string | undefined) => (sheet: Sheet) => setSetting(sheet, ME, node.id, "engine", engine);
  const isNamed = settings?.engine !== undefined && settings.engine !== "auto";
  const auto = others.find((engine) => engine.auto !== false);
  return [
    ...(isNamed && auto ? [fix(`Choose automatically (${auto.label})`, use(undefined))] : []),
    ...others
      .filter((engine) => engine !== auto || !isNamed)
      .slice(0, MOST_OFFERED)
      .map(({ id, label }) => fix(`Use ${label}`, use(id))),
  ];
}

function replacements({ graph, library, issue: { place } }: Place): Fix[] {
  const node = graph.nodes.find(({ id }) => id === place.node);
  if (!node) return [];
  const all = library.all().filter(({ plane }) => plane === node.plane);
  const near = nearest(
    node.service,
    all.map(({ service }) => service),
  );
  const definition = all.find(({ service }) => service === near);
  const pack = nodePack(graph, node.id);
  const replace =
    definition && fix(`Replace with ${definition.label}`, (sheet) => void replaceNode(sheet, { graph, library }, node.id, definition));
  return [...(pack ? [{ label: `Copy the name of ${pack}`, copies: pack, apply: () => {} }] : []), ...(replace ? [replace] : [])];
}

/** The wire that an issue is about, if it is there. */
export const wireOf = (graph: Graph, { place: { edge } }: Issue): GraphEdge | undefined =>
  edge === undefined ? undefined : graph.edges.find((each, index) => edgeId(each, index) === edge);

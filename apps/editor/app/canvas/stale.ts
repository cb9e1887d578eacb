// What an edit since the run made stale, and the edit that did: the graph as it is beside the graph as it ran.
import {
  canonicalText,
  edgeMetadata,
  type Graph,
  type GraphEdge,
  type InputSource,
  type Library,
  nodeTitle,
  type ResolvedNode,
  resolve,
  words,
} from "@spindle/graph-model";

const same = (one: unknown, other: unknown): boolean => canonicalText(one ?? null) === canonicalText(other ?? null);

/**
 * @param ran the graph of the run
 * @returns for each node whose result a new run would not find again, the edit that is to blame, as a sentence
 */
export function staleCauses(graph: Graph, ran: Graph, library: Library): ReadonlyMap<string, string> {
  const [now, before] = [resolve(graph, library).root, resolve(ran, library).root];
  const [controls, controlsBefore] = [controlsOf(graph), controlsOf(ran)];
  const causes = new Map<string, string>();
  const blame = new Map<string, string>();
  const { order } = now.plan.shape;
  const found = new Set(order);
  for (const id of [...order, ...graph.nodes.map((node) => node.id).filter((node) => !found.has(node))]) {
    const [node, old] = [now.node(id), before.node(id)];
    if (!node) continue;
    const own = old && ownCause(node, old, controls.get(id), controlsBefore.get(id));
    const inherited = [...(now.plan.shape.predecessors.get(id) ?? [])]
      .map((other) => blame.get(other))
      .find((cause) => cause !== undefined);
    // A node that is new has no result that could be stale, and what comes after it has another input.
    const cause = old ? (own?.sentence ?? inherited) : `${nodeTitle(node.node)} is new.`;
    if (cause === undefined) continue;
    causes.set(id, cause);
    if (node.settings.pinned && same(node.settings.pinned, old?.settings.pinned)) continue; // what it gives is fixed
    blame.set(id, own ? `${own.sentence.slice(0, -1)} in ${nodeTitle(node.node)}.` : cause);
  }
  return causes;
}

function ownCause(
  { node, definition, settings, sources }: ResolvedNode,
  before: ResolvedNode,
  control: string | undefined,
  controlBefore: string | undefined,
): { sentence: string } | undefined {
  if (node.service !== before.node.service || node.plane !== before.node.plane)
    return { sentence: `It was ${before.definition?.label ?? before.node.service} before.` };
  const names = new Set([...Object.keys(node.params ?? {}), ...Object.keys(before.node.params ?? {})]);
  for (const name of names)
    if (!same(node.params?.[name], before.node.params?.[name])) return { sentence: `${labelOf(definition, name)} changed.` };
  if ((settings.engine ?? "auto") !== (before.settings.engine ?? "auto")) return { sentence: "The engine changed." };
  if (settings.version !== before.settings.version) return { sentence: "The version changed." };
  if (!same(settings.pinned, before.settings.pinned)) return { sentence: "The pinned output changed." };
  if ((settings.disabled === true) !== (before.settings.disabled === true))
    return { sentence: `It was switched ${settings.disabled ? "off" : "on"}.` };
  if ((settings.bypassed === true) !== (before.settings.bypassed === true))
    return { sentence: settings.bypassed ? "It was bypassed." : "It is no longer bypassed." };
  if (!same(settings.outputs, before.settings.outputs)) return { sentence: "Which of its several outputs leave changed." };
  const moved = sources.find((source, index) => originOf(source) !== originOf(before.sources[index]));
  if (moved) return { sentence: `The wire into ${moved.port.label} changed.` };
  return control === controlBefore ? undefined : { sentence: "The condition of a wire into it changed." };
}

const labelOf = (definition: ResolvedNode["definition"], name: string): string => {
  const port = definition?.inputs.find((input) => input.name === name);
  const title = definition?.parameters.find((parameter) => parameter.name === name)?.schema.title;
  return port?.label ?? (typeof title === "string" ? title : words(name));
};

/** Where an input takes its value from, besides the node's own parameters. */
const originOf = (source: InputSource | undefined): string =>
  source && "from" in source ? `${source.from}\n${source.output}` : source?.kind === "interface" ? `\n${source.input}` : "";

/** What decides whether each node runs, and how often, besides what it takes. */
function controlsOf(graph: Graph): ReadonlyMap<string, string> {
  const all = new Map<string, string[]>();
  for (const edge of graph.edges) {
    const text = controlOf(edge);
    if (text === undefined) continue;
    const known = all.get(edge.to);
    if (known) known.push(text);
    else all.set(edge.to, [text]);
  }
  return new Map([...all].map(([id, texts]) => [id, texts.toSorted().join("\n")]));
}

function controlOf(edge: GraphEdge): string | undefined {
  const { when, loop, map } = edgeMetadata(edge);
  const isPlain = !when && !loop && !map && (edge.kind ?? "normal") === "normal";
  return isPlain
    ? undefined
    : canonicalText({ from: edge.from, kind: edge.kind ?? "normal", when: when ?? "", loop: loop ?? 0, map: map ?? 0 });
}

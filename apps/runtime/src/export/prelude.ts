// How nodes are decided, outside Spindle (apps/runtime/src/engine/SPEC.md RC, RL, RM, RD): this file's text is part of every exported graph.
import { Annotation, START, StateGraph } from "@langchain/langgraph";

export type Values = Record<string, unknown>;
/**
 * What a service does with the values of its ports and parameters; throwing is failing. One that a person decides may use
 * LangGraph's `interrupt`.
 */
export type ServiceFunction = (input: Values, about: { node: string; path: string }) => Values | Promise<Values>;
export type ServiceTable = Record<string, ServiceFunction>;

interface Result {
  path: string;
  state: "succeeded" | "failed" | "skipped";
  /** Skipped because a failure was not taken care of. */
  broken: boolean;
  output: Values;
  error: Values;
}

interface Edge {
  from: string;
  to: string;
  kind: "normal" | "on_success" | "on_failure";
  /** @throws if it cannot be answered */
  when?: (about: { output: Values; error: Values; inputs: Values }) => boolean;
  /** The output that is a choice: the edge holds if it was given. */
  branch?: string;
  sourcePort?: string;
  targetPort?: string;
}

/** Where a value is looked for, the first that is there. */
type Source = { from: string; output: string } | { input: string } | { value: unknown };

interface Node {
  id: string;
  service: string;
  parameters?: Values;
  inputs?: Record<string, Source[]>;
  required?: string[];
  /** Ports that take nothing by name, as those with a wire; a loop's values do not replace theirs. */
  wired?: string[];
  off?: true;
  /** It is bypassed: by output, the input whose value it gives. */
  passes?: Record<string, string>;
  pinned?: Values;
  /** Once for each element of the list in the port. */
  map?: { port: string; limit?: number; tolerate: number; outputs: string[] };
  /** Another graph does it. */
  call?: () => Level;
}

interface Loop {
  id: string;
  head: string;
  tail: string;
  max: number;
  edge: Edge;
}

type Failed = { node: string; path: string; message: string };
const merged = <T>() => Annotation<Record<string, T>>({ reducer: (before, news) => ({ ...before, ...news }), default: () => ({}) });
const State = Annotation.Root({
  /** By node, of its last visit. */
  results: merged<Result>(),
  /** How each node run ended, by path. */
  states: merged<Result["state"]>(),
  /** Failures that nothing took care of. */
  failed: Annotation<Failed[]>({ reducer: (before, news) => [...before, ...news], default: () => [] }),
  visits: merged<number>(),
});
type Now = typeof State.State;

/** One visit of a loop, or the whole of a graph. */
interface Scope {
  prefix: string;
  inputs: Values;
  visit: number;
  loop?: Loop;
  /** What the loop's last node gave in the visit before. */
  before?: Result | undefined;
  outer?: Scope;
}
interface Config {
  configurable?: { services?: ServiceTable; scope?: Scope };
  recursionLimit?: number;
}
type Compiled = { invoke(state: Partial<Now>, config: object): Promise<Now> };

interface Level {
  graph: Compiled;
  /** What the graph gives: name, and where it comes from. */
  outputs: { name: string; from: string; port: string }[];
  /** Every output of these nodes, where nothing is declared. */
  ends: { id: string; prefix: string }[];
}

const configured = (config: Config) => ({
  services: config.configurable?.services ?? {},
  scope: config.configurable?.scope ?? { prefix: "", inputs: {}, visit: 0 },
});

class Condition extends Error {}

/** The nodes and loops of one graph, by its edges. */
function level(edges: Edge[]) {
  const into = (id: string) => edges.filter((edge) => edge.to === id);
  const holds = (edge: Edge, source: Result, inputs: Values): boolean => {
    if (edge.branch !== undefined && source.state === "succeeded" && !(edge.branch in source.output)) return false;
    try {
      return edge.when?.({ output: source.output, error: source.error, inputs }) ?? true;
    } catch (cause) {
      throw new Condition(`The condition on the edge from ${edge.from} cannot be answered: ${(cause as Error).message}`);
    }
  };
  const rescued = (source: Result, id: string, inputs: Values): boolean =>
    edges.some((edge) => {
      if (edge.from !== id || edge.kind !== "on_failure") return false;
      try {
        return holds(edge, source, inputs);
      } catch {
        return false; // its target fails with it
      }
    });
  const says = (edge: Edge, source: Result, inputs: Values): "taken" | "not" | "broken" => {
    if (source.state === "skipped") return source.broken ? "broken" : "not";
    if (source.state === "succeeded") return edge.kind !== "on_failure" && holds(edge, source, inputs) ? "taken" : "not";
    if (edge.kind === "on_failure") return holds(edge, source, inputs) ? "taken" : "not";
    return rescued(source, edge.from, inputs) ? "not" : "broken";
  };
  /** The loop edge by which a node is reached again. */
  const back = (scope: Scope, id: string): { edge: Edge; source: Result } | undefined => {
    for (let at: Scope | undefined = scope; at?.loop?.head === id; at = at.outer) {
      if (at.visit === 0 || !at.before) continue;
      says(at.loop.edge, at.before, scope.inputs);
      return { edge: at.loop.edge, source: at.before };
    }
    return undefined;
  };

  /** A node: it always fires, and says itself whether it runs. */
  const node = (drawn: Node) => async (state: Now, config: Config) => {
    const { scope, services } = configured(config);
    const path = scope.prefix + drawn.id;
    const inside: States = {};
    const end = (result: Partial<Result> & Pick<Result, "state">) =>
      update(drawn.id, { path, broken: false, output: {}, error: {}, ...result }, inside);
    if (drawn.off) return end({ state: "skipped" });
    try {
      const around = back(scope, drawn.id);
      const values = valuesOf(drawn, state.results, scope.inputs, around);
      const said = into(drawn.id).map((edge) => says(edge, state.results[edge.from] as Result, scope.inputs));
      if (around) said.push("taken");
      const missing = drawn.required?.find((port) => values[port] === undefined);
      if (said.includes("broken")) return end({ state: "skipped", broken: true });
      if (said.length > 0 && (!said.includes("taken") || missing !== undefined)) return end({ state: "skipped" });
      if (missing !== undefined && !drawn.pinned) throw new Error(`${missing} has no value.`);
      return end({
        state: "succeeded",
        output: drawn.pinned ?? passedOn(drawn, values) ?? (await work(drawn, path, { ...drawn.parameters, ...values }, services, inside)),
      });
    } catch (cause) {
      const { message, code, name } = cause as Error & { code?: string };
      const error = { class: "user", code: cause instanceof Condition ? "edge.condition_failed" : (code ?? name), message };
      const result = { path, state: "failed" as const, broken: false, output: {}, error };
      return update(drawn.id, result, inside, rescued(result, drawn.id, scope.inputs));
    }
  };

  /** A loop: its body once per visit, as long as its edge is taken. */
  const loop = (drawn: Loop, body: Compiled) => async (state: Now, config: Config) => {
    const { scope } = configured(config);
    const visit = state.visits[drawn.id] ?? 0;
    const before = visit > 0 ? state.results[drawn.tail] : undefined;
    const inner: Scope = { ...scope, prefix: `${scope.prefix}${drawn.id}[${visit}]/`, loop: drawn, visit, before, outer: scope };
    const { results, states, failed } = await body.invoke(
      { results: state.results },
      { configurable: { ...config.configurable, scope: inner }, recursionLimit: config.recursionLimit },
    );
    const last = results[drawn.tail] as Result;
    const goesOn = again(drawn, last, scope.inputs) && visit + 1 < drawn.max;
    const caredFor = goesOn && drawn.edge.kind === "on_failure";
    return {
      // What it made, and not what it was given: that may be newer by now.
      results: Object.fromEntries(Object.entries(results).filter(([id, result]) => result !== state.results[id])),
      states,
      failed: caredFor ? failed.filter(({ path }) => path !== last.path) : failed,
      visits: { [drawn.id]: goesOn ? visit + 1 : -1 },
    };
  };
  const again = ({ edge }: Loop, last: Result, inputs: Values): boolean => {
    try {
      return says(edge, last, inputs) === "taken";
    } catch {
      return true; // the next visit's first node fails with it, which says where
    }
  };
  return { node, loop };
}

function update(id: string, result: Result, inside: States, caredFor = true) {
  const failed = caredFor ? [] : [{ node: id, path: result.path, message: String(result.error.message) }];
  return { results: { [id]: result }, states: { ...inside, [result.path]: result.state }, failed };
}

function valuesOf(node: Node, results: Record<string, Result>, inputs: Values, around: { edge: Edge; source: Result } | undefined): Values {
  const values: Values = {};
  for (const [port, sources] of Object.entries(node.inputs ?? {}))
    for (const source of sources) {
      values[port] ??=
        "from" in source ? results[source.from]?.output[source.output] : "input" in source ? inputs[source.input] : source.value;
    }
  const given = around?.source.output ?? {};
  const { sourcePort, targetPort } = around?.edge ?? {};
  if (sourcePort && targetPort) values[targetPort] = given[sourcePort] ?? values[targetPort];
  else for (const port of Object.keys(node.inputs ?? {})) if (!node.wired?.includes(port)) values[port] = given[port] ?? values[port];
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function passedOn({ passes, map }: Node, values: Values): Values | undefined {
  if (!passes) return undefined;
  const list = map && values[map.port];
  const given = Object.entries(passes).map(([output, input]) => {
    const value = values[input];
    return [output, Array.isArray(list) && input !== map?.port && value !== undefined ? list.map(() => value) : value] as const;
  });
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

type States = Record<string, Result["state"]>;

/** @param states by path, of what ran inside: elements, and nodes of a graph that was called */
async function work(node: Node, path: string, values: Values, services: ServiceTable, states: States): Promise<Values> {
  if (!node.map) return workOnce(node, path, values, services, states);
  const { port, limit, tolerate, outputs } = node.map;
  const list = values[port];
  if (!Array.isArray(list)) throw new Error(`${port}: a list is needed to run once per element.`);
  const made: (Values | Error)[] = [];
  const next = list.entries();
  const lane = async (): Promise<void> => {
    for (const [index, element] of next) {
      const own = `${path}#${index}`;
      made[index] = await workOnce(node, own, { ...values, [port]: element }, services, states).catch((error: Error) => error);
      states[own] = made[index] instanceof Error ? "failed" : "succeeded";
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit ?? list.length, list.length) }, lane));
  const failed = made.filter((each) => each instanceof Error);
  if (failed.length > tolerate) throw new Error(`${failed.length} of ${list.length} elements failed: ${failed[0]?.message}`);
  return Object.fromEntries(outputs.map((name) => [name, made.map((each) => (each instanceof Error ? null : (each[name] ?? null)))]));
}

async function workOnce(node: Node, path: string, values: Values, services: ServiceTable, states: States): Promise<Values> {
  if (!node.call) {
    const service = services[node.service];
    if (!service) throw new Error(`No service ${node.service} was given.`);
    return service(values, { node: node.id, path });
  }
  const inner = await runLevel(node.call(), services, values, `${path}/`);
  Object.assign(states, inner.states);
  if (inner.failed[0]) throw new Error(`${inner.failed[0].node}: ${inner.failed[0].message}`);
  return inner.outputs;
}

async function runLevel({ graph, outputs, ends }: Level, services: ServiceTable, inputs: Values, prefix: string) {
  const { results, states, failed } = await graph.invoke(
    {},
    { configurable: { services, scope: { prefix, inputs, visit: 0 } }, recursionLimit: 100_000 },
  );
  const given = [
    ...outputs.map(({ name, from, port }) => [name, results[from]?.output[port]] as const),
    ...ends.flatMap(({ id, prefix: before }) =>
      Object.entries(results[id]?.output ?? {}).map(([port, value]) => [before + port, value] as const),
    ),
  ];
  return { outputs: Object.fromEntries(given.filter(([, value]) => value !== undefined)) as Values, states, failed };
}

// ---

/** For the sources of this file alone: what an exported graph uses of it. */
export const used = { START, StateGraph, State, level, runLevel };

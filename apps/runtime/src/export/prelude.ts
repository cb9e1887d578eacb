// How nodes are decided, outside Spindle (apps/runtime/src/engine/SPEC.md RC, RL, RM, RD, RH): this file's text is part of every exported
// program, after that of the modules it imports from graph-model.
import { Annotation, isGraphBubbleUp, type LangGraphRunnableConfig, START, StateGraph } from "@langchain/langgraph";
import { decide, decideEdge, type EdgeDecision, type Outcome, passedOn, whyUnfit } from "@spindle/graph-model";

export type Values = Record<string, unknown>;
/**
 * What a service does with the values of its ports and parameters; throwing is failing, and an error's `class` and `code` are what
 * conditions see. The config is LangGraph's: a model that is called with it streams its tokens.
 */
export type ServiceFunction = (input: Values, about: { node: string; path: string }, config: ServiceConfig) => Values | Promise<Values>;
export type ServiceTable = Record<string, ServiceFunction>;
/** Services that the program brings itself; those that it is given stand before them. */
export const carriedServices: ServiceTable = {};
export type ServiceConfig = LangGraphRunnableConfig<{ services?: ServiceTable }>;

interface Result {
  path: string;
  state: "succeeded" | "failed" | "skipped";
  /** Skipped because a failure was not taken care of. */
  broken: boolean;
  output: Values;
  error: Values;
}

type EdgeKind = "normal" | "on_success" | "on_failure";
interface Edge {
  from: string;
  to: string;
  kind: EdgeKind;
  /** @throws if it cannot be answered */
  when?: (about: { output: Values; error: Values; inputs: Values }) => boolean;
  /** The output that is a choice: the edge holds if it was given. */
  branch?: string;
  sourcePort?: string;
  targetPort?: string;
}
interface Port {
  name: string;
  label: string;
  type: string;
  required: boolean;
  schema: Values;
}

/** Where a value is looked for, the first that is there. */
type Source = { from: string; output: string } | { input: string } | { value: unknown };

interface Node {
  id: string;
  title: string;
  service: string;
  parameters?: Values;
  inputs?: Record<string, Source[]>;
  ports: Port[];
  /** Ports that take nothing by name, as those with a wire; a loop's values do not replace theirs. */
  wired?: string[];
  /** What happens in place of running: nothing, or an output is there; of a bypassed node, by output, the input whose value it gives. */
  instead?: { off: true } | { pinned: Values } | { passes: Record<string, string> };
  /** Once for each element of the list in the port. */
  map?: { port: string; limit?: number; tolerate: number; outputs: string[] };
  /** Another graph does it. */
  call?: () => LevelProgram;
  /** A person does it. */
  ask?: (about: { node: string; path: string }, input: Values) => Values;
}

interface Loop {
  id: string;
  head: string;
  tail: string;
  max: number;
  edge: Edge;
}

type Failed = { node: string; title: string; path: string; message: string };
/** Adds what is new; null clears. */
const merged = <T>() =>
  Annotation<Record<string, T>, Record<string, T> | null>({
    reducer: (before, news) => (news === null ? {} : { ...before, ...news }),
    default: () => ({}),
  });
const State = Annotation.Root({
  /** What the graph is given. */
  inputs: Annotation<Values>,
  /** What each node gave or why it did not, by node, of its last visit. */
  results: merged<Result>(),
  /** How each node run ended, by path. */
  states: merged<Result["state"]>(),
  /** Failures that nothing took care of. */
  failed: Annotation<Failed[], Failed[] | null>({
    reducer: (before, news) => (news === null ? [] : [...before, ...news]),
    default: () => [],
  }),
  /** By loop, the visit that comes next; -1 once the loop is over. */
  visits: merged<number>(),
  /** Of a graph that runs inside another one: where. */
  scope: Annotation<Scope | undefined>,
});
export type Now = typeof State.State;
export type Update = typeof State.Update;
/** What the graph runs with, and no checkpoint keeps. */
const Context = Annotation.Root({ services: Annotation<ServiceTable> });

/** One visit of a loop, or the whole of a graph; plain values, because it is part of checkpoints. */
interface Scope {
  prefix: string;
  inputs: Values;
  visit: number;
  /** It runs for an element of a list, with others beside it, so that LangGraph keeps no checkpoint of it. */
  isElement?: boolean;
  loop?: string;
  /** What the loop's last node gave in the visit before. */
  before?: Result | undefined;
  outer?: Scope;
}
const scopeOf = ({ scope, inputs = {} }: Now): Scope => scope ?? { prefix: "", inputs, visit: 0 };

interface Builder {
  compile(options?: { checkpointer: false }): Compiled;
}
type Compiled = { invoke(state: Update, config: ServiceConfig): Promise<Now> };
export interface LevelProgram {
  graph: Builder;
  nodes: string[];
  /** What the graph gives: name, and where it comes from. */
  outputs: { name: string; from: string; port: string }[];
  /** Every output of these nodes, where nothing is declared. */
  ends: { id: string; prefix: string }[];
}

const compiled = { kept: new WeakMap<Builder, Compiled>(), unkept: new WeakMap<Builder, Compiled>() };
/** Runs a graph inside a node; its checkpoints lie with those of the graph around it. */
function invokeInside(builder: Builder, state: Update & { scope: Scope }, config: ServiceConfig): Promise<Now> {
  const known = state.scope.isElement ? compiled.unkept : compiled.kept;
  const graph = known.get(builder) ?? (state.scope.isElement ? builder.compile({ checkpointer: false }) : builder.compile());
  known.set(builder, graph);
  return graph.invoke(state, config);
}

/** A failure with a code that conditions see. */
class Failure extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

function errorOf(cause: unknown): Values {
  const { class: kind, code, name, message } = (cause instanceof Error ? cause : new Error(String(cause))) as Error & Values;
  const known = typeof code === "string" ? code : name === "UserError" ? "node.user_error" : "node.exception";
  return { class: typeof kind === "string" ? kind : "user", code: known, message };
}

/** How conditions that are judged together share what they may spend; conditions set it (prelude-condition.ts). */
export const budget = { share: <T>(judge: () => T): T => judge() };

function outcomeOf({ state, broken }: Result): Outcome {
  if (state === "succeeded") return { status: "completed" };
  return state === "skipped" ? { status: "skipped", broken } : { status: "failed" };
}

/** The nodes and loops of one graph, by its edges. */
function level(edges: Edge[], titles: Record<string, string>) {
  const loops = new Map<string, Loop>();
  const holds = (edge: Edge, source: Result, inputs: Values): boolean => {
    if (edge.branch !== undefined && source.state === "succeeded" && !Object.hasOwn(source.output, edge.branch)) return false;
    try {
      return edge.when?.({ output: source.output, error: source.error, inputs }) ?? true;
    } catch (cause) {
      const why = `The condition on the edge from ${titles[edge.from] ?? edge.from} cannot be answered. ${(cause as Error).message}`;
      throw new Failure("edge.condition_failed", why);
    }
  };
  const isHandled = (source: Result, id: string, inputs: Values): boolean =>
    edges.some((edge) => {
      if (edge.from !== id || edge.kind !== "on_failure") return false;
      try {
        return holds(edge, source, inputs);
      } catch {
        return false; // its target fails with it
      }
    });
  const decideFrom = (edge: Edge, source: Result, inputs: Values): EdgeDecision => {
    const outcome = outcomeOf(source);
    const matters = outcome.status === (edge.kind === "on_failure" ? "failed" : "completed");
    const handled = outcome.status === "failed" && isHandled(source, edge.from, inputs);
    return decideEdge(edge.kind, outcome, !matters || holds(edge, source, inputs), handled);
  };
  /** The loop edge by which a node is reached again. */
  const back = (scope: Scope, id: string): { edge: Edge; source: Result } | undefined => {
    for (let at: Scope | undefined = scope; at; at = at.outer) {
      const loop = loops.get(at.loop ?? "");
      if (loop?.head !== id) return undefined;
      if (at.visit === 0 || !at.before) continue;
      decideFrom(loop.edge, at.before, scope.inputs);
      return { edge: loop.edge, source: at.before };
    }
    return undefined;
  };

  /** A node: it always fires, and says itself whether it runs. */
  const node = (drawn: Node) => async (state: Now, config: ServiceConfig) => {
    const scope = scopeOf(state);
    const path = scope.prefix + drawn.id;
    const inside: States = {};
    const end = (result: Partial<Result> & Pick<Result, "state">, handled = true) =>
      update(drawn, { path, broken: false, output: {}, error: {}, ...result }, inside, handled);
    const { instead } = drawn;
    if (instead && "off" in instead) return end({ state: "skipped" });
    const passes = instead && "passes" in instead ? instead.passes : undefined;
    try {
      const around = budget.share(() => back(scope, drawn.id));
      const values = valuesFor(drawn, state.results, scope.inputs, around);
      const decision = budget.share(() => {
        const said = edges
          .filter((edge) => edge.to === drawn.id)
          .map((edge) => decideFrom(edge, state.results[edge.from] as Result, scope.inputs));
        if (around) said.push("taken");
        return decide(said, passes !== undefined || drawn.ports.every(({ required, name }) => !required || values[name] !== undefined));
      });
      if (decision.do === "skip") return end({ state: "skipped", broken: decision.broken });
      if (passes) return end({ state: "succeeded", output: passedOn(new Map(Object.entries(passes)), values, drawn.map?.port) });
      if (instead && "pinned" in instead) return end({ state: "succeeded", output: instead.pinned });
      return end({ state: "succeeded", output: await work({ drawn, path, scope, states: inside, config }, values) });
    } catch (cause) {
      if (isGraphBubbleUp(cause) || config.signal?.aborted) throw cause;
      const result: Result = { path, state: "failed", broken: false, output: {}, error: errorOf(cause) };
      return end(
        result,
        budget.share(() => isHandled(result, drawn.id, scope.inputs)),
      );
    }
  };

  /** A loop: its body once per visit, as long as its edge is taken. */
  const loop = (drawn: Loop, body: Builder) => {
    loops.set(drawn.id, drawn);
    return async (state: Now, config: ServiceConfig) => {
      const outer = scopeOf(state);
      const visit = state.visits[drawn.id] ?? 0;
      const before = visit > 0 ? state.results[drawn.tail] : undefined;
      const scope: Scope = { ...outer, prefix: `${outer.prefix}${drawn.id}[${visit}]/`, loop: drawn.id, visit, before, outer };
      const { results, states, failed } = await invokeInside(body, { results: state.results, scope }, config);
      const last = results[drawn.tail] as Result;
      const goesOn = budget.share(() => goesRound(drawn, last, outer.inputs)) && visit + 1 < drawn.max;
      const caredFor = goesOn && drawn.edge.kind === "on_failure";
      // What it made, and not what it was given: that may be newer by now.
      const made = Object.entries(results).filter(([, { path }]) => path.startsWith(scope.prefix));
      return {
        results: Object.fromEntries(made),
        states,
        failed: caredFor ? failed.filter(({ path }) => path !== last.path) : failed,
        visits: { [drawn.id]: goesOn ? visit + 1 : -1 },
      };
    };
  };
  const goesRound = ({ edge }: Loop, last: Result, inputs: Values): boolean => {
    try {
      return decideFrom(edge, last, inputs) === "taken";
    } catch {
      return true; // the next visit's first node fails with it, which says where
    }
  };
  return { node, loop };
}

function update({ id, title }: Node, result: Result, inside: States, handled: boolean) {
  const { path, state, error } = result;
  const failed = state !== "failed" || handled ? [] : [{ node: id, title, path, message: String(error.message) }];
  return { results: { [id]: result }, states: { ...inside, [path]: state }, failed };
}

function valuesFor(
  node: Node,
  results: Record<string, Result>,
  inputs: Values,
  around: { edge: Edge; source: Result } | undefined,
): Values {
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

type States = Record<string, Result["state"]>;

/** What is the same for a node and for each of its elements. */
interface Work {
  drawn: Node;
  path: string;
  scope: Scope;
  /** By path, of what ran inside: elements, and nodes of a graph that was called. */
  states: States;
  config: ServiceConfig;
}

function assertFit(ports: readonly Port[], values: Values): void {
  const unfit = whyUnfit(ports, values);
  if (unfit !== undefined) throw new Failure("node.user_error", unfit);
}

async function work(at: Work, values: Values): Promise<Values> {
  const { map, ports, title } = at.drawn;
  if (!map) return workOnce(at, values);
  const { port, limit, tolerate, outputs } = map;
  assertFit(
    ports.filter(({ name }) => name !== port),
    values,
  );
  const list = values[port];
  if (!Array.isArray(list)) throw new Failure("node.user_error", `${port}: a list is needed to run once per element.`);
  const made: (Values | Error)[] = [];
  const next = list.entries();
  const lane = async (): Promise<void> => {
    for (const [index, element] of next) {
      const path = `${at.path}#${index}`;
      const ofElement = { ...at, path, scope: { ...at.scope, isElement: true } };
      made[index] = await workOnce(ofElement, { ...values, [port]: element }).catch(unlessInterrupted);
      at.states[path] = made[index] instanceof Error ? "failed" : "succeeded";
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit ?? list.length, list.length) }, lane));
  const failed = made.filter((each) => each instanceof Error);
  if (failed.length > tolerate) {
    const first = failed[0] as Error;
    throw new Failure(
      "map.failed",
      `${failed.length} of ${list.length} elements of ${title} failed; ${tolerate} are tolerated. Element ${made.indexOf(first) + 1}: ${first.message}`,
    );
  }
  return Object.fromEntries(outputs.map((name) => [name, made.map((each) => (each instanceof Error ? null : (each[name] ?? null)))]));
}

/** LangGraph runs a node again when it is resumed, and so all elements beside the one that was interrupted. */
function unlessInterrupted(error: Error): Error {
  if (!isGraphBubbleUp(error)) return error;
  return new Failure("node.exception", "A service was interrupted for an element of a list, which cannot be resumed alone.");
}

async function workOnce({ drawn, path, scope, states, config }: Work, values: Values): Promise<Values> {
  assertFit(drawn.ports, values);
  const input = { ...drawn.parameters, ...values };
  if (drawn.ask) return drawn.ask({ node: drawn.id, path }, input);
  if (!drawn.call) {
    const given = [config.context?.services ?? {}, carriedServices].find((table) => Object.hasOwn(table, drawn.service));
    const service = given?.[drawn.service];
    if (!service) throw new Error(`No service ${drawn.service} was given.`);
    return service(input, { node: drawn.id, path }, config);
  }
  const called = drawn.call();
  const inner: Scope = { prefix: `${path}/`, inputs: values, visit: 0, isElement: scope.isElement === true };
  const state = await invokeInside(called.graph, { inputs: values, scope: inner }, config);
  Object.assign(states, state.states);
  if (state.failed[0]) throw new Failure("call.failed", `${state.failed[0].title}: ${state.failed[0].message}`);
  return publicOutputs(called, state);
}

export function publicOutputs({ outputs, ends }: LevelProgram, { results }: Pick<Now, "results">): Values {
  const given = [
    ...outputs.map(({ name, from, port }) => [name, results[from]?.output[port]] as const),
    ...ends.flatMap(({ id, prefix: before }) =>
      Object.entries(results[id]?.output ?? {}).map(([port, value]) => [before + port, value] as const),
    ),
  ];
  return Object.fromEntries(given.filter(([, value]) => value !== undefined));
}

/** The first node of the program: a thread that is invoked again begins from its inputs. */
const begin = () => ({ results: null, states: null, failed: null, visits: null });

// ---

/** For the sources of this file alone: what an exported graph uses of it. */
export const used = { START, StateGraph, State, Context, begin, level };

// What a graph means with a library, worked out once and read by everybody: validation, canvas, inspector, plan, freeze, engine and
// export (docs/decisions/0021). One level for the graph itself and one per definition (level.ts), each worked out when it is first
// looked at, however many nodes call it. A graph that was resolved must not be changed in place: what an edit left as it was is told
// by identity.

import { Condition } from "./condition.ts";
import type { Called } from "./definitions.ts";
import type { Graph } from "./graph.ts";
import { type Callee, Level, type LevelParts } from "./level.ts";
import type { Library, NodeDefinition } from "./library.ts";
import { LIMITS } from "./limits.ts";
import type { Split } from "./regions.ts";
import { callDepth, calledName, callOrder, definitionGraph, writtenDefinition } from "./subgraphs.ts";
import { sameFields, sameRegion } from "./unchanged.ts";

/** A graph with all its levels, for one library. */
export class Resolved {
  readonly root: Level;
  private readonly condition = sharedConditions();
  private made: ReadonlyMap<string, Level> | undefined;
  private before: ReadonlyMap<string, Level> | undefined;

  /**
   * @param before an earlier state of the graph, of the same library
   * @param split the regions that a run has frozen; else they are found
   */
  constructor(
    readonly graph: Graph,
    readonly library: Library,
    before?: Resolved,
    private readonly split?: Split,
  ) {
    this.before = before?.made ?? before?.before;
    const called: Called = (name) => capabilityOf(this.callee(name));
    this.root = new Level({
      name: "",
      graph,
      library,
      called,
      condition: this.condition,
      before: before?.root.state,
      split: split?.get(""),
    });
  }

  /** The graph with these regions, whatever the servers have by now. */
  splitAs(split: Split): Resolved {
    const isSame = [this.root, ...this.definitions.values()].every(({ name, regions }) => {
      const frozen = split.get(name);
      return !frozen || (frozen.length === regions.length && regions.every((region, at) => sameRegion(region, frozen[at])));
    });
    return isSame ? this : new Resolved(this.graph, this.library, undefined, split);
  }

  /** The graph's definitions by name, each after those it calls. */
  get definitions(): ReadonlyMap<string, Level> {
    if (!this.made) {
      this.made = this.makeLevels();
      this.before = undefined;
    }
    return this.made;
  }

  /** @param name of a definition; the graph itself where it is empty. @throws Error if there is none of that name */
  level(name: string): Level {
    const found = name === "" ? this.root : this.definitions.get(name);
    if (!found) throw new Error(`The graph has no definition ${name}.`);
    return found;
  }

  /** The level inside these calls, outermost first, as a path names them; undefined where one of them calls nothing. */
  within(calls: readonly string[]): Level | undefined {
    let level: Level | undefined = this.root;
    for (const call of calls) level = this.definitions.get(level?.node(call.split("#")[0] ?? "")?.element?.calls ?? "");
    return level;
  }

  private makeLevels(): Map<string, Level> {
    const made = new Map<string, Level>();
    for (const name of callOrder(this.graph).order) made.set(name, this.sameLevel(name, made) ?? this.newLevel(name, made));
    return made;
  }

  private newLevel(name: string, made: ReadonlyMap<string, Level>): Level {
    const graph = definitionGraph(this.graph, name) as Graph;
    const callees = new Map<string, Callee>();
    for (const node of graph.nodes) {
      const callee = calledName(node);
      if (callee !== undefined) callees.set(callee, this.callee(callee, made));
    }
    const { library, condition } = this;
    const origin = { written: writtenDefinition(this.graph, name), context: this.graph.context, callees };
    const before = this.before?.get(name)?.state;
    return new Level({ name, graph, library, called: calledIn(callees), condition, origin, before, split: this.split?.get(name) });
  }

  /** Takes the level over from before the edit if nothing that it is made from has changed. */
  private sameLevel(name: string, made: ReadonlyMap<string, Level>): Level | undefined {
    const level = this.before?.get(name);
    const origin = level?.origin;
    if (!origin || origin.written !== writtenDefinition(this.graph, name) || !sameFields(origin.context, this.graph.context))
      return undefined;
    return [...origin.callees].every(([one, callee]) => callee === this.callee(one, made)) ? level : undefined;
  }

  private callee(name: string, made = this.definitions): Callee {
    return callDepth(this.graph, name) > LIMITS.depth ? null : made.get(name);
  }
}

const capabilityOf = (callee: Callee): NodeDefinition | null | undefined => (callee === null ? null : callee?.call);
const calledIn =
  (callees: ReadonlyMap<string, Callee>): Called =>
  (name) =>
    capabilityOf(callees.get(name));

/** Equal texts share a condition, and texts of one form are looked into once. */
function sharedConditions(): LevelParts["condition"] {
  const known = new Map<string, Condition>();
  const forms = new Set<string>();
  return (text) => {
    if (typeof text !== "string") return new Condition(text);
    const condition = known.get(text) ?? new Condition(text, forms);
    known.set(text, condition);
    return condition;
  };
}

const resolved = new WeakMap<Library, WeakMap<Graph, Resolved>>();

/** The same object for the same graph and library. */
export function resolve(graph: Graph, library: Library): Resolved {
  return remembered(graph, library, undefined);
}

/**
 * For one graph that is being edited: each state is resolved with what the last one had. `resolve` gives the same objects.
 * States share the nodes, edges, settings and definitions that an edit did not touch.
 */
export function resolver(library: Library): (graph: Graph) => Resolved {
  let last: Resolved | undefined;
  return (graph) => {
    last = remembered(graph, library, last);
    return last;
  };
}

function remembered(graph: Graph, library: Library, before: Resolved | undefined): Resolved {
  const known = resolved.get(library) ?? new WeakMap<Graph, Resolved>();
  resolved.set(library, known);
  const found = known.get(graph) ?? new Resolved(graph, library, before);
  known.set(graph, found);
  return found;
}

// Whether an earlier output stands for a node run (DESIGN E11, E12, E17).
import { type Plan, reached } from "@spindle/graph-model";
import type { NodeRunRow } from "../record/node-run.ts";
import type { EarlierResults } from "../record/record.ts";
import type { Earlier, RecordedOptions, RunRow } from "../record/types.ts";
import { cacheKey } from "./cache-key.ts";
import type { Scope } from "./scope.ts";

/** `leave`: not part of the run. `keep`: an earlier output stands, where there is one. `force`: runs, whatever the cache has. */
export type Role = "run" | "leave" | "keep" | "force";

/** A node run that may have run before: its engine is chosen, and its input is whole. */
interface Candidate {
  row: Pick<NodeRunRow, "path" | "service" | "version" | "engine">;
  input: Record<string, unknown>;
  isForced: boolean;
  whyRuns: (last: Earlier | undefined) => string;
}

/** An earlier result of the same key, or why there is none and what the new one answers for. */
export type CacheAnswer = { earlier: Earlier } | { cacheKey?: string; why: string };

export class Reuse {
  private readonly roles: ReadonlyMap<string, Role>;
  private kept: Promise<Map<string, Earlier>> | undefined;

  constructor(
    private readonly results: Omit<EarlierResults, "clear">,
    private readonly run: Pick<RunRow, "id" | "graph_id" | "options">,
    plan: Plan,
  ) {
    this.roles = rolesOf(plan, run.options ?? {});
  }

  /** The role of a node of the graph itself. */
  role(id: string): Role {
    return this.roles.get(id) ?? "run";
  }

  /** What runs inside a call follows its caller. */
  roleIn({ within: { depth, isForced } }: Scope, id: string): Role {
    if (depth === 0) return this.role(id);
    return isForced ? "force" : "run";
  }

  /** Looks for an earlier result of a repeatable node (DESIGN E11). */
  async find({ row, input, isForced, whyRuns }: Candidate): Promise<CacheAnswer> {
    const key = cacheKey(row, input);
    if (isForced) return { cacheKey: key, why: "It was asked to run again." };
    const earlier = await this.results.cached(key);
    if (earlier) return { earlier };
    const graph = this.run.graph_id;
    return { cacheKey: key, why: whyRuns(graph ? await this.results.lastOf(graph, row.path) : undefined) };
  }

  async earlier(path: string): Promise<Earlier | undefined> {
    const { base } = this.run.options ?? {};
    const from = base ? { run: base } : this.run.graph_id ? { graph: this.run.graph_id } : undefined;
    if (!from) return undefined;
    this.kept ??= this.results.outputsOf(from);
    return (await this.kept).get(path);
  }
}

const NOTHING: ReadonlySet<string> = new Set();

/** What the run does with each node that does not simply run: its part and its force say so. Each node and edge is looked at a few times at most. */
export function rolesOf({ shape, loops }: Plan, { force, part }: RecordedOptions): Map<string, Role> {
  const roles = new Map<string, Role>();
  if (!force && !part) return roles;
  const all = [...shape.node.keys()];
  for (const id of all) if (force === true || force?.includes(id)) roles.set(id, "force");
  if (!part) return roles;
  const together = new Set([part.node]); // a loop runs as a whole
  for (const body of loops.values()) if (body.nodes.has(part.node)) for (const id of body.nodes) together.add(id);
  const before = reached(shape.predecessors, together);
  const after = reached(shape.successors, together);
  // What something that runs needs, although it does not lead to the part's first node.
  const feeding = part.of === "from" ? reached(shape.predecessors, after) : NOTHING;
  for (const id of all) {
    if (together.has(id)) roles.set(id, part.of === "to" ? (roles.get(id) ?? "run") : "force");
    else if (before.has(id)) roles.set(id, part.of === "to" ? (roles.get(id) ?? "run") : "keep");
    else if (part.of === "from" && after.has(id)) roles.set(id, roles.get(id) ?? "run");
    else roles.set(id, feeding.has(id) ? "keep" : "leave");
  }
  return roles;
}

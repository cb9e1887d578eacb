// What a run would do, without doing it (DESIGN E12): which nodes would run and why, which results would stand, and how long it takes.
import {
  type Graph,
  hasErrors,
  type InputSource,
  type Library,
  nodeSettings,
  resolveInputs,
  stripState,
  validate,
} from "@spindle/graph-model";
import { cacheKey, isCacheable, whyItRuns } from "../engine/cache-key.ts";
import { fullInput } from "../engine/check-input.ts";
import { freezeNodes } from "../engine/freeze.ts";
import { Levels } from "../engine/level.ts";
import { Reuse } from "../engine/reuse.ts";
import type { RunRecord } from "../record/record.ts";
import type { Earlier, FrozenNode, RunOptions } from "../record/types.ts";
import { Refused } from "../refused.ts";

export interface PlannedNode {
  node: string;
  does: "runs" | "reuses" | "skips";
  why: string;
  /** Milliseconds, by the median of earlier node runs of the same engine; null if there are none. */
  expectedMs: number | null;
}

export interface RunPlan {
  nodes: PlannedNode[];
  /** The longest way through what runs; null if nothing is known of a node on it. */
  expectedMs: number | null;
}

export class PlanService {
  constructor(
    private readonly record: RunRecord,
    private readonly library: () => Library,
  ) {}

  /**
   * Conditions, loops and maps are decided by what nodes give, so what depends on a node that runs is taken to run.
   * @throws Refused 422 with the issues of a graph that cannot run
   */
  async plan(input: Graph, inputs: Record<string, unknown>, options: RunOptions, graphId?: string): Promise<RunPlan> {
    const graph = stripState(input);
    const issues = validate(graph, this.library());
    if (hasErrors(issues)) throw new Refused(422, "request.invalid", "The graph cannot run.", { issues });
    const levels = new Levels(graph, this.library());
    const frozen = freezeNodes(graph, this.library())[""] ?? {};
    const reuse = new Reuse(this.record, { id: "", graph_id: graphId ?? null, options }, graph);
    const durations = await this.record.durations(Object.values(frozen));
    const known = new Map<string, Record<string, unknown>>();
    const planned = new Map<string, PlannedNode>();
    const { shape, regions } = levels.root.plan;
    const looped = new Set([...regions.values()].flatMap((region) => [...region.nodes]));
    for (const id of shape.order) {
      const own = frozen[id] as FrozenNode;
      const sources = levels.root.sources.get(id) ?? [];
      const expectedMs = durations.get(`${own.service}\n${own.engine}`) ?? null;
      const found = looped.has(id)
        ? runs("It is part of a loop.")
        : await this.one(levels, reuse, id, own, sources, known, inputs, graphId);
      if (found.output) known.set(id, found.output);
      planned.set(id, { node: id, does: found.does, why: found.why, expectedMs: found.does === "runs" ? expectedMs : 0 });
    }
    return { nodes: [...planned.values()], expectedMs: longest(shape, planned) };
  }

  private async one(
    levels: Levels,
    reuse: Reuse,
    id: string,
    own: FrozenNode,
    sources: readonly InputSource[],
    known: ReadonlyMap<string, Record<string, unknown>>,
    inputs: Record<string, unknown>,
    graphId: string | undefined,
  ): Promise<Found> {
    const { graph, plan, definition } = levels.root;
    const settings = nodeSettings(graph, id);
    const role = reuse.role("", id);
    if (settings.disabled) return { does: "skips", why: "The node is off." };
    if (role === "leave") return { does: "skips", why: "It is not part of this run." };
    if (settings.pinned) return { does: "reuses", why: "Its output is pinned.", output: settings.pinned };
    const kept = role === "keep" ? await reuse.earlier(id) : undefined;
    if (kept) return { does: "reuses", why: "It is not part of this run; its last output stands.", output: kept.output };
    const found = definition.get(id);
    if (!found) return runs("It is not in the library.");
    const open = sources.find((source) => "from" in source && !known.has(source.from) && plan.shape.node.has(source.from));
    if (open && "from" in open)
      return runs(`It depends on ${graph.nodes.find((one) => one.id === open.from)?.name || open.from}, which runs.`);
    if (found.human) return runs("A person is asked.");
    if (levels.root.mapped.has(id) || found.calls !== undefined) return runs("What it runs inside is known only then.");
    const values = resolveInputs(sources, (from) => known.get(from), inputs, graph.context ?? {});
    const input = fullInput(found, plan.shape.node.get(id)?.params, values);
    if (!isCacheable(found)) return runs(found.instant ? "It takes no time." : "It is not repeatable, so it always runs.");
    if (role === "force") return runs("It was asked to run again.");
    const earlier: Earlier | undefined = await this.record.cached(cacheKey(own, input));
    if (earlier) return { does: "reuses", why: "Nothing changed.", output: earlier.output };
    const last = graphId ? await this.record.lastOf(graphId, id) : undefined;
    return runs(whyItRuns(own, input, last, sources, plan.shape));
  }
}

interface Found {
  does: PlannedNode["does"];
  why: string;
  output?: Record<string, unknown>;
}
const runs = (why: string): Found => ({ does: "runs", why });

function longest(
  shape: { order: readonly string[]; predecessors: ReadonlyMap<string, ReadonlySet<string>> },
  planned: ReadonlyMap<string, PlannedNode>,
) {
  const finish = new Map<string, number | null>();
  for (const id of shape.order) {
    const before = [...(shape.predecessors.get(id) ?? [])].map((one) => finish.get(one) ?? null);
    const own = planned.get(id)?.expectedMs ?? null;
    finish.set(id, own === null || before.includes(null) ? null : own + Math.max(0, ...(before as number[])));
  }
  const ends = [...finish.values()];
  return ends.includes(null) ? null : Math.round(Math.max(0, ...(ends as number[])));
}

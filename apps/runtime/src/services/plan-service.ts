// What a run would do, without doing it (DESIGN E12): which nodes would run and why, which results would stand, and how long it takes. The
// event loop turns between the steps of it, so that the largest graph holds nobody up for longer than one of them takes.
import { setImmediate as nextTurn } from "node:timers/promises";
import {
  blueprintInput,
  ConditionError,
  edgeMetadata,
  enginesNotLive,
  type Graph,
  hasErrors,
  type InputSource,
  issue,
  type Level,
  type Library,
  nodeTitle,
  originsIn,
  passedOn,
  type Region,
  regionInput,
  resolve,
  resolveInputs,
  stripState,
  validate,
} from "@spindle/graph-model";
import type { Blueprint } from "@spindle/schemas";
import { isCacheable, whyItRuns, whyRegionRuns } from "../engine/cache-key.ts";
import { fullInput } from "../engine/check-input.ts";
import { type Burden, freezeNodes } from "../engine/freeze.ts";
import { Reuse } from "../engine/reuse.ts";
import type { FrozenNode } from "../record/frozen.ts";
import type { EarlierResults, TaskQueue } from "../record/record.ts";
import type { Earlier, RecordedOptions, Took } from "../record/types.ts";
import { Refused } from "../refused.ts";

export interface PlannedNode {
  node: string;
  /** `waits`: it would run, and nothing can run it now. */
  does: "runs" | "reuses" | "skips" | "waits";
  why: string;
  /** Whether it runs only if what it takes has changed by then: its earlier result stands otherwise. */
  ifChanged: boolean;
  /** Milliseconds, by the median of earlier node runs of the same engine; null if there are none. */
  expectedMs: number | null;
  /** Milliseconds which one of ten of these took less than, and more than. */
  between: readonly [low: number, high: number] | null;
}

export interface RunPlan {
  nodes: PlannedNode[];
  /** The longest way through what runs; null if nothing is known of a node on it. */
  expectedMs: number | null;
  /** The longest way through what certainly runs, at its fastest, and through all that may run, at its slowest. */
  between: readonly [low: number, high: number] | null;
}

/** Some hundredths of a second of work, at the most. */
const ITEMS_A_TURN = 500;

export class PlanService {
  constructor(
    private readonly record: { results: Omit<EarlierResults, "clear">; queue: Pick<TaskQueue, "durations"> },
    private readonly library: () => Library,
    private readonly burden?: Burden,
  ) {}

  /**
   * Conditions, loops and maps are decided by what nodes give, so what depends on a node that runs is taken to run.
   * @throws Refused 422 with the issues of a graph that cannot run, or of a node whose engine does not take its inputs
   */
  async plan(input: Graph, inputs: Record<string, unknown>, options: RecordedOptions, graphId?: string): Promise<RunPlan> {
    const graph = stripState(input);
    await nextTurn();
    const issues = validate(graph, this.library());
    if (hasErrors(issues)) throw Refused.issues("The graph cannot run:", issues);
    await nextTurn();
    const level = resolve(graph, this.library()).root;
    const frozen = freezeNodes(graph, this.library(), this.burden)[""] ?? {};
    await nextTurn();
    const reuse = new Reuse(this.record.results, { id: "", graph_id: graphId ?? null, options }, level.plan);
    const durations = await this.record.queue.durations(Object.values(frozen));
    const known = new Map<string, Record<string, unknown>>();
    const planned = new Map<string, PlannedNode>();
    const { shape, loops, regions, root } = level.plan;
    const state: PlanState = { level, reuse, frozen, known, inputs };
    const put = (id: string, { does, why, output, ifChanged = false }: Found, took: Took | undefined) => {
      if (output) known.set(id, output);
      planned.set(id, { node: id, does, why, ifChanged, ...timesOf(does === "runs" ? took : NO_TIME) });
    };
    const expected = (id: string) => durations.get(`${frozen[id]?.service}\n${frozen[id]?.engine}`);
    for (const [at, item] of root.items.entries()) {
      if (at % ITEMS_A_TURN === ITEMS_A_TURN - 1) await nextTurn();
      const [loop, region] = [loops.get(item), regions.get(item)];
      if (loop) for (const id of loop.nodes) put(id, runs("It is part of a loop."), expected(id));
      else if (region) {
        const found = await this.region(state, region);
        // The first node of a prompt stands for the time of the whole prompt, so that it counts once.
        for (const [index, id] of region.nodes.entries()) put(id, found.get(id) as Found, index === 0 ? expected(item) : NO_TIME);
      } else put(item, await this.nodeFate(state, item), expected(item));
    }
    await nextTurn();
    for (const { node, issue } of enginesNotLive(graph, this.library()))
      if (planned.get(node)?.does === "runs")
        planned.set(node, {
          node,
          does: "waits",
          why: `${issue.message} ${issue.fix ?? ""}`.trim(),
          ifChanged: false,
          ...timesOf(undefined),
        });
    const [low, high] = [
      longest(shape, planned, ({ between, ifChanged }) => between && (ifChanged ? 0 : between[0])),
      longest(shape, planned, ({ between }) => between?.[1] ?? null),
    ];
    return {
      nodes: [...planned.values()],
      expectedMs: longest(shape, planned, ({ expectedMs }) => expectedMs),
      between: low === null || high === null ? null : [low, high],
    };
  }

  /** Which engine `auto` is now, for each node (shown on the run button). */
  engines(graph: Graph): Record<string, { id: string; label: string; draft: boolean }> {
    const { nodes } = resolve(graph, this.library()).root;
    const entries = nodes.flatMap(({ node, engine }) =>
      engine ? [[node.id, { id: engine.id, label: engine.label, draft: engine.draft }] as const] : [],
    );
    return Object.fromEntries(entries);
  }

  /** A region is sent whole or not at all. */
  private async region(state: PlanState, region: Region): Promise<Map<string, Found>> {
    const { level, frozen, known, inputs, reuse } = state;
    const inside = new Set(region.nodes);
    const found = new Map<string, Found>();
    const values = new Map<string, Record<string, unknown>>();
    let open: Taken | undefined;
    for (const id of region.nodes) {
      const settled = await this.settled(state, id);
      if (settled) found.set(id, settled);
      if (settled?.output) known.set(id, settled.output);
      if (settled) continue;
      const own = level.node(id)?.sources ?? [];
      open ??= neededBy(level, id).find((source) => !inside.has(source.from) && !known.has(source.from));
      values.set(
        id,
        resolveInputs(own, (from) => known.get(from), inputs, level.graph.context ?? {}),
      );
    }
    const all = (make: (id: string) => Found) => {
      for (const id of values.keys()) {
        const fate = this.passing(state, id) ?? make(id);
        if (fate.output) known.set(id, fate.output);
        found.set(id, fate);
      }
      return found;
    };
    if (open !== undefined) return all(() => ({ ...runs(whyOpen(level, open as Taken)), ifChanged: true }));
    const input = regionInput({ level, values, inside: region.nodes });
    if (!input) return all(() => ({ does: "skips", why: "Nothing here is saved, shown or used by a node elsewhere." }));
    const isForced = region.nodes.some((id) => reuse.role(id) === "force" && !level.node(id)?.passes);
    const whyRuns = (last: Earlier | undefined) => whyRegionRuns({ ...input }, last);
    const row = { ...(frozen[region.id] as FrozenNode), path: region.id };
    const result = await reuse.find({ row, input: { ...input }, isForced, whyRuns });
    if (!("earlier" in result)) return all(() => runs(result.why));
    const { output } = result.earlier;
    return all((id) => ({ does: "reuses", why: "Nothing changed.", output: (output[id] ?? {}) as Record<string, unknown> }));
  }

  /** What is decided about a node whatever its inputs are; undefined if that depends on them. */
  private async settled({ level, reuse }: PlanState, id: string): Promise<Found | undefined> {
    const { settings = {}, passes, isOff } = level.node(id) ?? {};
    const role = reuse.role(id);
    if (isOff) return { does: "skips", why: passes ? "It is bypassed and has nothing to pass on." : "The node is off." };
    if (role === "leave") return { does: "skips", why: "It is not part of this run." };
    if (passes) return undefined;
    if (settings.pinned) return { does: "reuses", why: "Its output is pinned.", output: settings.pinned };
    const kept = role === "keep" ? await reuse.earlier(id) : undefined;
    return kept && { does: "reuses", why: "It is not part of this run; its last output stands.", output: kept.output };
  }

  /** What a bypassed node gives, as far as that is known; undefined for a node that is none. */
  private passing({ level, known, inputs }: PlanState, id: string): Found | undefined {
    const { passes, sources = [], mapped } = level.node(id) ?? {};
    if (!passes) return undefined;
    const fate = { does: "reuses", why: "It is bypassed: it passes on what it takes." } as const;
    if (neededBy(level, id).some(({ from }) => !known.has(from))) return fate;
    const values = resolveInputs(sources, (from) => known.get(from), inputs, level.graph.context ?? {});
    return { ...fate, output: passedOn(passes, values, mapped && edgeMetadata(mapped).targetPort) };
  }

  private async nodeFate(state: PlanState, id: string): Promise<Found> {
    const { level, reuse, known, inputs } = state;
    const own = state.frozen[id] as FrozenNode;
    const settled = (await this.settled(state, id)) ?? this.passing(state, id);
    if (settled) return settled;
    const { node, sources = [], element: found, mapped } = level.node(id) ?? {};
    if (!found) return runs("It is not in the library.");
    const open = neededBy(level, id).find((source) => !known.has(source.from) && level.node(source.from) !== undefined);
    if (open) return { ...runs(whyOpen(level, open)), ifChanged: isCacheable(found) && !found.human && reuse.role(id) !== "force" };
    if (found.human) return runs("A person is asked.");
    if (mapped || found.calls !== undefined) return runs("What it runs inside is known only then.");
    const values = resolveInputs(sources, (from) => known.get(from), inputs, level.graph.context ?? {});
    const full = fullInput(found, node?.params, values);
    const blueprint = found.engines.find((engine) => engine.id === own.engine)?.blueprint;
    const input = blueprint ? promptOf(blueprint, level, id, full) : full;
    if (!isCacheable(found)) return runs(found.instant ? "It takes no time." : "It is not repeatable, so it always runs.");
    const isForced = reuse.role(id) === "force";
    const whyRuns = (last: Earlier | undefined) => whyItRuns(own, input, last, sources, level.shape);
    const result = await reuse.find({ row: { ...own, path: id }, input, isForced, whyRuns });
    return "earlier" in result ? { does: "reuses", why: "Nothing changed.", output: result.earlier.output } : runs(result.why);
  }
}

/** @throws Refused 422 if an expression of the workflow cannot be answered, or one of its limits does not hold */
function promptOf(blueprint: Blueprint, level: Level, id: string, values: Record<string, unknown>): Record<string, unknown> {
  try {
    return { ...blueprintInput(blueprint, id, values) };
  } catch (error) {
    if (!(error instanceof ConditionError)) throw error;
    const node = level.node(id)?.node;
    const message = `${node ? nodeTitle(node) : id}: ${error.message}`;
    throw Refused.issues("The graph cannot run:", [
      issue("error", "node.user_error", message, { node: id }, "Change the inputs of the node, or choose another engine."),
    ]);
  }
}

interface PlanState {
  level: Level;
  reuse: Reuse;
  frozen: Readonly<Record<string, FrozenNode>>;
  /** Outputs of the nodes that would not run. */
  known: Map<string, Record<string, unknown>>;
  inputs: Record<string, unknown>;
}

interface Found {
  does: PlannedNode["does"];
  why: string;
  output?: Record<string, unknown>;
  ifChanged?: boolean;
}
const NO_TIME: Took = { ms: 0, low: 0, high: 0 };
const timesOf = (took: Took | undefined): Pick<PlannedNode, "expectedMs" | "between"> =>
  took ? { expectedMs: took.ms, between: [took.low, took.high] } : { expectedMs: null, between: null };
const runs = (why: string): Found => ({ does: "runs", why });
type Taken = Extract<InputSource, { from: string }>;

/** What a node takes from other nodes; of a bypassed one, what it passes on. */
function neededBy(level: Level, id: string): Taken[] {
  const { sources = [], passes } = level.node(id) ?? {};
  const passedOn = passes && new Set(passes.values());
  return sources.filter((source): source is Taken => "from" in source && passedOn?.has(source.port.name) !== false);
}

function whyOpen(level: Level, { from, output }: Taken): string {
  const { node: id } = originsIn(level, () => true)(from, output);
  return `It depends on ${level.node(id)?.node.name || id}, which runs.`;
}

function longest(
  shape: { order: readonly string[]; predecessors: ReadonlyMap<string, ReadonlySet<string>> },
  planned: ReadonlyMap<string, PlannedNode>,
  timeOf: (node: PlannedNode) => number | null,
): number | null {
  const finish = new Map<string, number | null>();
  for (const id of shape.order) {
    const before = [...(shape.predecessors.get(id) ?? [])].map((one) => finish.get(one) ?? null);
    const node = planned.get(id);
    const own = node ? timeOf(node) : null;
    finish.set(id, own === null || before.includes(null) ? null : own + Math.max(0, ...(before as number[])));
  }
  const ends = [...finish.values()];
  return ends.includes(null) ? null : Math.round(Math.max(0, ...(ends as number[])));
}

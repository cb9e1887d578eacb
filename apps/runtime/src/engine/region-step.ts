// A region: nodes of the Comfy plane that a worker runs in one go (SPEC RG). It has a row of its own, which is
// the task; its nodes' rows are decided before it (skipped, pinned) or from its result.
import { isRegionId, type NodeDefinition, nodeTitle, type Region, regionInput } from "@spindle/graph-model";
import { isEndedNodeState, type RegionInput } from "@spindle/schemas";
import type { NodeMove } from "../record/changes.ts";
import type { NodeRunRow } from "../record/node-run.ts";
import { isCacheable, whyRegionRuns } from "./cache-key.ts";
import { whyUnfit } from "./check-input.ts";
import { cancelled, failed, reused, skipped } from "./moves.ts";
import type { NodeStep } from "./node-step.ts";
import type { CacheAnswer } from "./reuse.ts";
import type { RunContext } from "./run-context.ts";
import type { Scope } from "./scope.ts";

type Values = Record<string, unknown>;

export class RegionStep {
  /** The values of each node by the region's path, for the node's row once the region is over. */
  private readonly given = new Map<string, ReadonlyMap<string, Values>>();

  constructor(
    private readonly context: RunContext,
    private readonly steps: NodeStep,
  ) {}

  /** Runs a region that is ready until it and all its nodes are decided. */
  async run(scope: Scope, region: Region): Promise<void> {
    await this.steps.begin(scope, region.id);
    const own = await this.steps.untilDecided(scope.prefix + region.id, (row) => this.step(scope, region, row));
    const ending = endings(scope, region, own);
    const given = this.given.get(own.path);
    for (const id of region.nodes) {
      if (scope.level.node(id)?.passes) {
        await this.steps.run(scope, id); // what it passes on is known by now
        continue;
      }
      const input = given?.get(id);
      await this.steps.untilDecided(scope.prefix + id, (row) =>
        this.steps.change(row, {
          ...ending(id, (other) => scope.lookup(other)),
          ...(input ? { input } : {}),
          ...this.context.engines.followed(scope.level, row),
        }),
      );
      await this.steps.conclude(scope, id);
    }
    this.given.delete(own.path);
  }

  private async step(scope: Scope, region: Region, row: NodeRunRow): Promise<unknown> {
    const { life } = this.context;
    if (row.state !== "queued") return this.steps.awaitWorker(row);
    if (life.isCancelled) return this.steps.change(row, cancelled("Cancelled before it ran."));
    const values = await this.prepare(scope, region);
    if (life.isCancelled) return undefined;
    this.given.set(row.path, values);
    const prompt = regionInput({ level: scope.level, values, inside: region.nodes });
    if (!prompt) return this.steps.change(row, skipped(false, values.size === 0 ? "None of its nodes runs." : NOTHING_LEAVES));
    const input = { ...prompt };
    const chosen = await this.steps.chooseEngine(scope, region.id, row);
    if (!chosen) return undefined;
    const tooMuch = await this.context.values.admit(row, input);
    if (tooMuch) return this.steps.change(row, tooMuch);
    if (life.isCancelled) return undefined;
    const found = await this.findCached(scope, chosen.row, prompt, [...values.keys()]);
    // One of its nodes was cancelled alone meanwhile: what is to run is worked out again, without it.
    if ([...values.keys()].some((id) => isEndedNodeState(this.context.rows.at(scope.prefix + id).state))) return undefined;
    if ("earlier" in found) return this.steps.change(row, { ...reused(found.earlier, "Nothing changed.", input), ...chosen.routing });
    return this.steps.dispatch(chosen.row, input, { ...found, ...chosen.routing });
  }

  /** Decides the nodes that need no worker. Returns the others, with their values. */
  private async prepare(scope: Scope, region: Region): Promise<Map<string, Values>> {
    const { rows, life } = this.context;
    const running = new Map<string, Values>();
    for (const id of region.nodes) {
      const path = scope.prefix + id;
      let values: Values | undefined;
      // The loop ends when the node is decided, or is known to run: its row stays as it is then until the region is over.
      for (let row = rows.at(path); !isEndedNodeState(row.state) && !values && !life.isCancelled; row = rows.at(path)) {
        if (row.state === "waiting") await this.steps.awaitPerson(row);
        else values = await this.resolveValues(scope, id, row, running);
      }
      if (values) running.set(id, values);
      else if (!life.isCancelled) await this.steps.conclude(scope, id);
    }
    return running;
  }

  private async resolveValues(
    scope: Scope,
    id: string,
    row: NodeRunRow,
    running: ReadonlyMap<string, Values>,
  ): Promise<Values | undefined> {
    const values = await this.steps.resolveValues(scope, id, row, running);
    if (!values) return undefined;
    const { sources = [], element, passes } = scope.level.node(id) ?? {};
    if (passes) return values;
    const inside = new Set(sources.flatMap((source) => ("from" in source && running.has(source.from) ? [source.port.name] : [])));
    const ports = (element?.inputs ?? []).filter(({ name }) => !inside.has(name));
    const why = whyUnfit(ports, values);
    if (why) await this.steps.change(row, failed("node.user_error", why, values));
    return why ? undefined : values;
  }

  private async findCached(scope: Scope, row: NodeRunRow, region: RegionInput, nodes: readonly string[]): Promise<CacheAnswer> {
    const { rows, reuse } = this.context;
    const sent = nodes.filter((id) => !scope.level.node(id)?.passes);
    const definitions = sent.flatMap((id) => scope.level.node(id)?.element ?? []);
    if (!definitions.every(isCacheable) || namesFiles(region, definitions))
      return { why: "It reads files of the ComfyUI server, so it always runs." };
    const input: Values = { ...region };
    const isForced = sent.some((id) => reuse.roleIn(scope, id) === "force");
    return rows.request(() => reuse.find({ row, input, isForced, whyRuns: (last) => whyRegionRuns(input, last) }));
  }
}

const NOTHING_LEAVES = "Nothing here is saved, shown or used by a node elsewhere, so ComfyUI has nothing to do.";

/** ComfyUI tells a node that was blocked in no way from one that ran and had nothing to show. */
const NOTHING_CAME =
  "Nothing came of it that can be used here: what it takes was blocked in ComfyUI, it shows and saves nothing, or its log names files that are none of its outputs.";

/** Whether ComfyUI has the node as part of a prompt, which it can only end as a whole. */
export const isInPrompt = ({ path, node_id }: NodeRunRow, region: NodeRunRow): boolean =>
  isRegionId(region.node_id) &&
  region.path === path.slice(0, -node_id.length) + region.node_id &&
  Object.hasOwn(Object((region.input as Partial<RegionInput> | null)?.prompt), node_id);

/** Whether the prompt names files on the server, which may change between two runs. */
function namesFiles({ prompt }: RegionInput, definitions: readonly NodeDefinition[]): boolean {
  const uploads = definitions.flatMap(({ service, inputs }) =>
    inputs.filter((port) => port.schema["x-upload"] === true).map(({ name }) => ({ service, name })),
  );
  return Object.values(prompt).some(({ class_type, inputs }) =>
    uploads.some(({ service, name }) => service === class_type && typeof inputs[name] === "string"),
  );
}

/** The change that ends a node which ran in the region. */
function endings(
  { level }: Scope,
  region: Region,
  own: NodeRunRow,
): (id: string, state: (id: string) => NodeRunRow | undefined) => NodeMove {
  const engine = { engine: own.engine, draft: own.draft };
  if (own.state === "succeeded") {
    const outputs = (own.output ?? {}) as Record<string, Values>;
    const { prompt = {}, gives = [] } = (own.input ?? {}) as Partial<RegionInput>;
    const ran = Object.keys(prompt);
    return (id) => {
      if (ran.length > 0 && !ran.includes(id)) return skipped(false, NOTHING_LEAVES);
      const output = outputs[id] ?? {};
      const why = !(id in outputs) && gives.some(({ node }) => node === id) ? { why: NOTHING_CAME } : {};
      return own.reused_from
        ? { change: "reuse", output, reusedFrom: own.id, why: "Nothing changed.", body: { cached: { run: own.run_id, nodeRun: own.id } } }
        : { change: "succeedHere", output, body: engine, ...why };
    };
  }
  if (own.state === "cancelled") return () => cancelled();
  if (own.state === "skipped") return () => skipped(false, String(own.error?.message ?? NOTHING_LEAVES));
  const error = own.error ?? { class: "infra" as const, code: "node.exception", message: "The region failed." };
  const { node, executed } = Object(error.details) as { node?: string; executed?: string[] };
  const culprit = node !== undefined && region.nodes.includes(node) ? node : undefined;
  const before = (id: string) => [...(level.plan.shape.predecessors.get(id) ?? [])].filter((one) => region.nodes.includes(one));
  return (id, state) => {
    if (id === culprit) return { change: "failHere", error };
    if (culprit !== undefined && executed?.includes(id)) return { change: "succeedHere", output: {}, body: engine };
    const isFirst = before(id).every((one) => state(one)?.state === "succeeded");
    if (culprit === undefined && isFirst) return { change: "failHere", error };
    const at = level.node(culprit ?? "")?.node;
    return skipped(true, at ? `${nodeTitle(at)} failed.` : "A node before it failed.");
  };
}

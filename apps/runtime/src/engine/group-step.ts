// A group of nodes that a worker runs in one go: a region of the Comfy plane (SPEC RG). The group has a row of its own, which is
// the task; its nodes' rows are decided before it (skipped, pinned) or from its result.
import { type Group, type NodeDefinition, nodeTitle, regionInput } from "@spindle/graph-model";
import { isEndedNodeState, type RegionInput } from "@spindle/schemas";
import type { NodeMove } from "../record/changes.ts";
import { cacheKey, isCacheable, whyRegionRuns } from "./cache-key.ts";
import { whyUnfit } from "./check-input.ts";
import type { NodeStep } from "./node-step.ts";
import type { Running } from "./running.ts";
import type { DecidedRow, Scope } from "./scope.ts";

type Values = Record<string, unknown>;

export class GroupStep {
  /** What each node got, by the group's path: for its row, once the group is over. */
  private readonly given = new Map<string, ReadonlyMap<string, Values>>();

  constructor(
    private readonly run: Running,
    private readonly steps: NodeStep,
  ) {}

  async take(scope: Scope, group: Group): Promise<void> {
    await this.run.begin(scope, group.id);
    const own = await this.run.untilDecided(scope.prefix + group.id, (row) => this.step(scope, group, row));
    const ending = endings(scope, group, own);
    const given = this.given.get(own.path);
    for (const id of group.nodes) {
      const input = given?.get(id);
      await this.run.untilDecided(scope.prefix + id, (row) =>
        this.steps.set(row, { ...ending(id, (other) => scope.lookup(other)), ...(input ? { input } : {}) }),
      );
      await this.run.conclude(scope, id);
    }
    this.given.delete(own.path);
  }

  private async step(scope: Scope, group: Group, row: DecidedRow): Promise<void> {
    if (row.state !== "queued") return this.steps.decision(row);
    if (this.run.cancelled)
      return this.steps.set(row, {
        change: "cancel",
        error: { class: "cancelled", code: "run.cancelled", message: "Cancelled before it ran." },
      });
    const values = await this.prepare(scope, group);
    if (this.run.cancelled) return;
    this.given.set(row.path, values);
    const input = regionInput({ level: scope.level, values, inside: group.nodes });
    if (!input) return this.steps.skip(row, false, values.size === 0 ? "None of its nodes runs." : NOTHING_LEAVES);
    await this.dispatch(scope, row, input, [...values.keys()]);
  }

  /** Decides what needs no worker; what is left, with its values. */
  private async prepare(scope: Scope, group: Group): Promise<Map<string, Values>> {
    const running = new Map<string, Values>();
    for (const id of group.nodes) {
      const path = scope.prefix + id;
      let values: Values | undefined;
      // Ends when the node is decided, or is known to run: then its row stays as it is until the group is over.
      for (let row = this.run.row(path); !isEndedNodeState(row.state) && !values && !this.run.cancelled; row = this.run.row(path)) {
        if (row.state === "waiting") await this.steps.waitForPerson(row);
        else values = await this.checked(scope, id, row, running);
      }
      if (values) running.set(id, values);
      else if (!this.run.cancelled) await this.run.conclude(scope, id);
    }
    return running;
  }

  private async checked(scope: Scope, id: string, row: DecidedRow, running: ReadonlyMap<string, Values>): Promise<Values | undefined> {
    const values = await this.steps.ready(scope, id, row, running);
    if (!values) return undefined;
    const inside = new Set(
      (scope.level.node(id)?.sources ?? []).flatMap((one) => ("from" in one && running.has(one.from) ? [one.port.name] : [])),
    );
    const ports = scope.level.node(id)?.element?.inputs ?? [];
    const why = whyUnfit(
      ports.filter(({ name }) => !inside.has(name)),
      values,
    );
    return why ? this.steps.fail(row, "node.user_error", why, values) : values;
  }

  private async dispatch(scope: Scope, row: DecidedRow, region: RegionInput, nodes: readonly string[]): Promise<void> {
    const input: Values = { ...region };
    const definitions = nodes.map((id) => scope.level.node(id)?.element).filter((one): one is NodeDefinition => one !== undefined);
    if (!definitions.every(isCacheable) || namesFiles(region, definitions))
      return this.steps.send(row, input, { why: "It reads files of the ComfyUI server, so it always runs." });
    const key = cacheKey(row, input);
    const forced = nodes.some((id) => this.run.reuse.role(scope.level.name, id) === "force");
    if (forced) return this.steps.send(row, input, { cacheKey: key, why: "It was asked to run again." });
    const { record } = this.run.parts;
    const earlier = await this.run.request(() => record.cached(key));
    if (earlier) return this.steps.reuse(row, earlier, "Nothing changed.", input);
    const graph = this.run.run.graph_id;
    const last = graph ? await this.run.request(() => record.lastOf(graph, row.path)) : undefined;
    await this.steps.send(row, input, { cacheKey: key, why: whyRegionRuns(input, last) });
  }
}

const NOTHING_LEAVES = "Nothing here is saved, shown or used by a node elsewhere, so ComfyUI has nothing to do.";

/** A file that lies on the server may be another one tomorrow. */
function namesFiles({ prompt }: RegionInput, definitions: readonly NodeDefinition[]): boolean {
  const uploads = definitions.flatMap(({ service, inputs }) =>
    inputs.filter((port) => port.schema["x-upload"] === true).map(({ name }) => ({ service, name })),
  );
  return Object.values(prompt).some(({ class_type, inputs }) =>
    uploads.some(({ service, name }) => service === class_type && typeof inputs[name] === "string"),
  );
}

/** What becomes of a node that was left to the group. */
function endings({ level }: Scope, group: Group, own: DecidedRow): (id: string, state: (id: string) => DecidedRow | undefined) => NodeMove {
  const engine = { engine: own.engine, draft: own.draft };
  if (own.state === "succeeded") {
    const outputs = (own.output ?? {}) as Record<string, Values>;
    const ran = Object.keys(((own.input as RegionInput | null)?.prompt ?? {}) as object);
    return (id) => {
      if (ran.length > 0 && !ran.includes(id)) return skipped(false, NOTHING_LEAVES);
      const output = outputs[id] ?? {};
      return own.reused_from
        ? { change: "reuse", output, reusedFrom: own.id, why: "Nothing changed.", body: { cached: { run: own.run_id, nodeRun: own.id } } }
        : { change: "succeedHere", output, body: engine };
    };
  }
  if (own.state === "cancelled")
    return () => ({ change: "cancel", error: { class: "cancelled", code: "run.cancelled", message: "Cancelled." } });
  if (own.state === "skipped") return () => skipped(false, String(own.error?.message ?? NOTHING_LEAVES));
  const error = own.error ?? { class: "infra" as const, code: "node.exception", message: "The region failed." };
  const { node, executed } = Object(error.details) as { node?: string; executed?: string[] };
  const culprit = node !== undefined && group.nodes.includes(node) ? node : undefined;
  const before = (id: string) => [...(level.plan.shape.predecessors.get(id) ?? [])].filter((one) => group.nodes.includes(one));
  return (id, state) => {
    if (id === culprit) return { change: "failHere", error };
    if (culprit !== undefined && executed?.includes(id)) return { change: "succeedHere", output: {}, body: engine };
    const isFirst = before(id).every((one) => state(one)?.state === "succeeded");
    if (culprit === undefined && isFirst) return { change: "failHere", error };
    const at = level.node(culprit ?? "")?.node;
    return skipped(true, at ? `${nodeTitle(at)} failed.` : "A node before it failed.");
  };
}

const skipped = (broken: boolean, message: string): NodeMove => {
  const error = { code: "node.skipped", message };
  return { change: "skip", broken, error };
};

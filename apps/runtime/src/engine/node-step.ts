// What a node run does next, by its state (SPEC RC, RM, RD, RH). Each step changes the row or waits until somebody else has.
import { setImmediate as others } from "node:timers/promises";
import {
  blueprintInput,
  ConditionError,
  edgeMetadata,
  type InputSource,
  type NodeDefinition,
  nodeTitle,
  regionInput,
  resolveInputs,
  unitsSpent,
} from "@spindle/graph-model";
import { isEndedNodeState } from "@spindle/schemas";
import type { NodeChange, NodeMove } from "../record/changes.ts";
import type { Earlier } from "../record/types.ts";
import { cacheKey, isCacheable, whyItRuns } from "./cache-key.ts";
import { callDefinition } from "./call.ts";
import { fullInput, whyUnfit } from "./check-input.ts";
import { mapOver } from "./fan-out.ts";
import { BadCondition, backEdge, judgeNode } from "./judge.ts";
import type { NodeTask } from "./node-plane.ts";
import { type Running, RunTooLarge } from "./running.ts";
import type { DecidedRow, Scope } from "./scope.ts";

const CANCELLED = { class: "cancelled", code: "run.cancelled" } as const;
type Values = Record<string, unknown>;
/** Units of conditions: some hundredths of a second. */
const UNITS_A_TURN = 100_000;

export class NodeStep {
  /** Dispatched by this very process: nobody can have answered yet. */
  private readonly sent = new Set<string>();
  private waited = unitsSpent();

  constructor(private readonly run: Running) {}

  /** A node of the graph: first whether it runs at all. */
  async take(scope: Scope, id: string, row: DecidedRow): Promise<void> {
    if (row.state !== "queued" || this.run.cancelled) return this.go(scope, id, row, row.input ?? {});
    const values = await this.ready(scope, id, row);
    if (values) await this.go(scope, id, row, values);
  }

  /**
   * Conditions are answered on the thread that serves everybody: after much work, whoever else waits has a turn. Nodes that are ready at
   * once come one after the other, or none would see what the others spent.
   */
  private giveWay(): Promise<void> {
    this.judging = this.judging.then(() => {
      if (unitsSpent() - this.waited < UNITS_A_TURN) return;
      this.waited = unitsSpent();
      return others();
    });
    return this.judging;
  }
  private judging: Promise<void> = Promise.resolve();

  /**
   * The values with which a queued node is to run; undefined if it was skipped, held, or something stands for its output.
   * @param together nodes that run in one go with it, which therefore have no outputs yet
   */
  async ready(scope: Scope, id: string, row: DecidedRow, together?: ReadonlyMap<string, unknown>): Promise<Values | undefined> {
    const { settings = {}, element, sources = [] } = scope.level.node(id) ?? {};
    if (settings.disabled === true) return this.skip(row, false, "The node is off.");
    const role = this.run.reuse.role(scope.level.name, id);
    if (role === "leave") return this.skip(row, false, "It is not part of this run.");
    if (!element) return this.fail(row, "node.unknown_capability", `${row.service} is not in the library any more.`);
    const values = this.values(scope, id, sources);
    const comes = (source: InputSource): boolean => "from" in source && together?.has(source.from) === true;
    const fed = sources.every((source) => !source.port.required || comes(source) || values[source.port.name] !== undefined);
    await this.giveWay();
    try {
      const decision = judgeNode(scope, id, fed, together);
      if (decision.do === "skip") return this.skip(row, decision.broken, this.whySkipped(scope, id, decision.broken));
    } catch (error) {
      if (error instanceof BadCondition) return this.fail(row, "edge.condition_failed", error.message);
      throw error;
    }
    if (settings.breakpoint === "before" && !row.passed) return this.set(row, { change: "hold", held: "before" });
    if (settings.pinned) return this.set(row, { change: "pin", output: settings.pinned, body: { pinned: true } });
    const kept = role === "keep" ? await this.run.request(() => this.run.reuse.earlier(row.path)) : undefined;
    if (kept && (!together || gives(scope, id, kept.output)))
      return this.reuse(row, kept, "It is not part of this run; its last output stands.", kept.input ?? undefined);
    return values;
  }

  /** A node, or one element of it, that is to run with these values. */
  async go(scope: Scope, id: string, row: DecidedRow, values: Values, element = false): Promise<void> {
    if (row.state === "waiting") return this.waitForPerson(row);
    const leaves = row.plane !== "node" && row.state !== "queued";
    if (leaves) return this.decision(row);
    const here = scope.level.node(id);
    const definition = here?.element;
    const mapped = element ? undefined : here?.mapped;
    const gathers = row.state === "running" && (mapped !== undefined || definition?.calls !== undefined); // its parts are cancelled one by one
    if (!definition || (this.run.cancelled && !gathers))
      return this.set(row, {
        change: "cancel",
        error: { ...CANCELLED, message: row.state === "queued" ? "Cancelled before it ran." : "Cancelled." },
      });
    const listPort = mapped && edgeMetadata(mapped).targetPort;
    const unfit = gathers
      ? undefined
      : whyUnfit(
          definition.inputs.filter(({ name }) => name !== listPort),
          values,
        );
    if (unfit) return this.fail(row, "node.user_error", unfit, values);
    if (listPort) return this.gather(row, () => mapOver(this.run, this, scope, id, row, values, listPort));
    if (definition.calls !== undefined) return this.gather(row, () => callDefinition(this.run, scope, definition.calls ?? "", row, values));
    const full = () => fullInput(definition, here.node.params, values);
    let input = row.input ?? {};
    if (row.state === "queued") {
      try {
        input = row.plane === "comfy" ? this.prompt(scope, id, row, definition, full()) : full();
      } catch (error) {
        if (error instanceof ConditionError) return this.fail(row, "node.user_error", error.message, values);
        throw error;
      }
    }
    if (definition.human) return this.ask(row, input);
    const cache = row.state === "queued" ? await this.look(scope, id, row, input, definition) : {};
    if ("earlier" in cache) return this.reuse(row, cache.earlier, "Nothing changed.", input);
    if (row.plane === "node") await this.here(row, { input, idempotent: definition.idempotent, ...cache });
    else await this.send(row, input, cache);
  }

  /** DESIGN E11: an earlier result of the same key, or why there is none. */
  private async look(
    scope: Scope,
    id: string,
    row: DecidedRow,
    input: Values,
    definition: NodeDefinition,
  ): Promise<{ earlier: Earlier } | { cacheKey?: string; why?: string }> {
    if (definition.instant) return {};
    if (!isCacheable(definition)) return { why: "It is not repeatable, so it always runs." };
    const key = cacheKey(row, input);
    if (this.run.reuse.role(scope.level.name, id) === "force") return { cacheKey: key, why: "It was asked to run again." };
    const { record } = this.run.parts;
    const earlier = await this.run.request(() => record.cached(key));
    if (earlier) return { earlier };
    const graph = this.run.run.graph_id;
    const last = graph ? await this.run.request(() => record.lastOf(graph, row.path)) : undefined;
    return { cacheKey: key, why: whyItRuns(row, input, last, scope.level.node(id)?.sources ?? [], scope.level.plan.shape) };
  }

  reuse(row: DecidedRow, { id, run_id, output, cache_key }: Earlier, why: string, input?: Values): Promise<undefined> {
    const body = { cached: { run: run_id, nodeRun: id } };
    return this.set(row, {
      change: "reuse",
      output,
      reusedFrom: id,
      why,
      body,
      ...(input ? { input } : {}),
      ...(cache_key ? { cacheKey: cache_key } : {}),
    });
  }

  /**
   * The prompt of a node that is one for ComfyUI by itself: its engine is a workflow there, or it is an element of a map.
   * @throws ConditionError
   */
  private prompt({ level }: Scope, id: string, row: DecidedRow, definition: NodeDefinition, values: Values): Values {
    const blueprint = definition.engines.find((one) => one.id === row.engine)?.blueprint;
    if (blueprint) return { ...blueprintInput(blueprint, id, values) };
    return { ...regionInput({ level, values: new Map([[id, values]]), only: true }) };
  }

  set(row: DecidedRow, change: NodeMove): Promise<undefined> {
    return this.run.change(row, change).then(() => undefined);
  }

  fail(row: DecidedRow, code: string, message: string, input?: Values): Promise<undefined> {
    const error = { class: "user" as const, code, message };
    return this.set(row, { change: "fail", error, ...(input ? { input } : {}) });
  }

  skip(row: DecidedRow, broken: boolean, message: string): Promise<undefined> {
    const error = { code: "node.skipped", message };
    return this.set(row, { change: "skip", broken, error });
  }

  /** A node that only gathers what others give: begun once, and after a restart gathered again. */
  private async gather(row: DecidedRow, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof RunTooLarge) return this.fail(row, "run.too_large", error.message);
      throw error;
    }
  }

  private async here(row: DecidedRow, task: NodeTask): Promise<void> {
    const { nodePlane, record } = this.run.parts;
    const change = (move: NodeChange) => this.run.request(() => record.change(move));
    const decided = await this.run.work(() => nodePlane.run(row, task, { signal: this.run.signal, change }));
    if (decided) this.run.note(decided.row, { input: task.input, ...(decided.output ? { output: decided.output } : {}) });
    else await this.run.reload(row);
  }

  async send(row: DecidedRow, input: Values, about: { cacheKey?: string; why?: string }): Promise<void> {
    const moved = await this.run.request(() => this.run.parts.workers.dispatch(row, input, about));
    if (!moved) return void (await this.run.reload(row));
    const sent = this.run.note(moved, { input });
    this.sent.add(row.id);
    if (this.run.cancelled) await this.run.parts.workers.cancel(sent); // asked for while it was on its way
  }

  /** Until a worker has answered. */
  async decision(row: DecidedRow): Promise<void> {
    const { decisions } = this.run.parts;
    const over = await this.run.work(() =>
      decisions.wait(row.id, (one) => isEndedNodeState(one.state), this.run.closeSignal, this.sent.delete(row.id)),
    );
    this.run.note(over, { input: over.input, output: over.output });
  }

  private ask(row: DecidedRow, input: Values): Promise<void> {
    const seconds = Number(input.timeoutSeconds);
    return this.set(row, { change: "ask", input, ...(seconds > 0 ? { dueIn: Math.round(seconds * 1000) } : {}) });
  }

  async waitForPerson(row: DecidedRow): Promise<void> {
    if (!this.run.cancelled) await this.run.person(row, (one) => one.state !== "waiting");
    if (this.run.cancelled)
      await this.set(row, { change: "cancel", error: { ...CANCELLED, message: "Cancelled while it waited for a person." } });
  }

  /** Holds what depends on a node that is over, until somebody goes on. */
  async holdAfter(row: DecidedRow): Promise<void> {
    const held = row.held === "after" ? row : await this.run.change(row, { change: "holdAfter", held: "after" });
    await this.run.person(held, (one) => one.passed);
  }

  private values(scope: Scope, id: string, sources: readonly InputSource[]): Values {
    const output = (from: string) => scope.lookup(from)?.output ?? undefined;
    const values = resolveInputs(sources, output, scope.inputs, scope.level.graph.context ?? {});
    const back = this.backOutput(scope, id);
    if (!back) return values;
    const { sourcePort, targetPort, given } = back;
    if (targetPort && sourcePort) return given[sourcePort] === undefined ? values : { ...values, [targetPort]: given[sourcePort] };
    const byName = sources.filter(({ kind, port }) => kind !== "wire" && given[port.name] !== undefined);
    return { ...values, ...Object.fromEntries(byName.map(({ port }) => [port.name, given[port.name]])) };
  }

  private backOutput(scope: Scope, id: string) {
    try {
      const back = backEdge(scope, id);
      return back && { ...edgeMetadata(back.edge), given: back.row.output ?? {} };
    } catch (error) {
      if (error instanceof BadCondition) return undefined; // said when the node is judged
      throw error;
    }
  }

  private whySkipped(scope: Scope, id: string, broken: boolean): string {
    const before = (scope.level.plan.shape.incoming.get(id) ?? []).map((edge) => scope.lookup(edge.from));
    const cause = before.find((one) => one && one.state !== "succeeded");
    if (!cause) return "No edge that leads here was taken, or an input it needs has no value.";
    const node = scope.level.node(cause.node_id)?.node;
    const title = node ? nodeTitle(node) : cause.node_id;
    return broken
      ? `${title} ${cause.state === "skipped" ? "was skipped" : cause.state}.`
      : `${title} was ${cause.state}, and no edge leads here from that.`;
  }
}

/** Whether an earlier output has all that wires take from the node. */
const gives = ({ level }: Scope, id: string, output: Values): boolean =>
  (level.plan.shape.outgoing.get(id) ?? []).every((edge) => {
    const { sourcePort } = edgeMetadata(edge);
    return sourcePort === undefined || Object.hasOwn(output, sourcePort);
  });

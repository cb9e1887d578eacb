// Takes a node run from ready to decided, by its state (SPEC RC, RM, RD, RH). Each step changes the row, or waits until a worker, a person
// or another runtime has changed it.
import {
  blueprintInput,
  ConditionError,
  decide,
  edgeMetadata,
  givenByName,
  type InputSource,
  nodeTitle,
  originsIn,
  passedOn,
  regionInput,
  resolveInputs,
} from "@spindle/graph-model";
import { isEndedNodeState } from "@spindle/schemas";
import type { NodeChange, NodeMove } from "../record/changes.ts";
import type { NodeRunRow } from "../record/node-run.ts";
import { isCacheable, whyItRuns } from "./cache-key.ts";
import { callDefinition, type Walk } from "./call.ts";
import { fullInput, whyUnfit } from "./check-input.ts";
import { BadCondition, backEdge, edgesTo, inTurn } from "./edges.ts";
import { mapOver } from "./fan-out.ts";
import { hasOpenEngine } from "./freeze.ts";
import { cancelled, failed, passed, reused, skipped } from "./moves.ts";
import type { NodeTask } from "./node-plane.ts";
import type { Chosen, Routing } from "./open-engines.ts";
import type { CacheAnswer } from "./reuse.ts";
import { RunTooLarge } from "./row-cache.ts";
import type { RunContext } from "./run-context.ts";
import type { Scope } from "./scope.ts";

type Values = Record<string, unknown>;
/** Nodes that run in one go, with the values that they get from elsewhere. */
type Together = ReadonlyMap<string, Readonly<Values>>;

export class NodeStep {
  /** Node runs that this step has just dispatched, so that no worker can have answered yet. */
  private readonly dispatched = new Set<string>();

  constructor(
    private readonly context: RunContext,
    /** Runs everything in a level that a node calls. */
    readonly walk: Walk,
  ) {}

  /** Runs a node of the graph that is ready until it is decided, and keeps its row for the nodes after it. */
  async run(scope: Scope, id: string): Promise<void> {
    await this.begin(scope, id);
    await this.untilDecided(scope.prefix + id, (row) => this.step(scope, id, row));
    await this.conclude(scope, id);
  }

  /** Resolves when a node, a region or an element of a node may begin (docs/decisions/0024). */
  async begin(scope: Scope, id: string, isElement = false): Promise<void> {
    const node = scope.level.node(id);
    const makesMore = (!isElement && node?.mapped !== undefined) || node?.element?.calls !== undefined;
    const { life, pace } = this.context;
    const turn = pace.begin(makesMore ? scope.within.depth : undefined);
    if (turn) await life.work(() => turn);
    if (life.closedBy) throw life.closedBy;
  }

  /** Steps until the row is decided; each step changes it or waits for it to change. */
  async untilDecided(path: string, step: (row: NodeRunRow) => Promise<unknown>): Promise<NodeRunRow> {
    const { rows, life } = this.context;
    for (;;) {
      const row = rows.at(path);
      if (isEndedNodeState(row.state)) return row;
      if (life.closedBy) throw life.closedBy;
      await step(row);
    }
  }

  /** Takes a node one step on; a queued node only if it is to run at all. */
  private async step(scope: Scope, id: string, row: NodeRunRow): Promise<unknown> {
    if (row.state !== "queued" || this.context.life.isCancelled) return this.execute(scope, id, row, row.input ?? {});
    const values = await this.resolveValues(scope, id, row);
    return values && this.execute(scope, id, row, values);
  }

  /** Holds a decided node at its breakpoint, and keeps its row. */
  async conclude(scope: Scope, id: string): Promise<void> {
    const { rows, life } = this.context;
    const row = rows.at(scope.prefix + id);
    const { settings, passes } = scope.level.node(id) ?? {};
    const holds = settings?.breakpoint === "after" && !passes && row.state === "succeeded" && !row.passed;
    if (holds && !life.isCancelled) {
      const held = row.held === "after" ? row : await this.change(row, { change: "holdAfter", held: "after" });
      const passed = await life.awaitPerson(held, (row) => row.passed);
      if (passed) rows.keep(passed);
    }
    scope.keep(rows.at(row.path));
  }

  /**
   * The values with which a queued node is to run; undefined if it was skipped, failed, held, or given an output without running.
   * @param together nodes that run in one go with it, which therefore have no outputs yet, with their values
   */
  async resolveValues(scope: Scope, id: string, row: NodeRunRow, together?: Together): Promise<Values | undefined> {
    const { sources = [], passes } = scope.level.node(id) ?? {};
    const values = await inTurn(() => this.valuesOf(scope, id, sources));
    const isFromRegion = together && givenTogether(scope, together);
    const isFed = (source: InputSource): boolean => isFromRegion?.(source) === true || values[source.port.name] !== undefined;
    const hasRequired = passes !== undefined || sources.every((source) => !source.port.required || isFed(source));
    const move = await this.insteadOfRunning(scope, id, row, { values, hasRequired, together });
    if (!move) return values;
    await this.change(row, move);
    return undefined;
  }

  /** The change that a queued node gets instead of running; undefined if it is to run. */
  private async insteadOfRunning(
    scope: Scope,
    id: string,
    row: NodeRunRow,
    { values, hasRequired, together }: { values: Values; hasRequired: boolean; together: Together | undefined },
  ): Promise<NodeMove | undefined> {
    const { settings = {}, element, mapped, passes, isOff } = scope.level.node(id) ?? {};
    const { reuse, rows } = this.context;
    if (isOff) return skipped(false, passes ? "The node is bypassed and has nothing to pass on." : "The node is off.");
    const role = reuse.roleIn(scope, id);
    if (role === "leave") return skipped(false, "It is not part of this run.");
    if (!element) return failed("node.unknown_capability", `${row.service} is not in the library any more.`);
    try {
      const decision = await inTurn(() => decide(edgesTo(scope, id, together), hasRequired));
      if (decision.do === "skip") return skipped(decision.broken, this.whySkipped(scope, id, decision.broken));
    } catch (error) {
      if (error instanceof BadCondition) return failed("edge.condition_failed", error.message);
      throw error;
    }
    // What it passes on from a node of its region is known when the region is over.
    if (passes) return together ? undefined : passed(passedOn(passes, values, mapped && edgeMetadata(mapped).targetPort));
    if (settings.breakpoint === "before" && !row.passed) return { change: "hold", held: "before" };
    if (settings.pinned) return { change: "pin", output: settings.pinned, body: { pinned: true } };
    const earlier = role === "keep" ? await rows.request(() => reuse.earlier(row.path)) : undefined;
    if (!earlier || (together && !hasWiredOutputs(scope, id, earlier.output))) return undefined;
    return reused(earlier, "It is not part of this run; its last output stands.", earlier.input ?? undefined);
  }

  /** Takes a node, or an element of one, a step on that is to run with these values, or was begun with them. */
  async execute(scope: Scope, id: string, row: NodeRunRow, values: Values, isElement = false): Promise<unknown> {
    if (row.state === "waiting") return this.awaitPerson(row);
    if (row.plane !== "node" && row.state !== "queued") return this.awaitWorker(row);
    const node = scope.level.node(id);
    const definition = node?.element;
    const mapped = isElement ? undefined : node?.mapped;
    const gathers = row.state === "running" && (mapped !== undefined || definition?.calls !== undefined); // what it has begun is cancelled node by node
    if (!definition || (this.context.life.isCancelled && !gathers))
      return this.change(row, cancelled(row.state === "queued" ? "Cancelled before it ran." : undefined));
    const runsHere = mapped === undefined && definition.calls === undefined;
    // What is to fail waits for no engine, and what waits for one holds no turn that others wait for.
    const needsEngine = runsHere && row.state === "queued" && hasOpenEngine(row) && whyUnfit(definition.inputs, values) === undefined;
    const chosen = needsEngine ? await this.chooseEngine(scope, id, row, isElement) : { row, routing: {} };
    if (!chosen) return undefined;
    const whole = runsHere ? fullInput(definition, node?.node.params, values) : values;
    const tooMuch = row.state === "queued" ? await this.context.values.admit(row, whole) : undefined;
    if (tooMuch) return this.change(row, tooMuch);
    if (row.state === "queued" && this.context.life.isCancelled) return this.change(row, cancelled("Cancelled before it ran."));
    const port = mapped && edgeMetadata(mapped).targetPort;
    const ports = definition.inputs.filter(({ name }) => name !== port);
    const unfit = gathers ? undefined : whyUnfit(ports, values);
    if (unfit) return this.change(row, failed("node.user_error", unfit, values));
    if (port) return this.gather(row, () => mapOver(this.context, this, { scope, id, row, values, port }));
    if (definition.calls !== undefined) {
      const call = { caller: scope, definition: definition.calls, row, values };
      return this.gather(row, () => callDefinition(this.context, this, call));
    }
    const input = row.state === "queued" ? await this.inputOf(scope, id, chosen.row, values) : (row.input ?? {});
    if (!input) return undefined;
    if (definition.human) return this.askPerson(row, input);
    const found = row.state === "queued" ? await this.findCached(scope, id, chosen.row, input) : {};
    if ("earlier" in found) return this.change(row, { ...reused(found.earlier, "Nothing changed.", input), ...chosen.routing });
    if (chosen.row.plane === "node")
      return this.runLocally(chosen.row, { input, idempotent: definition.idempotent, ...found, ...chosen.routing });
    return this.dispatch(chosen.row, input, { ...found, ...chosen.routing });
  }

  /** A queued row with its engine; undefined if none is live: then the wait for one is over, or the row has changed. */
  async chooseEngine(scope: Scope, id: string, row: NodeRunRow, isElement = false): Promise<Chosen | undefined> {
    const { engines, rows } = this.context;
    const chosen = engines.choose(scope.level, id, row, isElement);
    if (chosen) {
      if (chosen.routing.choice) await rows.request(() => engines.keep(chosen.routing));
      return chosen;
    }
    const changed = await engines.wait(scope.level, id, row);
    if (changed) rows.keep(changed);
    return undefined;
  }

  /** The input of a node, its parameters included; undefined if the node failed because its prompt cannot be made. */
  private async inputOf(scope: Scope, id: string, row: NodeRunRow, values: Values): Promise<Values | undefined> {
    const { node, element: definition } = scope.level.node(id) ?? {};
    if (!definition) return undefined;
    try {
      const full = fullInput(definition, node?.params, values);
      return row.plane === "comfy" ? await this.promptOf(scope, id, row, full) : full;
    } catch (error) {
      if (!(error instanceof ConditionError)) throw error;
      await this.change(row, failed("node.user_error", error.message, values));
      return undefined;
    }
  }

  private async findCached(
    scope: Scope,
    id: string,
    row: NodeRunRow,
    input: Values,
  ): Promise<CacheAnswer | { cacheKey?: string; why?: string }> {
    const { rows, reuse } = this.context;
    const { element: definition, sources = [] } = scope.level.node(id) ?? {};
    if (!definition || definition.instant) return {};
    if (!isCacheable(definition)) return { why: "It is not repeatable, so it always runs." };
    const isForced = reuse.roleIn(scope, id) === "force";
    const { shape } = scope.level.plan;
    return rows.request(() => reuse.find({ row, input, isForced, whyRuns: (last) => whyItRuns(row, input, last, sources, shape) }));
  }

  /**
   * The prompt of a node that is one for ComfyUI by itself: its engine is a workflow there, or it is an element of a map.
   * @throws ConditionError
   */
  private async promptOf({ level }: Scope, id: string, row: NodeRunRow, values: Values): Promise<Values> {
    if (level.node(id)?.node.plane === row.plane)
      return inTurn(() => ({ ...regionInput({ level, values: new Map([[id, values]]), only: true }) }));
    const { rows, engines } = this.context;
    const workflow = await rows.request(() => engines.workflowOf(level, id, row));
    if (!workflow)
      throw new ConditionError(`${row.engine} is no engine any more: whoever offered that workflow took it back. Run the graph again.`);
    return inTurn(() => ({ ...blueprintInput(workflow, id, values) }));
  }

  /** Changes a row; one that somebody else changed meanwhile is read again. An output that is too large fails it. */
  async change(row: NodeRunRow, move: NodeMove): Promise<NodeRunRow> {
    const { run, rows, values, parts, engines } = this.context;
    const change = values.fitting(row.path, { ...move, run: run.id, nodeRun: row.id, fence: row.fence });
    const moved = await rows.requestPatiently(() => parts.nodes.change(change));
    await engines.follow(change, moved !== undefined);
    return moved ? rows.merge(moved, change) : rows.reload(row);
  }

  /** Makes a change for the node plane, which waits out outages itself. Undefined if the row is no longer what it was. */
  private async changeHere(path: string, asked: NodeChange): Promise<NodeRunRow | undefined> {
    const { run, rows, values, parts, engines } = this.context;
    const change = values.fitting(path, { ...asked, run: run.id });
    const moved = await rows.request(() => parts.nodes.change(change));
    await engines.follow(change, moved !== undefined);
    return moved && rows.merge(moved, change);
  }

  /** Runs a node that gathers the outputs of others. It begins once; after a restart it gathers again. */
  private async gather(row: NodeRunRow, work: () => Promise<unknown>): Promise<unknown> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof RunTooLarge) return this.change(row, failed("run.too_large", error.message));
      throw error;
    }
  }

  private async runLocally(row: NodeRunRow, task: NodeTask): Promise<void> {
    const { rows, life, parts } = this.context;
    const change = (move: NodeChange) => this.changeHere(row.path, move);
    if (isEndedNodeState(rows.at(row.path).state)) return void (await rows.reload(row)); // cancelled while its values were found
    const isDecided = await life.work(() => parts.nodePlane.run(row, task, { signal: life.endSignal, change }));
    if (!isDecided) await rows.reload(row);
  }

  async dispatch(row: NodeRunRow, input: Values, about: { cacheKey?: string; why?: string } & Routing): Promise<unknown> {
    const { rows, life, parts, values, engines } = this.context;
    const tooMuch = await values.admit(row, input); // the prompt of a ComfyUI node is more than the values in it
    if (tooMuch) return this.change(row, tooMuch);
    const moved = await rows.request(() => parts.workers.dispatch(row, input, about));
    await engines.follow(about, moved !== undefined);
    if (!moved) return rows.reload(row);
    const dispatched = rows.merge(moved, { input, route: about.route });
    this.dispatched.add(row.id);
    return life.isCancelled && parts.cancels.cancel(dispatched); // the run was cancelled while the task was being dispatched
  }

  async awaitWorker(row: NodeRunRow): Promise<void> {
    const { rows, life, parts } = this.context;
    const isOver = ({ state }: NodeRunRow) => isEndedNodeState(state);
    const isFresh = this.dispatched.delete(row.id);
    const ended = await life.work(() => parts.decisions.wait(row.id, isOver, life.closeSignal, isFresh));
    rows.keep(ended);
  }

  private askPerson(row: NodeRunRow, input: Values): Promise<unknown> {
    const seconds = Number(input.timeoutSeconds);
    return this.change(row, { change: "ask", input, ...(seconds > 0 ? { dueIn: Math.round(seconds * 1000) } : {}) });
  }

  async awaitPerson(row: NodeRunRow): Promise<void> {
    const { life, rows } = this.context;
    const answered = life.isCancelled ? undefined : await life.awaitPerson(row, ({ state }) => state !== "waiting");
    if (answered) rows.keep(answered);
    if (life.isCancelled) await this.change(row, cancelled("Cancelled while it waited for a person."));
  }

  private valuesOf(scope: Scope, id: string, sources: readonly InputSource[]): Values {
    const output = (from: string) => scope.lookup(from)?.output ?? undefined;
    const values = resolveInputs(sources, output, scope.within.inputs, scope.level.graph.context ?? {});
    const back = this.backOutput(scope, id);
    if (!back) return values;
    const { sourcePort, targetPort, given } = back;
    if (targetPort && sourcePort) return given[sourcePort] === undefined ? values : { ...values, [targetPort]: given[sourcePort] };
    const byName = sources.filter(({ kind, port }) => kind !== "wire" && givenByName(port) && given[port.name] !== undefined);
    return { ...values, ...Object.fromEntries(byName.map(({ port }) => [port.name, given[port.name]])) };
  }

  private backOutput(scope: Scope, id: string) {
    try {
      const back = backEdge(scope, id);
      return back && { ...edgeMetadata(back.edge), given: back.row.output ?? {} };
    } catch (error) {
      if (error instanceof BadCondition) return undefined; // the node fails with it when its edges are decided
      throw error;
    }
  }

  private whySkipped(scope: Scope, id: string, broken: boolean): string {
    const before = (scope.level.plan.shape.incoming.get(id) ?? []).map((edge) => scope.lookup(edge.from));
    const cause = before.find((row) => row && row.state !== "succeeded");
    if (!cause) return "No edge that leads here was taken, or an input it needs has no value.";
    const node = scope.level.node(cause.node_id)?.node;
    const title = node ? nodeTitle(node) : cause.node_id;
    return broken
      ? `${title} ${cause.state === "skipped" ? "was skipped" : cause.state}.`
      : `${title} was ${cause.state}, and no edge leads here from that.`;
  }
}

/** Whether an input gets its value from the nodes that run together, or from outside past those of them that are bypassed. */
function givenTogether({ level }: Scope, together: Together): (source: InputSource) => boolean {
  const origin = originsIn(level, (id) => together.has(id));
  return (source) => {
    if (!("from" in source) || !together.has(source.from)) return false;
    const from = origin(source.from, source.output);
    return "output" in from || together.get(from.node)?.[from.input] !== undefined;
  };
}

/** Whether an earlier output has every port of the node at which a wire starts. */
const hasWiredOutputs = ({ level }: Scope, id: string, output: Values): boolean =>
  (level.plan.shape.outgoing.get(id) ?? []).every((edge) => {
    const { sourcePort } = edgeMetadata(edge);
    return sourcePort === undefined || Object.hasOwn(output, sourcePort);
  });

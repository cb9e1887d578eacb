// Which engine runs a node that found none live when its run was accepted (DESIGN M4, docs/decisions/0031). The first of its node runs that is
// ready chooses one of those that are live by then, in the statement that begins it; every other one follows.
import type { EventEmitter } from "node:events";
import { engineNamed, type Level, type Library, type Resolved, resolve } from "@spindle/graph-model";
import type { Blueprint } from "@spindle/schemas";
import type { NodeMove } from "../record/changes.ts";
import { type NodeRunRow, routed } from "../record/node-run.ts";
import type { FrozenDefinitions, Runs } from "../record/record.ts";
import type { RunRow } from "../record/types.ts";
import { patient } from "../store/patient.ts";
import type { Decisions } from "../tasks/decisions.ts";
import { type Burden, freezeItem, hasOpenEngine, newNodeRun, resolvedAs } from "./freeze.ts";
import type { Activity } from "./run-values.ts";

/** What the planes report. */
export interface EngineReports {
  library(): Library;
  readonly burden: Burden;
  /** Emits `changed` when the library is another one. */
  readonly changed: EventEmitter;
}

/** What a change of a row writes besides, where no engine was chosen when the row was made. */
export type Routing = Pick<NodeMove, "route" | "choice">;

/** A row as it would begin now, and what the change that begins it has to write. */
export interface Chosen {
  row: NodeRunRow;
  routing: Routing;
}

interface Driven extends Activity {
  readonly isCancelled: boolean;
  /** Aborted when the run is cancelled, or is no longer driven here. */
  readonly endSignal: AbortSignal;
}

export interface OpenEnginesParts {
  runs: Pick<Runs, "frozenOf">;
  frozen: FrozenDefinitions;
  decisions: Pick<Decisions, "wait">;
  reports: EngineReports;
}

export class OpenEngines {
  constructor(
    private readonly parts: OpenEnginesParts,
    private readonly run: Pick<RunRow, "id" | "engines">,
    /** The graph, by what the run froze. */
    private readonly resolved: Resolved,
    private readonly life: Driven,
  ) {}

  /** The row with its engine; undefined while there is none. */
  choose(level: Level, id: string, row: NodeRunRow, isElement: boolean): Chosen | undefined {
    if (!hasOpenEngine(row)) return { row, routing: {} };
    const own = this.run.engines[level.name] ?? {};
    const nodes =
      own[id] && hasOpenEngine(own[id])
        ? freezeItem(this.now.level(level.name), id, own[id].version, this.parts.reports.burden)
        : undefined;
    const frozen = nodes ? { ...own, ...nodes } : own;
    if (!frozen[id] || hasOpenEngine(frozen[id])) return undefined;
    const { nodeId: _, path: __, ...route } = newNodeRun({ [level.name]: frozen }, level, id, row.path, isElement);
    return { row: routed(row, route), routing: { route, ...(nodes ? { choice: { level: level.name, nodes } } : {}) } };
  }

  /** The route of a row whose node has its engine by now; nothing where the row has one, or the node has none. */
  followed(level: Level, row: NodeRunRow): Routing {
    if (!hasOpenEngine(row) || hasOpenEngine(this.run.engines[level.name]?.[row.node_id] ?? row)) return {};
    return this.choose(level, row.node_id, row, false)?.routing ?? {};
  }

  /**
   * Waits until a row without an engine can have one, or has changed. It does not keep others from beginning.
   * @returns the row, where somebody changed it
   */
  async wait(level: Level, id: string, row: NodeRunRow): Promise<NodeRunRow | undefined> {
    const { life, parts } = this;
    const own = new AbortController();
    const end = () => own.abort(life.endSignal.reason);
    const check = () => {
      if (this.choose(level, id, row, false)) own.abort();
    };
    life.endSignal.addEventListener("abort", end, { once: true });
    parts.reports.changed.on("changed", check);
    try {
      if (life.endSignal.aborted) end();
      else check(); // it may have come meanwhile
      return await life.work(() => parts.decisions.wait(row.id, ({ state }) => state !== "queued", own.signal, true));
    } catch (error) {
      if (life.closedBy) throw life.closedBy;
      if (!own.signal.aborted) throw error;
      return undefined;
    } finally {
      parts.reports.changed.off("changed", check);
      life.endSignal.removeEventListener("abort", end);
    }
  }

  /** Stores the workflows that a choice names, before anything names them. */
  async keep({ choice }: Routing): Promise<void> {
    const named = Object.entries(choice?.nodes ?? {}).flatMap(([id, { workflow, engine }]) => {
      const body = workflow === undefined ? undefined : this.workflowNow(choice?.level ?? "", id, engine);
      return workflow !== undefined && body ? [[workflow, body] as const] : [];
    });
    if (named.length > 0) await this.parts.frozen.keep(new Map(named));
  }

  /** The ComfyUI workflow that the engine of a node is, as the run froze it. */
  async workflowOf({ name }: Level, id: string, { engine }: NodeRunRow): Promise<Blueprint | undefined> {
    const hash = this.run.engines[name]?.[id]?.workflow;
    // A run that was accepted before runs froze workflows has the one that is offered now.
    if (hash === undefined) return this.workflowNow(name, id, engine);
    const known = this.workflows.get(hash) ?? ((await this.parts.frozen.find([hash])).get(hash) as Blueprint | undefined);
    if (known) this.workflows.set(hash, known);
    return known;
  }

  private readonly workflows = new Map<string, Blueprint>();

  private workflowNow(level: string, id: string, engine: string): Blueprint | undefined {
    return engineNamed(this.now.level(level).node(id)?.element?.engines ?? [], engine)?.blueprint;
  }

  /** Follows a change that was made, or was refused: then another runtime may have chosen. */
  async follow({ choice }: Routing, wasMade: boolean): Promise<void> {
    if (!choice) return;
    const { life, parts, run } = this;
    if (wasMade) run.engines[choice.level] = { ...run.engines[choice.level], ...choice.nodes };
    else if (!life.isCancelled)
      run.engines = await life.work(() =>
        patient(
          async () => (await parts.runs.frozenOf(run.id)).engines,
          () => life.closedBy !== undefined,
        ),
      );
  }

  /** The graph by the last reports, in the run's own regions: which engines there are is nothing that a run froze. */
  private get now(): Resolved {
    const library = this.parts.reports.library();
    if (this.last?.library !== library) this.last = resolvedAs(resolve(this.resolved.graph, library), this.run.engines);
    return this.last;
  }

  private last: Resolved | undefined;
}

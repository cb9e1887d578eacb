// Why what is open is not running (DESIGN E18): the rows and the last reports, gathered for the rule in tasks/why-not-running.ts.
import {
  enginesAlone,
  isRegionId,
  itemNodes,
  type Level,
  type Library,
  nodeTitle,
  type Plan,
  type PlanBody,
  parsePath,
  type Resolved,
  type ResolvedNode,
  serverOfEngine,
  serversOf as serversOfAll,
} from "@spindle/graph-model";
import { BUS } from "@spindle/schemas";
import type { RunHistory } from "../record/record.ts";
import type { OpenRun, WaitingRow } from "../record/types.ts";
import { isOutage } from "../store/patient.ts";
import { ALL_DEVICES, deviceOf, devicesOf } from "../tasks/devices.ts";
import type { LiveBoard } from "../tasks/live.ts";
import type { Pauses } from "../tasks/pauses.ts";
import type { Reaper } from "../tasks/reaper.ts";
import {
  type Candidates,
  type Circumstances,
  type NotRunning,
  type NotRunningKind,
  outerPaths,
  weightiest,
  whyNotRunning,
  whyRunIsNot,
} from "../tasks/why-not-running.ts";
import type { LibraryService, PlaneStatus } from "./library-service.ts";

export interface WaitsParts {
  history: Pick<RunHistory, "openRuns" | "waitingIn">;
  live: LiveBoard;
  library: Pick<LibraryService, "library" | "reportOf" | "busSilentSince">;
  positionOf: (nodeRun: string) => Circumstances["queue"];
  reaper: Pick<Reaper, "silentSince">;
  pauses: Pick<Pauses, "over">;
  resolvedOf: (run: Pick<OpenRun, "id" | "revision_id">) => Promise<Resolved>;
}

/** Why a run does not go on, and why its node runs do not, by their ids. */
export interface RunWaits {
  run: NotRunning | undefined;
  nodes: ReadonlyMap<string, NotRunning>;
}

const NONE: RunWaits = { run: undefined, nodes: new Map() };
const EVERY_MS = 1500;
/** Who watches is told again after so many times the time that it took: the rest of the time belongs to the runs. */
const REST = 8;

export class Waits {
  private timer: NodeJS.Timeout | undefined;
  /** What those who watch a run have been told last, by run and node. */
  private texts = new Map<string, Map<string, string>>();

  constructor(private readonly parts: WaitsParts) {}

  /** Tells those who watch a run what its nodes wait for. */
  start(onError: (where: string, error: unknown) => void): void {
    const tell = async () => {
      const began = performance.now();
      await this.tell().catch((error) => {
        if (!isOutage(error)) onError("waits", error);
      });
      this.timer = setTimeout(tell, Math.max(EVERY_MS, REST * (performance.now() - began)));
    };
    this.timer = setTimeout(tell, EVERY_MS);
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  /** Why each open node run of a run is not running. */
  async of(id: string): Promise<RunWaits> {
    const [run] = await this.parts.history.openRuns([id]);
    if (!run) return NONE;
    const rows = await this.parts.history.waitingIn([id], "all");
    const judged = judge(rows, run, this.reports(), await this.parts.resolvedOf(run));
    return { run: whyRunIsNot(run, judged), nodes: new Map(judged.flatMap(({ row, why }) => (why ? [[row.id, why]] : []))) };
  }

  /** Why runs do not go on, by their ids: of these runs, or of all that are open. */
  async ofRuns(ids?: readonly string[]): Promise<Map<string, NotRunning>> {
    const found = new Map<string, NotRunning>();
    for (const [run, judged] of await this.heldUp(ids)) {
      const why = whyRunIsNot(run, judged);
      if (why) found.set(run.id, why);
    }
    return found;
  }

  /** The seconds for which what has waited longest has, by kind. Node runs that wait for others alone are left out. */
  async longest(): Promise<Map<NotRunningKind, number>> {
    const seconds = new Map<NotRunningKind, number>();
    for (const [run, judged] of await this.heldUp())
      for (const why of [whyRunIsNot(run, judged), ...judged.map((one) => one.why)])
        if (why) seconds.set(why.kind, Math.max(seconds.get(why.kind) ?? 0, (Date.now() - Date.parse(why.since)) / 1000));
    return seconds;
  }

  /** The node runs of runs that have begun, with what holds them up. */
  private async heldUp(ids?: readonly string[]): Promise<[OpenRun, Judged[]][]> {
    const { history } = this.parts;
    const runs = await history.openRuns(ids);
    const rows = new Map<string, WaitingRow[]>(runs.map(({ id }) => [id, []]));
    for (const row of await history.waitingIn([...rows.keys()], "begun")) rows.get(row.run_id)?.push(row);
    const reports = this.reports();
    const judged: [OpenRun, Judged[]][] = [];
    for (const run of runs) {
      const known = rows.get(run.id) ?? [];
      judged.push([run, known.some(isUnchosen) ? await this.heldUpByEngines(run, reports) : judge(known, run, reports)]);
    }
    return judged;
  }

  /** Whether a queued node run waits for an engine, or for others before it, only the graph says. */
  private async heldUpByEngines(run: OpenRun, reports: Reports): Promise<Judged[]> {
    const rows = await this.parts.history.waitingIn([run.id], "all");
    const judged = judge(rows, run, reports, await this.parts.resolvedOf(run));
    return judged.filter(({ row, why }) => row.state !== "queued" || (why?.kind !== "before" && why?.kind !== "turn"));
  }

  private reports(): Reports {
    const { library, positionOf, reaper, pauses } = this.parts;
    let labels: ReadonlyMap<string, string> | undefined;
    const pausedOf = (row: WaitingRow): Circumstances["paused"] => {
      const pause = row.state === "dispatched" ? pauses.over(row) : undefined;
      if (!pause) return undefined;
      labels ??= devicesOf(library.library());
      const own = deviceOf(row, library.library());
      const device = pause.device === ALL_DEVICES ? undefined : (labels.get(own) ?? own);
      return { device, by: pause.by, since: pause.at };
    };
    const engineOf = enginesOf(library.library());
    const offeredTo = ({ plane, service, version }: WaitingRow): Circumstances["offered"] => {
      const versions = library.reportOf(plane).versionsOf(service);
      const newest = versions?.[0]?.version;
      if (newest === undefined || versions?.some((each) => each.version === version)) return undefined;
      return { version: newest, runnable: plane !== "comfy" || newest === BUS.regionVersion };
    };
    const openOf = (row: WaitingRow, resolved: Resolved): Circumstances["open"] => {
      const candidates = candidatesOf(row, resolved, library.library());
      return candidates && { ...candidates, planeOf: (plane) => (plane === "node" ? ANSWERING : library.reportOf(plane)) };
    };
    return (row, open) => ({
      redisSilentSince: library.busSilentSince,
      open: open && openOf(row, open),
      plane: library.reportOf(row.plane),
      engine: engineOf(row, library.reportOf(row.plane).versionsOf(row.service)),
      offered: offeredTo(row),
      busy: library.reportOf(row.plane).busyWith(serverOfEngine(row.engine)),
      queue: positionOf(row.id),
      paused: pausedOf(row),
      workerSilentSince: reaper.silentSince(row),
    });
  }

  private async tell(): Promise<void> {
    const watched = this.parts.live.changed.eventNames().map(String);
    const before = this.texts;
    this.texts = new Map();
    for (const run of watched) {
      const texts = await this.tellRun(run, before.get(run) ?? new Map());
      if (texts.size > 0) this.texts.set(run, texts);
    }
  }

  private async tellRun(id: string, before: ReadonlyMap<string, string>): Promise<Map<string, string>> {
    const { history, live, resolvedOf } = this.parts;
    const texts = new Map<string, string>();
    const [run] = await history.openRuns([id]);
    if (!run) return texts;
    const resolved = await resolvedOf(run);
    const drawn = await history.waitingIn([id], "drawn");
    const ids = new Set(drawn.map((row) => row.id));
    const inner = drawn.some(({ state, plane }) => state === "running" && plane === "node") ? await history.waitingIn([id], "begun") : [];
    const rows = [...drawn, ...inner.filter((row) => !ids.has(row.id))];
    for (const { row, why } of judge(rows, run, this.reports(), resolved)) {
      if (!ids.has(row.id) || !why || why.kind === "before" || why.kind === "turn" || isRegionId(row.node_id)) continue;
      const text = JSON.stringify(why);
      texts.set(row.node_id, text);
      if (before.get(row.node_id) !== text) live.update(id, row.node_id, { notRunning: why });
    }
    for (const node of before.keys()) if (!texts.has(node)) live.update(id, node, {});
    return texts;
  }
}

/** @param open the run's graph, where the row's engine is still to be chosen */
type Reports = (row: WaitingRow, open: Resolved | undefined) => Omit<Circumstances, "before">;

/** The runtime itself. */
const ANSWERING = { answers: true };

const isUnchosen = ({ state, engine }: WaitingRow): boolean => state === "queued" && engine === "";

interface Judged {
  row: WaitingRow;
  why: NotRunning | undefined;
}

/** @param resolved the run's graph; needed where queued node runs are among the rows */
function judge(rows: readonly WaitingRow[], run: OpenRun, reports: Reports, resolved?: Resolved): Judged[] {
  const open = new OpenPaths(rows);
  const judged = rows.map((row) => {
    const place = row.state === "queued" && resolved ? placeOf(row, resolved) : undefined;
    // A node of a region waits for what the region's task waits for.
    const whole = place?.region === undefined ? undefined : open.at(place.region);
    const asked = whole && whole !== row && (whole.state !== "queued" || isUnchosen(whole)) ? whole : row;
    return {
      row,
      why: whyNotRunning(asked, run, {
        ...reports(asked, isUnchosen(asked) ? resolved : undefined),
        before: place ? open.before(place) : [],
      }),
    };
  });
  return judged.some(isGathering) ? withInner(judged) : judged;
}

/** Whether it runs in this process, as what gathers the outputs of a map or a call does for as long as one of them is open. */
const isGathering = ({ row: { state, plane, held } }: Judged): boolean => state === "running" && plane === "node" && held === null;

/** A map or a call of which nothing runs waits for what its node runs wait for, unless that is only their turn. */
function withInner(judged: readonly Judged[]): Judged[] {
  const inside = new Map<string, Judged[]>();
  for (const each of judged)
    for (const path of outerPaths(each.row.path)) {
      const known = inside.get(path);
      if (known) known.push(each);
      else inside.set(path, [each]);
    }
  return judged.map((outer) => {
    const inner = outer.why ? [] : (inside.get(outer.row.path) ?? []).filter(({ row }) => !inside.has(row.path));
    const why = inner.some((each) => !each.why) ? undefined : weightiest(inner.flatMap((each) => each.why ?? []));
    return why && why.kind !== "turn" && why.kind !== "before" ? { ...outer, why } : outer;
  });
}

/**
 * What may be chosen for a node run; undefined for one that gathers what others give.
 * @param resolved the graph, by what the run froze; which engines there are is asked of the library
 */
function candidatesOf(
  { path, node_id, version }: WaitingRow,
  resolved: Resolved,
  library: Library,
): Omit<Candidates, "planeOf"> | undefined {
  const { calls, element } = parsePath(path);
  const level = resolved.within(calls);
  const now = (node: ResolvedNode): ResolvedNode => ({ ...node, definition: library.find(node.node.plane, node.node.service) });
  const region = level?.plan.regions.get(node_id);
  if (level && region) {
    const members = level.members(region).map(now);
    const engines = members.every(({ definition }) => definition) ? serversOfAll(members) : [];
    return { label: "the ComfyUI nodes here", engines, version: BUS.regionVersion };
  }
  const node = level?.node(node_id);
  if (!node?.element || (node.mapped && element === undefined)) return undefined;
  const offered = now(node);
  const newest = offered.definition?.version ?? version;
  const engines = enginesAlone(offered).filter(({ auto }) => auto !== false);
  return { label: node.element.label, engines, version: newest, asksFor: newest === version ? undefined : version };
}

/** Where a node run lies in its graph. */
interface Place {
  prefix: string;
  level: Level;
  body: PlanBody;
  item: string;
  /** The path of its region's row. */
  region: string | undefined;
}

function placeOf({ path }: WaitingRow, resolved: Resolved): Place | undefined {
  const { calls, visits, node, element } = parsePath(path);
  const level = resolved.within(calls);
  const loop = visits.at(-1)?.loop;
  const body = loop === undefined ? level?.plan.root : level?.plan.loops.get(loop);
  if (!level || !body || element !== undefined) return undefined;
  const region = level.plan.regionOf.get(node)?.id;
  const prefix = path.slice(0, path.lastIndexOf("/") + 1);
  return { prefix, level, body, item: region ?? node, region: region === undefined ? undefined : prefix + region };
}

/** The paths of what is open in a run. */
class OpenPaths {
  private readonly rows: ReadonlyMap<string, WaitingRow>;
  /** The open nodes inside each loop, by its path up to the number of the visit. */
  private readonly inLoops = new Map<string, Set<string>>();

  constructor(rows: readonly WaitingRow[]) {
    this.rows = new Map(rows.map((row) => [row.path, row]));
    for (const row of rows)
      for (const { index } of row.path.matchAll(/\[\d+\]\//g)) {
        const loop = row.path.slice(0, index);
        this.inLoops.set(
          loop,
          (this.inLoops.get(loop) ?? new Set()).add(parsePath(row.path.slice(index + 1).replace(/^\d+\]\//, "")).node),
        );
      }
  }

  at(path: string): WaitingRow | undefined {
    return this.rows.get(path);
  }

  /** The titles of the nodes before an item that are not over. */
  before({ prefix, level, body, item }: Omit<Place, "region">): string[] {
    const found = new Set<string>();
    for (const earlier of body.predecessors.get(item) ?? []) {
      const inside = level.plan.loops.has(earlier)
        ? this.inLoop(prefix, level.plan, earlier)
        : itemNodes(level.plan, earlier).filter((id) => this.rows.has(prefix + id));
      for (const id of inside) if (!isRegionId(id)) found.add(titleOf(level, id));
      // A loop that has not begun has no node runs yet.
      if (level.plan.loops.has(earlier) && inside.length === 0)
        for (const title of this.before({ prefix, level, body, item: earlier })) found.add(title);
    }
    return [...found];
  }

  private inLoop(prefix: string, { loops }: Plan, loop: string): string[] {
    const nodes = loops.get(loop)?.nodes;
    return [...(this.inLoops.get(prefix + loop) ?? [])].filter((id) => nodes?.has(id));
  }
}

function titleOf(level: Level, id: string): string {
  const node = level.node(id)?.node;
  return node ? nodeTitle(node) : id;
}

/** The engine of a row as the library has it now: of what the Comfy plane does, the server. */
function enginesOf(library: Library): (row: WaitingRow, versions: ReturnType<PlaneStatus["versionsOf"]>) => Circumstances["engine"] {
  let servers: Map<string, Circumstances["engine"]> | undefined;
  return ({ plane, service, version, engine }, versions) => {
    if (plane === "comfy") {
      servers ??= serversOf(library);
      return servers.get(serverOfEngine(engine));
    }
    const definition = library.find(plane, service);
    const older = definition?.version === version ? undefined : versions?.find((each) => each.version === version);
    return (older ?? definition)?.engines?.find(({ id }) => id === engine);
  };
}

function serversOf(library: Library): Map<string, Circumstances["engine"]> {
  const servers = new Map<string, Circumstances["engine"]>();
  for (const definition of library.all())
    if (definition.plane === "comfy")
      for (const { id, label, live, reason } of definition.engines)
        if (!servers.has(id)) servers.set(id, { label, live: live && definition.live, reason });
  return servers;
}

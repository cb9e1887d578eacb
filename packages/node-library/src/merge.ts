// DESIGN M2: all planes' manifests as one; a capability whose workers are gone stays, marked offline.
import type { Capability, CombinedManifest, PlaneManifest } from "@spindle/schemas";
import { joinFileLists } from "@spindle/schemas/file-lists";

/** For how long a report holds: long enough for a worker to be started again, so that its restart changes no choice of engine. */
const REPORT_HOLDS_MS = 60_000;

export const reportHolds = (at: Date | undefined, now: Date): boolean =>
  at !== undefined && now.getTime() - at.getTime() <= REPORT_HOLDS_MS;

export interface PlaneReport {
  /** The manifest that the plane last reported. */
  manifest: PlaneManifest;
  /** Whether the plane answers now. */
  live: boolean;
  /** When the plane last answered; absent if it never has. */
  reportedAt?: Date | undefined;
  /** Engines that were live a moment ago and are reported as not live now, such as a ComfyUI that restarts. */
  held?: ReadonlySet<string>;
  /** What is wrong with the plane as a whole; each engine gives its own reason. */
  reason?: string | undefined;
}

/**
 * What the workers of one plane offer together, by the order of their names. Of a capability that several have, the newest version's entry
 * stands, with every engine that one of them has; an engine is live where one of that version can run it (DESIGN W3).
 */
export function joinManifests(workers: readonly PlaneManifest[]): PlaneManifest {
  const newest = [...joinVersions(workers).values()].map(withOlderEngines);
  const generatedAt = workers.map((worker) => worker.generatedAt).sort();
  return { generatedAt: generatedAt.at(-1) ?? new Date(0).toISOString(), capabilities: newest };
}

/** What a worker or a bridge offered last. */
export interface KeptReport {
  worker: string;
  manifest: PlaneManifest;
  /** Whether it answers now. */
  answers: boolean;
  reportedAt: Date;
}

/**
 * What those that answer offer, and what those that do not offered last (DESIGN M2): a capability that only they have stays, and is offline;
 * of one that others offer in the same version their engines stay.
 */
export function joinReports(reports: readonly KeptReport[], now: Date): PlaneManifest {
  const [only] = reports;
  if (only && reports.length === 1 && only.answers) return only.manifest;
  const { generatedAt, capabilities } = joinManifests(reports.filter(({ answers }) => answers).map(({ manifest }) => manifest));
  const entries = new Map(capabilities.map((capability) => [capability.id, capability]));
  const silent = reports.filter(({ answers }) => !answers).sort((a, b) => Number(b.reportedAt) - Number(a.reportedAt));
  for (const report of silent)
    for (const capability of report.manifest.capabilities) {
      const own = silenced(capability, report, now);
      const known = entries.get(own.id);
      if (!known) entries.set(own.id, { ...own, live: false });
      else if (known.version === own.version) entries.set(own.id, joinEntries(known, own));
    }
  return { generatedAt, capabilities: [...entries.values()] };
}

/** Its engines hold for a minute; then they are not live, with the worker's name, so that a person can say that it will not come back. */
function silenced(capability: Capability, { worker, reportedAt }: KeptReport, now: Date): Capability {
  if (!capability.engines || reportHolds(reportedAt, now)) return capability;
  const reason = `${worker} has it, which has not reported since ${reportedAt.toISOString()}. Start it again, or run: npx spindle workers forget ${worker}`;
  return {
    ...capability,
    engines: capability.engines.map((engine) => ({ ...engine, live: false, reason: engine.live ? reason : (engine.reason ?? reason) })),
  };
}

/** One capability in one version, as two have it. */
function joinEntries(first: Capability, second: Capability): Capability {
  const engines = first.engines || second.engines ? { engines: joinEngines(first.engines, second.engines) } : {};
  return { ...first, ...(first.plane === "comfy" ? { io: { ...first.io, input: joinChoices(first, second) } } : {}), ...engines };
}

/** A list of files is what any server has; `x-on` names the servers of those that not all have. */
function joinChoices(first: Capability, second: Capability): Capability["io"]["input"] {
  const described = ({ io, engines = [] }: Capability) => ({ servers: engines.map(({ id }) => id), input: io.input });
  return joinFileLists([described(first), described(second)]);
}

/** The versions of each capability that workers of one plane offer, the newest first, by the capability's id. */
export function joinVersions(workers: readonly PlaneManifest[]): Map<string, Capability[]> {
  const joined = new Map<string, Capability[]>();
  for (const capability of workers.flatMap(({ capabilities }) => capabilities)) {
    const versions = joined.get(capability.id) ?? [];
    const index = versions.findIndex(({ version }) => version === capability.version);
    const known = versions[index];
    if (known) versions[index] = joinEntries(known, capability);
    else versions.push(capability);
    joined.set(
      capability.id,
      versions.sort((a, b) => b.version.localeCompare(a.version, "en", { numeric: true })),
    );
  }
  return joined;
}

/** A class of ComfyUI has no newer and older version, only another interface: the one that a server has which answers is used. */
const whyOlder = ({ plane }: Capability, version: string, { live, reason }: Engines[number]): string => {
  if (plane !== "comfy") return `Only workers of version ${version} have it.`;
  return (
    (live ? undefined : reason) ??
    "It has another version of this node than other ComfyUI servers: its inputs or outputs differ. Update its pack, or ComfyUI itself, on one of them."
  );
};

/** @param versions of one capability, the newest first */
function withOlderEngines(versions: readonly Capability[]): Capability {
  const answering = versions.find(({ plane, engines = [] }) => plane === "comfy" && engines.some(({ live }) => live));
  const [newest, ...older] = answering ? [answering, ...versions.filter((one) => one !== answering)] : versions;
  const entry = newest as Capability;
  const engines = new Map((entry.engines ?? []).map((engine) => [engine.id, engine]));
  for (const { version, engines: own = [] } of older)
    for (const engine of own)
      if (!engines.has(engine.id)) engines.set(engine.id, { ...engine, live: false, reason: whyOlder(entry, version, engine) });
  return entry.engines || engines.size > 0 ? { ...entry, engines: [...engines.values()] } : entry;
}

type Engines = NonNullable<Capability["engines"]>;

function joinEngines(first: Engines = [], second: Engines = []): Engines {
  const better = (one: Engines[number]) => (one.live ? undefined : second.find(({ id, live }) => id === one.id && live)) ?? one;
  return [...first.map(better), ...second.filter(({ id }) => !first.some((one) => one.id === id))];
}

export function mergeManifests(planes: { node: PlaneReport; python: PlaneReport; comfy?: PlaneReport }, now: Date): CombinedManifest {
  const marked = (report: PlaneReport | undefined): Capability[] =>
    (report?.manifest.capabilities ?? []).map((capability) => ({
      ...capability,
      // The bridge may be there and ComfyUI not.
      live:
        report?.live === true &&
        capability.live !== false &&
        (capability.plane !== "comfy" || capability.engines?.some((engine) => engine.live) === true),
      engines: report && capability.engines && enginesNow(capability.engines, report, now),
    }));
  const [node, python, comfy] = [marked(planes.node), marked(planes.python), marked(planes.comfy)];
  return {
    generatedAt: now.toISOString(),
    capabilities: [...node, ...python, ...comfy],
    sources: {
      control: { plane: "node", number: node.length },
      worker: { plane: "python", number: python.length },
      ...(planes.comfy
        ? { comfy: { plane: "comfy" as const, number: comfy.length, ...(planes.comfy.reason ? { reason: planes.comfy.reason } : {}) } }
        : {}),
    },
  };
}

/** DESIGN M4: an engine is live where it was reported so within the last minute. That its plane is silent makes it no less installed. */
function enginesNow(engines: Engines, { live, reportedAt, held }: PlaneReport, now: Date): Engines {
  if (live || reportHolds(reportedAt, now)) {
    if (!held || held.size === 0 || engines.some((engine) => engine.live)) return engines;
    return engines.map((engine) => (held.has(engine.id) ? { ...engine, live: true } : engine));
  }
  const silent = reportedAt ? `No worker has reported since ${reportedAt.toISOString()}.` : "No worker has reported yet.";
  return engines.map((engine) => ({ ...engine, live: false, reason: reportedAt && !engine.live ? (engine.reason ?? silent) : silent }));
}

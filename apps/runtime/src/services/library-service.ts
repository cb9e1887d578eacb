// What the planes offer now (DESIGN M2): this plane's own manifest, and what the workers last reported over Redis.
import { EventEmitter } from "node:events";
import type { Library } from "@spindle/graph-model";
import {
  joinReports,
  joinVersions,
  type KeptReport,
  makeLibrary,
  mergeManifests,
  reportHolds,
  withBlueprints,
  withoutNonCommercial,
} from "@spindle/node-library";
import { committedManifests } from "@spindle/node-library/manifests";
import { type Capability, type CombinedManifest, type PlaneManifest, validatePlaneManifest } from "@spindle/schemas";
import type { Redis } from "ioredis";
import type { ObjectStore } from "../artifacts/store.ts";
import type { Config } from "../config.ts";
import type { NodeRegistry } from "../nodes/registry.ts";
import { Refused } from "../refused.ts";
import { patient } from "../store/patient.ts";
import { ServerFailures } from "../tasks/server-failures.ts";
import type { Blueprints } from "./blueprints.ts";
import { type BusyNotice, ComfyBridges } from "./comfy-bridges.ts";
import type { KeptManifests } from "./kept-manifests.ts";
import { LibraryDocuments } from "./library-documents.ts";
import { presentManifests } from "./worker-manifests.ts";

const WORKERS_EVERY_MS = 1000;
const OWN_EVERY_MS = 15_000;
/** Texts of workers that are remembered. */
const MOST_TEXTS = 200;

const NOTHING: PlaneManifest = { generatedAt: new Date(0).toISOString(), capabilities: [] };

export interface PlaneStatus {
  /** Whether they answer now. */
  answers: boolean;
  /** When they did last. */
  reportedAt: Date | undefined;
  /** The versions of a capability that answering workers have, the newest first; undefined where none says. */
  versionsOf(service: string): readonly { version: string; engines?: Capability["engines"] }[] | undefined;
  /** What a ComfyUI server does first. */
  busyWith(server: string): BusyNotice | undefined;
}

export class LibraryService {
  readonly changed = new EventEmitter().setMaxListeners(0);
  private node: PlaneManifest = committedManifests.node;
  private python: PlaneManifest = committedManifests.python;
  private pythonLive = false;
  private pythonAt: Date | undefined;
  readonly bridges: ComfyBridges;
  /** What the Python workers that answer offer, in each version. */
  private versions: ReadonlyMap<string, readonly Capability[]> = new Map();
  /** What `merged` was made of. */
  private state = "";
  private merged: CombinedManifest;
  private made: Library;
  /** What pages load. */
  readonly documents = new LibraryDocuments();
  private timers: NodeJS.Timeout[] = [];
  private readonly startedAt = new Date();

  constructor(
    private readonly redis: Redis,
    private readonly registry: NodeRegistry,
    private readonly models: Config["models"],
    store: ObjectStore,
    private readonly kept: KeptManifests,
    private readonly blueprints: Blueprints,
    private readonly options: { commercialUse?: boolean; expectsComfy?: boolean } = {},
    private readonly failures: Pick<ServerFailures, "countOf"> = new ServerFailures(),
  ) {
    this.bridges = new ComfyBridges(redis, store, kept);
    this.merged = this.merge();
    this.made = this.make();
    this.documents.follow(this.merged, undefined);
  }

  async start(): Promise<void> {
    await patient(() => this.blueprints.refresh());
    await patient(() => this.kept.refresh());
    await this.lookAtOwn();
    await this.lookAtWorkers();
    this.timers = [setInterval(() => void this.lookAtWorkers(), WORKERS_EVERY_MS), setInterval(() => void this.lookAtOwn(), OWN_EVERY_MS)];
  }

  stop(): void {
    for (const timer of this.timers) clearInterval(timer);
  }

  manifest(): CombinedManifest {
    return this.merged;
  }

  library(): Library {
    return this.made;
  }

  private make(): Library {
    const { packs } = this.bridges;
    const packOf = (service: string) => (Object.hasOwn(packs, service) ? packs[service] : undefined);
    return Object.assign(makeLibrary(this.merged.capabilities), { packOf });
  }

  /** Undefined where no bridge to ComfyUI has ever reported and none is expected. */
  get comfyState(): string | undefined {
    const { reason, live, manifest, reportedAt } = this.bridges;
    if (reason !== undefined) return `down: ${reason}`;
    if (live) return "up";
    return manifest || this.options.expectsComfy ? this.silent(reportedAt, "bridge") : undefined;
  }

  get workersLive(): boolean {
    return this.pythonLive;
  }

  get pythonState(): string {
    return this.pythonLive ? "up" : this.silent(this.pythonAt, "worker");
  }

  /** Before its first report, for as long as a start may take, a plane is not known to be down. */
  private silent(last: Date | undefined, who: string): string {
    if (last) return `down: no ${who} has reported since ${last.toISOString()}`;
    return reportHolds(this.startedAt, new Date()) ? "starting" : `down: no ${who} has reported`;
  }

  /** Since when Redis has not answered; undefined while it does. */
  busSilentSince: Date | undefined;

  /** What the workers of a plane said last. */
  reportOf(plane: string): PlaneStatus {
    const { bridges } = this;
    if (plane === "comfy")
      return {
        answers: bridges.live || bridges.reason !== undefined,
        reportedAt: bridges.reportedAt,
        versionsOf: () => (bridges.regionVersions.length > 0 ? bridges.regionVersions.map((version) => ({ version })) : undefined),
        busyWith: (server) => bridges.busyWith(server),
      };
    return {
      answers: this.pythonLive,
      reportedAt: this.pythonAt,
      versionsOf: (service) => (this.pythonLive ? this.versions.get(service) : undefined),
      busyWith: () => undefined,
    };
  }

  /** What speaks against a ComfyUI server: one that fails at what it is given is chosen after one that is busy. */
  readonly burden = (server: string): number => {
    const failed = this.failures.countOf(server);
    return failed > 0 ? 1 + failed : Number(this.reportOf("comfy").busyWith(server) !== undefined);
  };

  private async lookAtOwn(): Promise<void> {
    this.node = await this.registry.manifest(this.models, new Date());
    this.refresh();
  }

  private async lookAtWorkers(): Promise<void> {
    const found = await presentManifests(this.redis, "python", this.readManifest).catch(() => undefined);
    this.busSilentSince = found ? undefined : (this.busSilentSince ?? new Date());
    if (found === undefined) return; // it says nothing about the workers
    await this.kept.refresh().catch(() => {}); // what was read last holds while the database is away
    await this.joinWorkers(found, new Date());
    await this.bridges.refresh().catch(() => {});
    await this.blueprints.refresh().catch(() => {});
    this.refresh();
  }

  /** What the Python workers that answer offer, and what those that do not offered last. */
  private async joinWorkers(found: ReadonlyMap<string, PlaneManifest>, now: Date): Promise<void> {
    this.pythonLive = found.size > 0;
    for (const [worker, manifest] of found) await this.kept.keep("python", worker, manifest, now).catch(() => {});
    const silent = this.kept.of("python").filter(({ worker }) => !found.has(worker));
    const reports: KeptReport[] = [...found].map(([worker, manifest]) => ({ worker, manifest, answers: true, reportedAt: now }));
    for (const { worker, manifest, reportedAt } of silent.sort((a, b) => Number(b.reportedAt) - Number(a.reportedAt))) {
      if (!validatePlaneManifest(manifest)) continue; // of another release
      // Whatever it had another one has: it was started again under another name.
      if (reports.length > 0 && hasAllOf(reports, manifest)) await this.kept.forget("python", worker).catch(() => {});
      else reports.push({ worker, manifest, answers: false, reportedAt });
    }
    const [newest] = reports;
    if (!newest) return;
    this.pythonAt = newest.reportedAt;
    this.versions = joinVersions([...found.values()]);
    this.python = joinReports(reports, now);
  }

  /**
   * Takes what a worker or a bridge offered out of the library that does not answer.
   * @throws Refused 404, 409 while it answers
   */
  async forget(worker: string): Promise<void> {
    const planes = ["python", "comfy"].filter((plane) => this.kept.of(plane).some((row) => row.worker === worker));
    if (planes.length === 0)
      throw new Refused(
        404,
        "worker.not_found",
        `No worker ${worker.slice(0, 200)} is kept. npx spindle workers list names those that are.`,
      );
    for (const plane of planes)
      if ((await presentManifests(this.redis, plane, (text) => text)).has(worker))
        throw new Refused(
          409,
          "worker.answers",
          `${worker} answers, and would be in the library again at once. End it first: npx spindle workers drain ${worker}`,
        );
    for (const plane of planes) await (plane === "comfy" ? this.bridges.forget(worker) : this.kept.forget(plane, worker));
    await this.lookAtWorkers();
  }

  /** Workers and bridges whose manifest is kept. */
  keptWorkers(): { plane: string; worker: string; reportedAt: Date }[] {
    return ["python", "comfy"].flatMap((plane) => this.kept.of(plane).map(({ worker, reportedAt }) => ({ plane, worker, reportedAt })));
  }

  /** Reads the workflows that are engines at once: this runtime has changed them. */
  async changeBlueprints(): Promise<void> {
    await this.blueprints.refresh();
    this.refresh();
  }

  /** The manifest that each text holds; a worker reports the same text for as long as it runs. */
  private texts = new Map<string, PlaneManifest | undefined>();

  private readonly readManifest = (text: string): PlaneManifest | undefined => {
    if (!this.texts.has(text)) {
      if (this.texts.size >= MOST_TEXTS) this.texts.clear();
      this.texts.set(text, read(text));
    }
    return this.texts.get(text);
  };

  private merge(now = new Date()): CombinedManifest {
    const { manifest, live, reportedAt, reason } = this.bridges;
    const merged = mergeManifests(
      {
        node: { manifest: this.node, live: true },
        python: { manifest: this.python, live: this.pythonLive, reportedAt: this.pythonAt },
        ...(manifest || reason
          ? { comfy: { manifest: manifest ?? NOTHING, live, reportedAt, held: new Set(this.bridges.held(now)), reason } }
          : {}),
      },
      now,
    );
    const capabilities = withBlueprints(merged.capabilities, this.blueprints.all);
    return { ...merged, capabilities: this.options.commercialUse ? withoutNonCommercial(capabilities) : capabilities };
  }

  private refresh(): void {
    const { node, python, pythonLive, bridges } = this;
    const now = new Date();
    const holds = [reportHolds(this.pythonAt, now), reportHolds(bridges.reportedAt, now), bridges.held(now)];
    const comfy = [bridges.hash, bridges.live, bridges.reason];
    const state = JSON.stringify([node.capabilities, python.capabilities, pythonLive, comfy, holds, this.blueprints.version]);
    if (state === this.state) return;
    this.state = state;
    this.merged = this.merge(now);
    this.made = this.make();
    const { manifest, hash } = bridges;
    this.documents.follow(this.merged, manifest && { hash, capabilities: manifest.capabilities });
    this.changed.emit("changed");
  }
}

/** Whether every engine of what one offers is among what the others do. */
function hasAllOf(others: readonly KeptReport[], { capabilities }: PlaneManifest): boolean {
  const placesOf = (all: readonly Capability[]) =>
    all.flatMap(({ id, engines = [] }) => [id, ...engines.map((engine) => `${id}\n${engine.id}`)]);
  const known = new Set(others.flatMap(({ manifest }) => placesOf(manifest.capabilities)));
  return placesOf(capabilities).every((place) => known.has(place));
}

function read(text: string): PlaneManifest | undefined {
  try {
    const found: unknown = JSON.parse(text);
    return validatePlaneManifest(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

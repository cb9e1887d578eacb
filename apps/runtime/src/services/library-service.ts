// What the planes offer now (DESIGN M2): this plane's own manifest, and what the workers last reported over Redis.
import { createHash } from "node:crypto";
import { EventEmitter } from "node:events";
import type { Library } from "@spindle/graph-model";
import {
  joinManifests,
  joinVersions,
  makeLibrary,
  mergeManifests,
  reportHolds,
  withBlueprints,
  withoutNonCommercial,
} from "@spindle/node-library";
import { committedManifests } from "@spindle/node-library/manifests";
import { type Capability, type CombinedManifest, type PlaneManifest, validateCapability, validatePlaneManifest } from "@spindle/schemas";
import { names } from "@spindle/task-bus";
import type { Redis } from "ioredis";
import type { ObjectStore } from "../artifacts/store.ts";
import type { Config } from "../config.ts";
import type { NodeRegistry } from "../nodes/registry.ts";
import { Refused } from "../refused.ts";
import { patient } from "../store/patient.ts";
import type { Blueprints } from "./blueprints.ts";
import { LibraryDocuments } from "./library-documents.ts";

const WORKERS_EVERY_MS = 1000;
const OWN_EVERY_MS = 15_000;
/** The Comfy plane's manifest may have thousands of entries: it lies in the store, and Redis has its hash. */
const COMFY_KEY = "manifest/comfy";
/** Which node packs have which classes, as a ComfyUI-Manager knows. */
const PACKS_KEY = "manifest/comfy-packs";

const NOTHING: PlaneManifest = { generatedAt: new Date(0).toISOString(), capabilities: [] };

/** What a bridge says of a ComfyUI server that has something else to do; `hangs` if that cannot be stopped. */
interface ServerBusy {
  reason: string;
  since: string;
  hangs: boolean;
}

export interface PlaneStatus {
  /** Whether they answer now. */
  answers: boolean;
  /** When they did last. */
  reportedAt: Date | undefined;
  /** The versions of a capability that answering workers have, the newest first; undefined where none says. */
  versionsOf(service: string): readonly { version: string; engines?: Capability["engines"] }[] | undefined;
  /** What a ComfyUI server does first. */
  busyWith(server: string): ServerBusy | undefined;
}

interface ComfyNotice {
  sha256?: string;
  packs?: string;
  reason?: string;
  region?: string;
  busy?: Record<string, ServerBusy>;
}

export class LibraryService {
  readonly changed = new EventEmitter().setMaxListeners(0);
  private node: PlaneManifest = committedManifests.node;
  private python: PlaneManifest = committedManifests.python;
  private pythonLive = false;
  private pythonAt: Date | undefined;
  private comfy: PlaneManifest | undefined;
  private comfyHash = "";
  private comfyLive = false;
  private comfyAt: Date | undefined;
  private packs: Readonly<Record<string, string>> = {};
  private packsHash = "";
  /** ComfyUI servers that the manifest calls live, and when each was called so last. */
  private servers: readonly string[] = [];
  private readonly serverAt = new Map<string, Date>();
  private comfyReason: string | undefined;
  /** The version of a region's prompts that bridges run, by their last report. */
  private regionVersion: string | undefined;
  /** ComfyUI servers that do something else first, by what their bridge last said. */
  private busy: Readonly<Record<string, ServerBusy>> = {};
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
    private readonly store: ObjectStore,
    private readonly blueprints: Blueprints,
    private readonly options: { commercialUse?: boolean; expectsComfy?: boolean } = {},
  ) {
    this.merged = this.merge();
    this.made = this.make();
    this.documents.follow(this.merged, undefined);
  }

  async start(): Promise<void> {
    await patient(() => this.blueprints.refresh());
    await this.lookAtOwn();
    await this.readComfy().catch(() => {}); // the last manifest stays, if there was one: its workers may come back
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
    const packOf = (service: string) => (Object.hasOwn(this.packs, service) ? this.packs[service] : undefined);
    return Object.assign(makeLibrary(this.merged.capabilities), { packOf });
  }

  /** Undefined where no bridge to ComfyUI has ever reported and none is expected. */
  get comfyState(): string | undefined {
    if (this.comfyReason !== undefined) return `down: ${this.comfyReason}`;
    if (this.comfyLive) return "up";
    return this.comfy || this.options.expectsComfy ? this.silent(this.comfyAt, "bridge") : undefined;
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
    const region = this.regionVersion;
    if (plane === "comfy")
      return {
        answers: this.comfyLive || this.comfyReason !== undefined,
        reportedAt: this.comfyAt,
        versionsOf: () => (region === undefined ? undefined : [{ version: region }]),
        busyWith: (server) => (Object.hasOwn(this.busy, server) ? this.busy[server] : undefined),
      };
    return {
      answers: this.pythonLive,
      reportedAt: this.pythonAt,
      versionsOf: (service) => (this.pythonLive ? this.versions.get(service) : undefined),
      busyWith: () => undefined,
    };
  }

  /** Whether a ComfyUI server has something else to do first, or does not answer. */
  readonly isBusy = (server: string): boolean => this.reportOf("comfy").busyWith(server) !== undefined;

  private async lookAtOwn(): Promise<void> {
    this.node = await this.registry.manifest(this.models, new Date());
    this.refresh();
  }

  private async lookAtWorkers(): Promise<void> {
    const found = await this.pythonManifests().catch(() => undefined);
    this.busSilentSince = found ? undefined : (this.busSilentSince ?? new Date());
    if (found === undefined) return; // it says nothing about the workers
    this.pythonLive = found.length > 0;
    if (found.length > 0) [this.python, this.pythonAt, this.versions] = [joinManifests(found), new Date(), joinVersions(found)];
    await this.lookAtComfy();
    await this.blueprints.refresh().catch(() => {}); // what was read last holds while the database is away
    this.refresh();
  }

  /** Reads the workflows that are engines at once: this runtime has changed them. */
  async changeBlueprints(): Promise<void> {
    await this.blueprints.refresh();
    this.refresh();
  }

  /** The manifests of the workers that are there now, by name. @throws Error while Redis is away */
  private async pythonManifests(): Promise<PlaneManifest[]> {
    const workers = (await this.redis.smembers(names.workers("python"))).sort();
    if (workers.length === 0) return [];
    const texts = await this.redis.mget(workers.map((worker) => names.workerManifest("python", worker)));
    const gone = workers.filter((_, index) => texts[index] === null);
    if (gone.length > 0) await this.redis.srem(names.workers("python"), gone);
    const known = new Map(this.manifests);
    this.manifests = new Map(texts.flatMap((text) => (text === null ? [] : [[text, known.get(text) ?? read(text)] as const])));
    return [...this.manifests.values()].filter((manifest) => manifest !== undefined);
  }

  /** The manifest that each text holds; a worker reports the same text for as long as it runs. */
  private manifests = new Map<string, PlaneManifest | undefined>();

  private async lookAtComfy(): Promise<void> {
    const text = await this.redis.get(names.manifest("comfy")).catch(() => undefined);
    if (text === undefined) return;
    const { sha256: hash, packs, reason, region, busy = {} } = (text === null ? {} : JSON.parse(text)) as ComfyNotice;
    [this.comfyReason, this.regionVersion, this.busy] = [reason, region, busy];
    if (hash !== undefined && hash !== this.comfyHash) await this.readComfy().catch(() => {});
    if (packs !== undefined && packs !== this.packsHash) await this.readPacks().catch(() => {});
    this.comfyLive = hash !== undefined && hash === this.comfyHash;
    if (!this.comfyLive) return;
    this.comfyAt = new Date();
    for (const server of this.servers) this.serverAt.set(server, this.comfyAt);
  }

  /** @throws Error if there is none, or it is damaged */
  private async readComfy(): Promise<void> {
    const text = Buffer.concat(await (await this.store.get(COMFY_KEY)).toArray());
    const found = JSON.parse(text.toString("utf8")) as Capability[];
    this.comfy = { generatedAt: new Date().toISOString(), capabilities: found };
    this.comfyHash = createHash("sha256").update(text).digest("hex");
    this.servers = [...new Set(found.flatMap(({ engines = [] }) => engines.filter((engine) => engine.live).map((engine) => engine.id)))];
  }

  /** @throws Error if there are none, or they are damaged */
  private async readPacks(): Promise<void> {
    const text = Buffer.concat(await (await this.store.get(PACKS_KEY)).toArray());
    this.packs = JSON.parse(text.toString("utf8")) as Record<string, string>;
    this.packsHash = createHash("sha256").update(text).digest("hex");
  }

  /** A worker of the Comfy plane says which packs have the classes that its servers lack. @throws Refused */
  async putPacks(found: unknown, text: Buffer): Promise<void> {
    if (found === null || typeof found !== "object" || Object.values(found).some((pack) => typeof pack !== "string"))
      throw new Refused(422, "request.invalid", "The names of packs by class are needed.");
    await this.store.put(PACKS_KEY, text, text.length, "application/json");
  }

  /** A worker of the Comfy plane says what its servers offer. @throws Refused that names the entry which is none */
  async putComfy(found: unknown, text: Buffer): Promise<void> {
    if (!Array.isArray(found)) throw new Refused(422, "request.invalid", "A list of capabilities is needed.");
    const bad = found.find((one) => !validateCapability(one) || one.plane !== "comfy");
    if (bad !== undefined)
      throw new Refused(422, "request.invalid", `${String(Object(bad).id)}: ${validateCapability.errors?.[0]?.message ?? "another plane"}`);
    await this.store.put(COMFY_KEY, text, text.length, "application/json");
  }

  private heldServers(now: Date): string[] {
    return [...this.serverAt].flatMap(([id, at]) => (reportHolds(at, now) ? [id] : []));
  }

  private merge(now = new Date()): CombinedManifest {
    const merged = mergeManifests(
      {
        node: { manifest: this.node, live: true },
        python: { manifest: this.python, live: this.pythonLive, reportedAt: this.pythonAt },
        ...(this.comfy || this.comfyReason
          ? {
              comfy: {
                manifest: this.comfy ?? NOTHING,
                live: this.comfyLive,
                reportedAt: this.comfyAt,
                held: new Set(this.heldServers(now)),
                reason: this.comfyReason,
              },
            }
          : {}),
      },
      now,
    );
    const capabilities = withBlueprints(merged.capabilities, this.blueprints.all);
    return { ...merged, capabilities: this.options.commercialUse ? withoutNonCommercial(capabilities) : capabilities };
  }

  private refresh(): void {
    const { node, python, pythonLive, comfyHash, comfyLive, comfyReason } = this;
    const now = new Date();
    const holds = [reportHolds(this.pythonAt, now), reportHolds(this.comfyAt, now), this.heldServers(now)];
    const state = JSON.stringify([
      node.capabilities,
      python.capabilities,
      pythonLive,
      comfyHash,
      comfyLive,
      comfyReason,
      holds,
      this.blueprints.version,
    ]);
    if (state === this.state) return;
    this.state = state;
    this.merged = this.merge(now);
    this.made = this.make();
    this.documents.follow(this.merged, this.comfy && { hash: comfyHash, capabilities: this.comfy.capabilities });
    this.changed.emit("changed");
  }
}

function read(text: string): PlaneManifest | undefined {
  try {
    const found: unknown = JSON.parse(text);
    return validatePlaneManifest(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

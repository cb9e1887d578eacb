// What the bridges to ComfyUI offer together (DESIGN M2). A bridge's manifest may have thousands of entries: it lies in the store, and Redis
// has its hash, under the bridge's own name.
import { createHash } from "node:crypto";
import { joinReports, reportHolds } from "@spindle/node-library";
import { type Capability, type PlaneManifest, validateCapability } from "@spindle/schemas";
import type { Redis } from "ioredis";
import type { ObjectStore } from "../artifacts/store.ts";
import { Refused } from "../refused.ts";
import type { KeptManifests } from "./kept-manifests.ts";
import { presentManifests } from "./worker-manifests.ts";

const PLANE = "comfy";

/** What a bridge says of a ComfyUI server that has something else to do; `hangs` if that cannot be stopped. */
export interface BusyNotice {
  reason: string;
  since: string;
  hangs: boolean;
}

interface Notice {
  sha256?: string;
  packs?: string;
  reason?: string;
  region?: string;
  busy?: Record<string, BusyNotice>;
}

interface Bridge {
  /** What it says now; undefined while it does not answer. */
  notice: Notice | undefined;
  /** Of the manifest that was read last. */
  sha256: string;
  capabilities: readonly Capability[];
  packs: Readonly<Record<string, string>>;
  packsHash: string;
  at: Date;
  /** What is kept of it. */
  kept: { sha256: string };
}

/** @param sha256 of the manifest that is kept of it; empty if none is */
const unreadBridge = (at: Date, sha256: string): Bridge => ({
  notice: undefined,
  sha256: "",
  capabilities: [],
  packs: {},
  packsHash: "",
  at,
  kept: { sha256 },
});

export class ComfyBridges {
  private readonly bridges = new Map<string, Bridge>();
  private readonly serverAt = new Map<string, Date>();
  private state = "";
  /** What all of them offer; undefined where none has ever reported. */
  manifest: PlaneManifest | undefined;
  /** Another one means another manifest. */
  hash = "";
  /** Which node packs have which classes, as the ComfyUI-Managers know. */
  packs: Readonly<Record<string, string>> = {};

  constructor(
    private readonly redis: Redis,
    private readonly store: ObjectStore,
    private readonly kept: KeptManifests,
  ) {}

  private get answering(): Bridge[] {
    return [...this.bridges.values()].filter(({ notice }) => notice);
  }

  /** Whether one of them answers whose manifest is known. */
  get live(): boolean {
    return this.answering.some(isLive);
  }

  get reportedAt(): Date | undefined {
    return [...this.bridges.values()].map(({ at }) => at).sort((a, b) => Number(b) - Number(a))[0];
  }

  /** What is wrong with servers, in the words of those that answer. */
  get reason(): string | undefined {
    const reasons = this.answering.flatMap(({ notice }) => notice?.reason ?? []);
    return reasons.length > 0 ? reasons.join(" ") : undefined;
  }

  /** The versions of a region's prompts that bridges run which answer. */
  get regionVersions(): string[] {
    return [...new Set(this.answering.flatMap(({ notice }) => notice?.region ?? []))].sort().reverse();
  }

  busyWith(server: string): BusyNotice | undefined {
    for (const { notice } of this.answering) if (notice?.busy && Object.hasOwn(notice.busy, server)) return notice.busy[server];
    return undefined;
  }

  /** Servers that were live within the last minute. */
  held(now: Date): string[] {
    return [...this.serverAt].flatMap(([id, at]) => (reportHolds(at, now) ? [id] : []));
  }

  /** @throws Error while Redis is away */
  async refresh(now = new Date()): Promise<void> {
    const present = await presentManifests(this.redis, PLANE, noticeOf);
    for (const { worker, manifest, reportedAt } of this.kept.of(PLANE))
      if (!this.bridges.has(worker)) {
        const { sha256 = "" } = (manifest ?? {}) as { sha256?: string };
        this.bridges.set(worker, unreadBridge(reportedAt, sha256));
      }
    for (const worker of present.keys()) if (!this.bridges.has(worker)) this.bridges.set(worker, unreadBridge(now, ""));
    for (const [worker, bridge] of this.bridges) await this.follow(worker, bridge, present.get(worker), now);
    this.forgetOld();
    this.join(now);
  }

  private async follow(worker: string, bridge: Bridge, notice: Notice | undefined, now: Date): Promise<void> {
    bridge.notice = notice;
    const sha256 = notice ? notice.sha256 : bridge.kept.sha256;
    if (sha256 && sha256 !== bridge.sha256) await this.read(worker, bridge).catch(() => {}); // the last one stays
    if (notice?.packs !== undefined && notice.packs !== bridge.packsHash) await this.readPacks(worker, bridge).catch(() => {});
    if (!notice) return;
    if (!isLive(bridge)) return;
    bridge.at = now;
    for (const server of liveServers(bridge)) this.serverAt.set(server, now);
    if (bridge.kept.sha256 !== bridge.sha256) bridge.kept = { sha256: bridge.sha256 };
    await this.kept.keep(PLANE, worker, bridge.kept, now).catch(() => {}); // the database is away: it is kept when it is back
  }

  /** Those that do not answer, and that nobody keeps, or whose servers others have by now, under which a bridge was started again. */
  private forgetOld(): void {
    const kept = new Set(this.kept.of(PLANE).map(({ worker }) => worker));
    for (const [worker, bridge] of this.bridges) {
      if (bridge.notice) continue;
      const later = [...this.bridges.values()].filter((other) => other !== bridge && (other.notice || other.at > bridge.at));
      const theirs = new Set(later.flatMap(serversOf));
      const own = serversOf(bridge);
      const isReplaced = own.length > 0 && own.every((server) => theirs.has(server));
      if (kept.has(worker) && !isReplaced) continue;
      this.bridges.delete(worker);
      void this.forget(worker).catch(() => {});
    }
  }

  /** Takes what a bridge offered out of the library. */
  async forget(worker: string): Promise<void> {
    await this.kept.forget(PLANE, worker);
    this.bridges.delete(worker);
    await this.store.remove(keyOf(worker, "manifest"));
    await this.store.remove(keyOf(worker, "packs"));
  }

  private join(now: Date): void {
    const known = [...this.bridges].filter(([, { sha256 }]) => sha256 !== "").sort(([a], [b]) => (a < b ? -1 : 1));
    this.packs = Object.assign({}, ...known.map(([, { packs }]) => packs));
    const [first, ...others] = known;
    const isSilent = known.every(([, bridge]) => !bridge.notice);
    const state =
      others.length === 0
        ? (first?.[1].sha256 ?? "")
        : known
            .map(([name, bridge]) => [name, bridge.sha256, isSilent || Boolean(bridge.notice), reportHolds(bridge.at, now)].join())
            .join(";");
    if (state === this.state) return;
    this.state = state;
    this.hash = others.length === 0 ? state : createHash("sha256").update(state).digest("hex");
    const reports = known.map(([worker, { capabilities, notice, at }]) => ({
      worker,
      manifest: { generatedAt: at.toISOString(), capabilities: [...capabilities] },
      answers: isSilent || notice !== undefined,
      reportedAt: at,
    }));
    this.manifest = reports.length > 0 ? joinReports(reports, now) : undefined;
  }

  /** @throws Error if there is none, or it is damaged */
  private async read(worker: string, bridge: Bridge): Promise<void> {
    const text = Buffer.concat(await (await this.store.get(keyOf(worker, "manifest"))).toArray());
    bridge.capabilities = JSON.parse(text.toString("utf8")) as Capability[];
    bridge.sha256 = createHash("sha256").update(text).digest("hex");
  }

  /** @throws Error if there are none, or they are damaged */
  private async readPacks(worker: string, bridge: Bridge): Promise<void> {
    const text = Buffer.concat(await (await this.store.get(keyOf(worker, "packs"))).toArray());
    bridge.packs = JSON.parse(text.toString("utf8")) as Record<string, string>;
    bridge.packsHash = createHash("sha256").update(text).digest("hex");
  }

  /**
   * A bridge says what its servers offer, or which packs have the classes that its servers lack.
   * @throws Refused that names the entry which is none
   */
  async put(worker: string, what: "manifest" | "packs", found: unknown, text: Buffer): Promise<void> {
    const why = what === "manifest" ? whyNoManifest(found) : whyNoPacks(found);
    if (why) throw new Refused(422, "request.invalid", why);
    await this.store.put(keyOf(worker, what), text, text.length, "application/json");
  }
}

function whyNoManifest(found: unknown): string | undefined {
  if (!Array.isArray(found)) return "A list of capabilities is needed.";
  const bad = found.find((each) => !validateCapability(each) || each.plane !== PLANE);
  return bad === undefined ? undefined : `${String(Object(bad).id)}: ${validateCapability.errors?.[0]?.message ?? "another plane"}`;
}

const whyNoPacks = (found: unknown): string | undefined =>
  found === null || typeof found !== "object" || Object.values(found).some((pack) => typeof pack !== "string")
    ? "The names of packs by class are needed."
    : undefined;

const isLive = ({ notice, sha256 }: Bridge): boolean => notice?.sha256 !== undefined && notice.sha256 === sha256;

const serversOf = ({ capabilities }: Bridge): string[] => [
  ...new Set(capabilities.flatMap(({ engines = [] }) => engines.map(({ id }) => id))),
];

const liveServers = ({ capabilities }: Bridge): string[] => [
  ...new Set(capabilities.flatMap(({ engines = [] }) => engines.filter(({ live }) => live).map(({ id }) => id))),
];

/** The key of a document of a bridge; no name of anybody's is part of it. */
const keyOf = (worker: string, what: "manifest" | "packs"): string =>
  `manifest/comfy-${createHash("sha256").update(worker).digest("hex").slice(0, 32)}-${what}`;

function noticeOf(text: string): Notice | undefined {
  try {
    const { sha256, packs, reason, region, busy } = Object(JSON.parse(text)) as Record<string, unknown>;
    const words = Object.entries({ sha256, packs, reason, region }).filter(([, value]) => typeof value === "string");
    return { ...Object.fromEntries(words), busy: busyOf(busy) };
  } catch {
    return undefined;
  }
}

const busyOf = (found: unknown): Record<string, BusyNotice> =>
  Object.fromEntries(Object.entries(Object(found) as object).filter((each): each is [string, BusyNotice] => isBusy(each[1])));

const isBusy = (value: unknown): value is BusyNotice => {
  const { reason, since } = Object(value) as Record<string, unknown>;
  return typeof reason === "string" && typeof since === "string" && Number.isFinite(Date.parse(since));
};

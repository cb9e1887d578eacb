// Progress and previews (DESIGN W8): lossy, coalesced, latest wins. Nothing here is ever part of the record.
import { EventEmitter } from "node:events";
import { type ArtifactRef, BUS } from "@spindle/schemas";
import type { NotRunning } from "./why-not-running.ts";

export interface Live {
  node: string;
  /** It runs as part of a region, so that its row says nothing of it until the region is over. */
  inRegion?: true;
  /** 0 to 1. */
  progress?: number;
  step?: number;
  steps?: number;
  note?: string;
  text?: string;
  preview?: ArtifactRef;
  /** The bytes of a small preview in base64, given once with it: a page that watches needs no request for them. */
  frame?: string;
  /** The previews that are kept, the oldest first: a page that comes later can look back at them. */
  previews?: readonly ArtifactRef[];
  /** Why it is not running, where it waits for more than other nodes; what its worker reports ends that. */
  notRunning?: NotRunning | undefined;
  /** Milliseconds; only once enough was measured. */
  remaining?: number;
}

const MEASURED_AFTER = 0.05;

/** How many previews of a node run are kept, because browsers may still be loading the older ones. */
export const PREVIEWS_KEPT = 8;

interface Entry {
  live: Live;
  /** When progress was first reported. */
  since: number | undefined;
  timer?: NodeJS.Timeout | undefined;
  sentAt: number;
}

export class LiveBoard {
  private readonly runs = new Map<string, Map<string, Entry>>();
  readonly changed = new EventEmitter().setMaxListeners(0);

  update(run: string, node: string, news: Omit<Live, "node" | "previews">): void {
    const nodes = this.runs.get(run) ?? new Map<string, Entry>();
    this.runs.set(run, nodes);
    const entry = nodes.get(node) ?? { live: { node }, since: undefined, sentAt: 0 };
    nodes.set(node, entry);
    const progress = Math.max(entry.live.progress ?? 0, news.progress ?? 0);
    const previews = news.preview && [...(entry.live.previews ?? []), news.preview].slice(-PREVIEWS_KEPT);
    entry.live = {
      ...entry.live,
      notRunning: undefined,
      ...(news.preview ? { frame: undefined } : {}),
      ...news,
      ...(news.progress !== undefined ? { progress } : {}),
      ...(previews ? { previews } : {}),
    };
    if (news.progress !== undefined) entry.since ??= Date.now();
    const spent = Date.now() - (entry.since ?? Date.now());
    if (progress >= MEASURED_AFTER && progress < 1) entry.live.remaining = Math.round((spent / progress) * (1 - progress));
    entry.timer ??= setTimeout(() => this.send(run, entry), Math.max(0, entry.sentAt + BUS.coalesce.liveMs - Date.now()));
  }

  private send(run: string, entry: Entry): void {
    entry.timer = undefined;
    entry.sentAt = Date.now();
    const { frame, ...live } = entry.live;
    entry.live = live;
    this.changed.emit(run, frame === undefined ? live : { ...live, frame });
  }

  /** A new try starts from nothing. */
  reset(run: string, node: string): void {
    const entry = this.runs.get(run)?.get(node);
    clearTimeout(entry?.timer);
    this.runs.get(run)?.delete(node);
  }

  of(run: string): Live[] {
    return [...(this.runs.get(run)?.values() ?? [])].map(({ live: { frame: _, ...live } }) => live);
  }

  forget(run: string): void {
    for (const node of this.runs.get(run)?.keys() ?? []) this.reset(run, node);
    this.runs.delete(run);
  }
}

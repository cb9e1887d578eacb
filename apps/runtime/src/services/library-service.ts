// What the planes offer now (DESIGN M2): this plane's own manifest, and what the workers last reported over Redis.
import { EventEmitter } from "node:events";
import type { Library } from "@spindle/graph-model";
import { makeLibrary, mergeManifests } from "@spindle/node-library";
import { committedManifests } from "@spindle/node-library/manifests";
import { type CombinedManifest, type PlaneManifest, validatePlaneManifest } from "@spindle/schemas";
import { names } from "@spindle/task-bus";
import type { Redis } from "ioredis";
import type { Config } from "../config.ts";
import type { NodeRegistry } from "../nodes/registry.ts";

const WORKERS_EVERY_MS = 1000;
const OWN_EVERY_MS = 15_000;

export class LibraryService {
  readonly changed = new EventEmitter().setMaxListeners(0);
  private node: PlaneManifest = committedManifests.node;
  private python: PlaneManifest = committedManifests.python;
  private pythonLive = false;
  private merged: CombinedManifest;
  private made: Library;
  private timers: NodeJS.Timeout[] = [];

  constructor(
    private readonly redis: Redis,
    private readonly registry: NodeRegistry,
    private readonly models: Config["models"],
  ) {
    this.merged = this.merge();
    this.made = makeLibrary(this.merged.capabilities);
  }

  async start(): Promise<void> {
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

  get workersLive(): boolean {
    return this.pythonLive;
  }

  private async lookAtOwn(): Promise<void> {
    this.node = await this.registry.manifest(this.models, new Date());
    this.refresh();
  }

  private async lookAtWorkers(): Promise<void> {
    const text = await this.redis.get(names.manifest("python")).catch(() => undefined);
    if (text === undefined) return; // Redis is away: that says nothing about the workers
    const found: unknown = text === null ? undefined : JSON.parse(text);
    this.pythonLive = validatePlaneManifest(found);
    if (validatePlaneManifest(found)) this.python = found;
    this.refresh();
  }

  private merge(): CombinedManifest {
    return mergeManifests(
      { node: { manifest: this.node, live: true }, python: { manifest: this.python, live: this.pythonLive } },
      new Date(),
    );
  }

  private refresh(): void {
    const next = this.merge();
    if (JSON.stringify(next.capabilities) === JSON.stringify(this.merged.capabilities)) return;
    this.merged = next;
    this.made = makeLibrary(next.capabilities);
    this.changed.emit("changed");
  }
}

import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import type { Redis } from "ioredis";
import { describe, expect, test } from "vitest";
import type { ObjectStore } from "../artifacts/store.ts";
import { ComfyBridges } from "./comfy-bridges.ts";
import { KeptManifests } from "./kept-manifests.ts";

/** Bridges that say which servers they have, or are gone. */
class World {
  private readonly manifests = new Map<string, string>();
  private readonly present = new Map<string, string>();
  readonly removed: string[] = [];
  readonly kept = new KeptManifests({ query: async () => ({ rows: [], rowCount: 1 }) } as never);
  readonly bridges: ComfyBridges;

  constructor() {
    const redis = {
      smembers: async () => [...this.present.keys()],
      mget: async () => [...this.present.values()],
    } as unknown as Redis;
    const store = {
      get: async (key: string) => Readable.from([Buffer.from(this.manifests.get(key) ?? "")]),
      put: async (key: string, bytes: Buffer) => void this.manifests.set(key, String(bytes)),
      remove: async (key: string) => void this.removed.push(key),
    } as unknown as ObjectStore;
    this.bridges = new ComfyBridges(redis, store, this.kept);
  }

  async says(bridge: string, ...servers: string[]): Promise<void> {
    const engines = servers.map((id) => ({ id, label: id, plane: "comfy", draft: false, live: true }));
    const io = { input: { type: "object", properties: {} }, output: { type: "object", properties: {} } };
    const capability = { id: "Load", label: "Load", description: "", version: "1", plane: "comfy", runtime: {}, handler: {}, io, engines };
    const text = Buffer.from(JSON.stringify([capability]));
    await this.bridges.put(bridge, "manifest", [], text);
    this.present.set(bridge, JSON.stringify({ sha256: createHash("sha256").update(text).digest("hex") }));
  }

  goes(bridge: string): void {
    this.present.delete(bridge);
  }

  get keptNames(): string[] {
    return this.kept.of("comfy").map(({ worker }) => worker);
  }

  get servers(): string[] {
    const capabilities = this.bridges.manifest?.capabilities ?? [];
    return capabilities.flatMap(({ engines = [] }) => engines.map(({ id }) => id)).sort();
  }
}

describe("[M2] a bridge to ComfyUI that does not answer", () => {
  test("is forgotten once others have all of its servers, under which it was started again", async () => {
    const world = new World();
    await world.says("before", "one", "two");
    await world.bridges.refresh();
    expect([world.servers, world.keptNames]).toEqual([["one", "two"], ["before"]]);
    world.goes("before");
    await world.says("after", "one");
    await world.bridges.refresh();
    expect([world.servers, world.keptNames], "nobody else has the other server").toEqual([
      ["one", "two"],
      ["before", "after"],
    ]);
    await world.says("beside", "two", "three");
    await world.bridges.refresh();
    await expect.poll(() => world.keptNames).toEqual(["after", "beside"]);
    await expect.poll(() => world.removed).toHaveLength(2);
    await world.bridges.refresh();
    expect(world.servers).toEqual(["one", "three", "two"]);
    expect(world.keptNames).toEqual(["after", "beside"]);
  });

  test("stays while it answers, whoever else has its servers", async () => {
    const world = new World();
    for (const bridge of ["a", "b"]) await world.says(bridge, "one");
    for (let time = 0; time < 2; time++) await world.bridges.refresh();
    expect(world.keptNames).toEqual(["a", "b"]);
  });

  test("stays beside a replaced one of which it has nothing", async () => {
    const world = new World();
    await world.says("a", "one");
    await world.says("b", "two");
    await world.bridges.refresh();
    for (const bridge of ["a", "b"]) world.goes(bridge);
    await world.bridges.refresh();
    expect(world.keptNames).toEqual(["a", "b"]);
    expect(world.servers).toEqual(["one", "two"]);
  });
});

import type { Redis } from "ioredis";
import { expect, test } from "vitest";
import type { ObjectStore } from "../artifacts/store.ts";
import { readConfig } from "../config.ts";
import type { NodeRegistry } from "../nodes/registry.ts";
import { Blueprints } from "./blueprints.ts";
import { KeptManifests } from "./kept-manifests.ts";
import { LibraryService } from "./library-service.ts";

const nonCommercial = (setting: Record<string, string>) => {
  const config = readConfig({
    DATABASE_URL: "postgresql://127.0.0.1/none",
    REDIS_URL: "redis://127.0.0.1",
    SPINDLE_WORKER_KEY: "k".repeat(32),
    ...setting,
  });
  const [redis, registry, store] = [{} as Redis, {} as NodeRegistry, {} as ObjectStore]; // none is asked before the start
  const { capabilities } = new LibraryService(
    redis,
    registry,
    config.models,
    store,
    new KeptManifests({} as never),
    new Blueprints({ query: async () => ({ rows: [] }) } as never, []),
    config,
  ).manifest();
  return capabilities.flatMap(({ engines = [] }) =>
    engines.filter(({ commercial }) => commercial === false).map(({ id, auto }) => [id, auto]),
  );
};

test("[M4] the setting for commercial use keeps engines that forbid it from being chosen, in any usual word", () => {
  for (const word of ["1", "true", "TRUE", "yes", " on "])
    expect(nonCommercial({ SPINDLE_COMMERCIAL_USE: word })).toContainEqual(["f5-tts", false]);
  for (const word of ["", "0", "false", "No", "off"])
    expect(nonCommercial({ SPINDLE_COMMERCIAL_USE: word })).toContainEqual(["f5-tts", undefined]);
  expect(nonCommercial({})).toContainEqual(["f5-tts", undefined]);
  expect(() => nonCommercial({ SPINDLE_COMMERCIAL_USE: "maybe" })).toThrow(
    'SPINDLE_COMMERCIAL_USE: "maybe" is neither yes nor no. Write 1, true, yes or on, or 0, false, no or off.',
  );
});

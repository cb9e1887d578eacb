import { defineConfig } from "vitest/config";

// `expect.poll` waits for a state as `until` does. Its own second is too short for a page that loads on two busy cores.
const expect = { poll: { timeout: 30_000 } };
/** The files of these projects share a PostgreSQL; the slow ones end theirs. */
const globalSetup = ["tests/support/postgres.ts"];
const common = { pool: "forks" as const, testTimeout: 120_000, hookTimeout: 240_000, expect };

export default defineConfig({
  test: {
    projects: [
      { test: { ...common, name: "unit", include: ["{schemas,packages,apps,infra,workers}/**/*.test.ts", "tests/house/*.test.ts"] } },
      { test: { ...common, name: "integration", globalSetup, include: ["tests/integration/*.test.ts"] } },
      { test: { ...common, name: "e2e", globalSetup, include: ["tests/e2e/*.test.ts"], fileParallelism: false, testTimeout: 240_000 } },
      {
        test: { ...common, name: "editor", globalSetup, include: ["tests/editor/*.test.ts"], fileParallelism: false, testTimeout: 240_000 },
      },
      {
        test: {
          ...common,
          name: "hostile",
          globalSetup,
          include: ["tests/hostile/*.test.ts"],
          fileParallelism: false,
          testTimeout: 240_000,
        },
      },
      { test: { ...common, name: "engines", include: ["tests/engines/*.test.ts"], testTimeout: 600_000 } },
      { test: { ...common, name: "slow", include: ["tests/slow/*.test.ts"], fileParallelism: false, testTimeout: 300_000 } },
    ],
  },
});

import { defineConfig } from "vitest/config";

const common = { pool: "forks" as const, testTimeout: 120_000, hookTimeout: 240_000 };

export default defineConfig({
  test: {
    projects: [
      { test: { ...common, name: "unit", include: ["{schemas,packages,apps,infra,workers}/**/*.test.ts", "tests/house/*.test.ts"] } },
      { test: { ...common, name: "integration", include: ["tests/integration/*.test.ts"], fileParallelism: false } },
      { test: { ...common, name: "e2e", include: ["tests/e2e/*.test.ts"], fileParallelism: false, testTimeout: 240_000 } },
      { test: { ...common, name: "slow", include: ["tests/slow/*.test.ts"], fileParallelism: false, testTimeout: 300_000 } },
    ],
  },
});

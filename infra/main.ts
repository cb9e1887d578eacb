// What the npm scripts do, once the packages are there.
import { Advice, say } from "./launch/say.ts";

const TASKS: Record<string, (args: string[]) => Promise<number>> = {
  start: async () => (await import("./launch/start.ts")).start({ dev: false }),
  dev: async () => (await import("./launch/start.ts")).start({ dev: true }),
  gen: async () => (await import("./check/check.ts")).gen(),
  check: async () => (await import("./check/check.ts")).check(),
  fix: async () => (await import("./check/check.ts")).fix(),
  test: async (args) => (await import("./check/test.ts")).test(args),
  e2e: async () => (await import("./check/test.ts")).test(["--only", "e2e"]),
  demo: async () => (await import("./launch/demo.ts")).demo(),
  bench: async (args) => (await import("./bench/main.ts")).bench(args),
};

const [task = "", ...args] = process.argv.slice(2);
try {
  const run = TASKS[task];
  if (!run) throw new Advice(`There is no task ${JSON.stringify(task)}. There are: ${Object.keys(TASKS).join(", ")}.`);
  process.exit(await run(args));
} catch (error) {
  say(error instanceof Advice ? error.message : ((error as Error).stack ?? String(error)));
  process.exit(1);
}

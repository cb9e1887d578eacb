// Faults of the way between processes, and of what they stand on: latency, cuts, black holes, lost replies, wrong clocks, a full disk, a
// bus that lost its tail. Each time the run ends as it would have, and no invariant is broken.
import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "../../infra/launch/paths.ts";
import { FaultHarness } from "../support/fault-harness.ts";
import { FaultProxy, type Weather } from "../support/fault-proxy.ts";
import { brokenInvariants, type History } from "../support/invariants.ts";
import { ended, graphOf, type Spindle, startSpindle, submit, until, wait, wire } from "../support/spindle.ts";

const program = process.env.SPINDLE_MINIO;
const LINKS = ["runtime to PostgreSQL", "runtime to Redis", "worker to Redis", "worker to runtime", "everyone to the store"] as const;
type Link = (typeof LINKS)[number];

describe.runIf(program)("the way between processes", () => {
  let harness: FaultHarness;
  let links: Record<Link, FaultProxy>;
  beforeAll(async () => {
    const link = async (upstream: string | undefined) => FaultProxy.start(upstream as string);
    harness = await FaultHarness.start(program as string, {
      async route(env) {
        links = {
          "runtime to PostgreSQL": await link(env.DATABASE_URL),
          "runtime to Redis": await link(env.REDIS_URL),
          "worker to Redis": await link(env.REDIS_URL),
          "worker to runtime": await link(env.SPINDLE_RUNTIME_URL),
          "everyone to the store": await link(env.S3_ENDPOINT),
        };
        const store = links["everyone to the store"].url;
        return {
          runtime: { DATABASE_URL: links["runtime to PostgreSQL"].url, REDIS_URL: links["runtime to Redis"].url, S3_ENDPOINT: store },
          worker: { REDIS_URL: links["worker to Redis"].url, SPINDLE_RUNTIME_URL: links["worker to runtime"].url },
        };
      },
    });
  });
  afterAll(async () => {
    await harness?.stop();
    for (const proxy of Object.values(links ?? {})) await proxy.stop();
  });

  const whole = (history: History, untouched = false) => {
    expect(brokenInvariants(history, untouched)).toEqual([]);
    expect(history.state).toBe("succeeded");
  };

  test.each(LINKS.map((link) => [link] as const))("%s: 60 ms more each way", async (link) => {
    await during({ [link]: { latencyMs: 60 } }, async () => whole(await harness.history(await harness.submit(`slow ${link}`))));
  });

  test.each(LINKS.flatMap((link) => (["down", "blackHole"] as const).map((how) => [link, how] as const)))(
    "[W5] %s: %s while a node works, for longer than its lease",
    async (link, how) => {
      await harness.wholesome();
      await harness.arm("beforeNode");
      const run = await harness.submit(`${how} ${link}`);
      await harness.reached("beforeNode");
      await during({ [link]: { [how]: true } }, async () => {
        await harness.release();
        await new Promise((resolve) => setTimeout(resolve, 2500));
      });
      // A worker that can renew its lease and reach the runtime is not tried again for others' sake.
      whole(await harness.history(run), link === "runtime to Redis");
    },
  );

  test("everywhere one reply in twenty is lost after the request was carried out: ten runs end whole", async () => {
    await harness.wholesome();
    const weather = Object.fromEntries(LINKS.map((link) => [link, { dropReplies: 0.05 }]));
    const runs: string[] = [];
    await during(weather, async () => {
      for (let i = 0; i < 10; i++) runs.push(await harness.submit(`lossy ${i}`));
      await Promise.all(runs.map((run) => harness.history(run)));
    });
    for (const run of runs) whole(await harness.history(run));
    expect(Object.values(links).reduce((sum, { dropped }) => sum + dropped, 0)).toBeGreaterThan(10);
  });

  async function during(weather: Partial<Record<Link, Weather>>, act: () => Promise<void>): Promise<void> {
    for (const [link, condition] of Object.entries(weather)) links[link as Link].set(condition);
    try {
      await act();
    } finally {
      for (const proxy of Object.values(links)) proxy.set({});
    }
  }
});

describe("clocks that are wrong", () => {
  const HOUR = 3_600_000;
  test.each([
    ["the runtime's an hour ahead", { runtime: HOUR }],
    ["the runtime's an hour behind", { runtime: -HOUR }],
    ["the worker's an hour ahead", { worker: HOUR }],
    ["the worker's an hour behind", { worker: -HOUR }],
  ] as [string, { runtime?: number; worker?: number }][])(
    "%s: nothing is late, and nothing twice",
    async (_, { runtime = 0, worker = 0 }) => {
      const folder = join(ROOT, "tests/support/clock");
      const spindle = await startSpindle({
        route: async (env) => ({
          runtime: { CLOCK_SHIFT_MS: String(runtime), NODE_OPTIONS: `${env.NODE_OPTIONS} --import ${join(folder, "shift.mjs")}` },
          worker: { CLOCK_SHIFT_MS: String(worker), PYTHONPATH: folder },
        }),
      });
      try {
        const { body } = await submit(spindle.url, timed());
        const run = await ended(spindle.url, body.run);
        expect(run.state, JSON.stringify(run.error)).toBe("succeeded");
        expect(run.nodes.map((nodeRun) => nodeRun.attempt)).toEqual([1, 1]);
      } finally {
        await spindle.stop();
      }
    },
  );
});

describe("what processes stand on", () => {
  let spindle: Spindle;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "spindle-disk-"));
    spindle = await startSpindle();
  });
  afterAll(async () => {
    await spindle?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  test("a Redis that lost the tail of its log: the run goes on", async () => {
    const { body } = await submit(spindle.url, timed(1.5));
    await until(async () => (await state(body.run)) === "running", 60_000, "it runs");
    const redis = spindle.processes.redis?.pid as number;
    process.kill(redis, "SIGSTOP"); // nothing more is written while the tail is cut
    const logs = join(spindle.home, "redis/appendonlydir");
    const tail = (await readdir(logs)).find((one) => one.endsWith(".incr.aof")) as string;
    const { size } = await stat(join(logs, tail));
    await truncate(join(logs, tail), Math.floor(size / 2));
    process.kill(redis, "SIGKILL");
    const run = await ended(spindle.url, body.run);
    expect(run.state, JSON.stringify(run.error)).toBe("succeeded");
  });

  const mounts = canMount();
  test.runIf(mounts)("a Redis whose disk is full: work waits in PostgreSQL, and goes on when there is room", async () => {
    const disk = join(folder, "redis");
    await mkdir(disk);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m", "tmpfs", disk]);
    const small = await startSpindle({ redis: disk });
    try {
      const before = (await submit(small.url, timed())).body.run;
      expect((await ended(small.url, before)).state).toBe("succeeded");
      await writeFile(join(disk, "filler"), Buffer.alloc(64 << 20)).catch(() => {}); // until there is no room
      const { status, body } = await submit(small.url, timed());
      expect(status, "PostgreSQL has room, so the run is accepted").toBe(202);
      await new Promise((resolve) => setTimeout(resolve, 4000));
      await rm(join(disk, "filler"));
      const run = await ended(small.url, body.run);
      expect(run.state, JSON.stringify(run.error)).toBe("succeeded");
    } finally {
      await small.stop();
      execFileSync("umount", ["-l", disk]);
    }
  });

  const state = async (run: string) =>
    ((await (await fetch(`${spindle.url}/api/runs/${run}`)).json()) as { nodes: { node: string; state: string }[] }).nodes.find(
      (node) => node.node === "first",
    )?.state;
});

/** Two tasks with a time-out each. */
const timed = (seconds = 0.3) =>
  graphOf([wait("first", { seconds }), wait("second", { seconds: 0 })], [wire("first", "value", "second", "value")], {
    nodes: { first: { timeoutSeconds: 60 }, second: { timeoutSeconds: 60 } },
  });

function canMount(): boolean {
  try {
    const probe = execFileSync("mktemp", ["-d"], { encoding: "utf8" }).trim();
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", probe], { stdio: "ignore" });
    execFileSync("umount", [probe]);
    return true;
  } catch {
    return false; // only root may
  }
}

// The fault matrix: at each of twelve points of a run's way each of six processes is killed; whatever it was, the run ends as it would
// have, and no invariant is broken. A failure names its cell; SPINDLE_FAULT_CELLS="P3 redis" runs one alone, SPINDLE_FAULT_SEEDS=20 the
// whole 20 times.
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { s3Store } from "../../apps/runtime/src/artifacts/s3-store.ts";
import type { ObjectStore } from "../../apps/runtime/src/artifacts/store.ts";
import { type Minio, startMinio } from "../../infra/launch/minio.ts";
import { brokenInvariants, type History, readHistory } from "../support/invariants.ts";
import { graphOf, health, node, type Spindle, startSpindle, submit, until, wait, wire } from "../support/spindle.ts";

const program = process.env.SPINDLE_MINIO;
const POINTS = ["P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8", "P9", "P10", "P11", "P12"];
const VICTIMS = ["runtime", "child", "supervisor", "redis", "postgres", "store"] as const;
/** More than one: later kills, each a little after the point, at a moment that the seed decides. */
const SEEDS = Array.from({ length: Number(process.env.SPINDLE_FAULT_SEEDS ?? 1) }, (_, seed) => seed);
const only = process.env.SPINDLE_FAULT_CELLS?.split(",");
const CELLS = SEEDS.flatMap((seed) => POINTS.flatMap((point) => VICTIMS.map((victim) => [point, victim, seed] as const))).filter(
  ([point, victim]) => !only || only.includes(`${point} ${victim}`),
);

describe.runIf(program)("the fault matrix", () => {
  let folder: string;
  let points: string;
  let minio: Minio;
  let spindle: Spindle;
  let store: ObjectStore;
  let db: pg.Pool;
  let last: History | undefined;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "spindle-faults-"));
    points = join(folder, "points");
    await mkdir(points);
    minio = await startMinio(program as string, join(folder, "minio"));
    spindle = await startSpindle({
      env: {
        ...minio.env,
        NODE_ENV: "test",
        SPINDLE_CRASH_POINTS: points,
        SPINDLE_LEASE_MS: "1500",
        SPINDLE_BEAT_MS: "300",
        SPINDLE_RUN_LEASE_MS: "1500",
      },
    });
    const { S3_ENDPOINT, S3_BUCKET, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY } = minio.env as Record<string, string>;
    store = await s3Store({
      endpoint: S3_ENDPOINT ?? "",
      bucket: S3_BUCKET ?? "",
      region: "us-east-1",
      accessKeyId: S3_ACCESS_KEY_ID ?? "",
      secretAccessKey: S3_SECRET_ACCESS_KEY ?? "",
    });
    db = new pg.Pool({ connectionString: spindle.env.DATABASE_URL as string });
    db.on("error", () => {});
  });
  afterAll(async () => {
    await db?.end();
    await spindle?.stop();
    await minio?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const victims: Record<(typeof VICTIMS)[number], () => (number | undefined)[]> = {
    runtime: () => [spindle.processes.runtime?.pid],
    child: () => children(spindle.processes.worker?.pid),
    supervisor: () => [spindle.processes.worker?.pid],
    redis: () => [spindle.processes.redis?.pid],
    postgres: () => [spindle.processes.postgres?.pid],
    store: () => [minio.pid],
  };

  test.each(CELLS)("at %s, kill -9 of %s (seed %i)", async (point, victim, seed) => {
    await until(async () => (await health(spindle.url)).status === "up", 30_000, "everything is up");
    for (const file of ["armed", "reached", "go"]) await rm(join(points, file), { force: true });
    await writeFile(join(points, "armed"), point);
    const title = `${point} ${victim} ${Date.now()}`;
    const asked = submit(spindle.url, { ...graph(title), workflowId: title }).catch(() => undefined);
    await until(async () => existsSync(join(points, "reached")), 20_000, `${point} is reached`);
    if (seed > 0) {
      await writeFile(join(points, "go"), "");
      await new Promise((resolve) => setTimeout(resolve, later(seed)));
    }
    for (const pid of victims[victim]()) if (pid) process.kill(pid, "SIGKILL");
    await writeFile(join(points, "go"), "");
    await asked;
    const run = await until(
      async () => (await db.query<{ id: string }>("SELECT id FROM run WHERE title = $1", [title])).rows[0]?.id,
      20_000,
      "the run was accepted",
    );
    await until(
      async () =>
        ["succeeded", "failed", "cancelled"].includes(
          (await db.query<{ state: string }>("SELECT state FROM run WHERE id = $1", [run])).rows[0]?.state ?? "",
        ),
      60_000,
      "the run ends",
    );
    await until(async () => (await health(spindle.url)).parts.store === "up", 30_000, "the store is back");
    last = await readHistory(db, store, run);
    expect(brokenInvariants(last)).toEqual([]);
    expect(last.state).toBe("succeeded");
  });

  test("breaking each invariant by hand is seen: the checker has teeth", () => {
    const good = last as History;
    const [a] = good.artifacts;
    const [n] = good.nodes.filter((one) => one.result_fence !== null);
    const succeeded = good.events.find((one) => one.type === "node.succeeded") as History["events"][number];
    const broken: [string, History][] = [
      ["I1", { ...good, events: [...good.events, { ...succeeded, seq: good.events.length + 1 }] }],
      ["I2", { ...good, state: "running" }],
      ["I2", { ...good, nodes: good.nodes.map((one) => (one === n ? { ...one, state: "dispatched" } : one)) }],
      ["I3", { ...good, edges: good.edges.map(({ from, to }) => ({ from: to, to: from })) }],
      ["I4", { ...good, artifacts: [{ ...(a as History["artifacts"][number]), stored: undefined }] }],
      ["I4", { ...good, orphans: [`output/run/${n?.id}/${n?.result_fence}/x`] }],
      ["I5", { ...good, nodes: good.nodes.map((one) => (one === n ? { ...one, fence: one.fence + 1 } : one)) }],
      ["I6", { ...good, events: good.events.slice(1) }],
    ];
    for (const [invariant, history] of broken)
      expect(
        brokenInvariants(history).some((one) => one.startsWith(invariant)),
        invariant,
      ).toBe(true);
  });
});

/** Milliseconds, the same for a seed each time. */
const later = (seed: number): number => (Math.imul(seed, 2654435761) >>> 0) % 400;

/** Two tasks in a row, the first with an artifact. */
const graph = (words: string) =>
  graphOf(
    [
      node("say", "generate.f5_to_tts", { narration: `Point ${words}.` }, "python"),
      wait("think", { seconds: 0.05 }),
      node("look", "output.preview"),
    ],
    [wire("say", "audioArtifact", "think", "value"), wire("think", "value", "look", "value")],
  );

function children(pid: number | undefined): number[] {
  try {
    return execFileSync("pgrep", ["-P", String(pid)], { encoding: "utf8" })
      .trim()
      .split("\n")
      .map(Number);
  } catch {
    return []; // it has none now
  }
}

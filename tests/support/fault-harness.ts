// A Spindle whose processes can be stopped at named points of a run, with MinIO, and what became of its runs (invariants.ts).
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { s3Store } from "../../apps/runtime/src/artifacts/s3-store.ts";
import type { ObjectStore } from "../../apps/runtime/src/artifacts/store.ts";
import { type Minio, startMinio } from "../../infra/launch/minio.ts";
import type { StackOptions } from "../../infra/launch/stack.ts";
import { isEndedRunState } from "../../schemas/generated/index.ts";
import { DeviceTrace } from "./device-trace.ts";
import { type History, readHistory } from "./invariants.ts";
import { childrenOf } from "./processes.ts";
import { graphOf, health, node, type Spindle, startSpindle, submit, until, wait, wire } from "./spindle.ts";

/** How long a run may take to its end; a deliberately broken build is not waited for that long. */
const PATIENCE_MS = Number(process.env.SPINDLE_FAULT_PATIENCE_MS ?? 60_000);

export class FaultHarness {
  private constructor(
    readonly spindle: Spindle,
    readonly minio: Minio,
    readonly db: pg.Pool,
    private readonly store: ObjectStore,
    private readonly folder: string,
    private readonly trace: DeviceTrace,
  ) {}

  /** @param program MinIO's */
  static async start(program: string, options: Pick<StackOptions, "env" | "route"> = {}): Promise<FaultHarness> {
    const folder = await mkdtemp(join(tmpdir(), "spindle-faults-"));
    await mkdir(join(folder, "points"));
    const minio = await startMinio(program, join(folder, "minio"));
    const trace = new DeviceTrace();
    const spindle = await startSpindle({
      env: {
        ...minio.env,
        NODE_ENV: "test",
        SPINDLE_CRASH_POINTS: join(folder, "points"),
        SPINDLE_LEASE_MS: "1500",
        SPINDLE_BEAT_MS: "300",
        SPINDLE_RUN_LEASE_MS: "1500",
        SPINDLE_TRACE: trace.mark,
        ...options.env,
      },
      ...(options.route ? { route: options.route } : {}),
    });
    const { S3_ENDPOINT, S3_BUCKET, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY } = minio.env as Record<string, string>;
    const store = await s3Store({
      endpoint: S3_ENDPOINT ?? "",
      bucket: S3_BUCKET ?? "",
      region: "us-east-1",
      accessKeyId: S3_ACCESS_KEY_ID ?? "",
      secretAccessKey: S3_SECRET_ACCESS_KEY ?? "",
    });
    const db = new pg.Pool({ connectionString: spindle.env.DATABASE_URL as string });
    db.on("error", () => {});
    trace.start();
    return new FaultHarness(spindle, minio, db, store, folder, trace);
  }

  async stop(): Promise<void> {
    this.trace.stop();
    await this.db.end();
    await this.spindle.stop();
    await this.minio.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  /** The next process that comes to the point waits there until `release`, five seconds at most. */
  async arm(point: string): Promise<void> {
    for (const file of ["armed", "reached", "go"]) await rm(this.point(file), { force: true });
    await writeFile(this.point("armed"), point);
  }

  async reached(point: string): Promise<void> {
    await until(async () => existsSync(this.point("reached")), 20_000, `${point} is reached`);
  }

  release(): Promise<void> {
    return writeFile(this.point("go"), "");
  }

  private point(file: string): string {
    return join(this.folder, "points", file);
  }

  wholesome(): Promise<unknown> {
    return until(async () => (await health(this.spindle.url)).status === "up", 30_000, "everything is up");
  }

  /**
   * Accepted even if nobody is left to say so; and asked for again, as a person would, where it was not.
   * @returns what the database calls it
   */
  submit(title: string, graph: object = twoTasks(title)): Promise<string> {
    const accepted = async () => (await this.db.query<{ id: string }>("SELECT id FROM run WHERE title = $1", [title])).rows[0]?.id;
    const patiently = () => until(accepted, 3000, "the run was accepted").catch(() => undefined);
    return until(
      async () => {
        const answer = await submit(this.spindle.url, { ...graph, workflowId: title }).catch(() => undefined);
        return answer?.status === 202 ? answer.body.run : patiently();
      },
      30_000,
      "the run was accepted",
    );
  }

  /** What is known of a run once it ended, or once it was waited for long enough. */
  async history(run: string): Promise<History> {
    const state = async () => (await this.db.query<{ state: string }>("SELECT state FROM run WHERE id = $1", [run])).rows[0]?.state ?? "";
    await until(async () => isEndedRunState(await state()), PATIENCE_MS, "the run ends").catch(() => {});
    await until(async () => (await health(this.spindle.url)).parts.store === "up", 30_000, "the store is back");
    return { ...(await readHistory(this.db, this.store, run)), doubles: this.trace.doubles };
  }

  children(): number[] {
    return childrenOf(this.spindle.processes.worker?.pid);
  }

  engines(): number[] {
    return this.trace.engines;
  }
}

/** Two tasks in a row, the first with an artifact, the second in an engine's process, which stays for the next run. */
export const twoTasks = (words: string) =>
  graphOf(
    [
      node("say", "generate.f5_to_tts", { narration: `Point ${words}.` }, "python"),
      wait("think", { seconds: 0.05 }),
      node("look", "output.preview"),
    ],
    [wire("say", "audioArtifact", "think", "value"), wire("think", "value", "look", "value")],
    { nodes: { think: { engine: "process" } } },
  );

// What is known of the stores that everything lies in: for /health, for /metrics, and for the page System.
import { statfs } from "node:fs/promises";
import { whyRedisUnfit } from "@spindle/task-bus";
import type { Redis } from "ioredis";
import { storeName } from "../artifacts/open-store.ts";
import type { ObjectStore } from "../artifacts/store.ts";
import { askedOnce } from "../asked-once.ts";
import type { Config } from "../config.ts";
import type { Database } from "../store/database.ts";
import type { LibraryService } from "./library-service.ts";

const PATIENCE_MS = 1500;
const ARTIFACTS_SQL = "SELECT purpose, count(*)::int AS files, COALESCE(sum(size), 0)::float8 AS bytes FROM artifact GROUP BY 1 ORDER BY 1";
/** For so long an answer stands for which the database reads all rows of artifacts, or asks for the size of each of its files. */
const SIZES_MS = 15_000;

export interface StoredArtifacts {
  purpose: string;
  files: number;
  bytes: number;
}

export interface StoreView {
  id: "postgres" | "redis" | "store";
  label: string;
  /** `up`, or `down:` and why. */
  state: string;
  version: string | null;
  /** That it uses; null while it cannot be asked. */
  bytes: number | null;
  /** That it may use; null without a limit. */
  most: number | null;
  /** Artifacts in it; null of another store. */
  files: number | null;
  /** The disk that it lies on, where that is this machine's. */
  disk: { free: number; total: number } | null;
}

export class Stores {
  readonly artifacts: () => Promise<StoredArtifacts[]>;
  /** Of the disk of SPINDLE_HOME, in bytes. */
  readonly disk: () => Promise<{ free: number; total: number }>;
  private readonly databaseSize: () => Promise<{ version: string; bytes: number }>;

  constructor(
    private readonly parts: {
      db: Pick<Database, "pool">;
      redis: Redis;
      store: ObjectStore;
      library: Pick<LibraryService, "pythonState" | "comfyState">;
      config: Pick<Config, "home" | "s3">;
    },
  ) {
    const { db, config } = parts;
    this.artifacts = askedOnce(async () => (await db.pool.query<StoredArtifacts>(ARTIFACTS_SQL)).rows, SIZES_MS);
    this.databaseSize = askedOnce(async () => {
      const text = "SELECT current_setting('server_version') AS version, pg_database_size(current_database())::float8 AS bytes";
      return (await db.pool.query<{ version: string; bytes: number }>(text)).rows[0] as { version: string; bytes: number };
    }, SIZES_MS);
    this.disk = askedOnce(async () => {
      const { bavail, blocks, bsize } = await statfs(config.home);
      return { free: bavail * bsize, total: blocks * bsize };
    }, 0);
  }

  /** What is up, by part. */
  async health() {
    const { db, redis, store, library } = this.parts;
    const [postgres, ofRedis, ofStore] = await Promise.all([
      state(() => db.pool.query("SELECT 1")),
      state(async () => {
        const why = await whyRedisUnfit(redis);
        if (why) throw new Error(why);
      }),
      state(() => store.check()),
    ]);
    const comfy = library.comfyState === undefined ? {} : { comfy: library.comfyState };
    return { postgres, redis: ofRedis, store: ofStore, python: library.pythonState, ...comfy };
  }

  /** What is down leaves its figures out, and holds up nobody. */
  async view(): Promise<StoreView[]> {
    const [health, database, redis, artifacts, disk] = await Promise.all([
      this.health(),
      late(this.databaseSize()),
      late(this.redisFacts()),
      late(this.artifacts()),
      late(this.disk()),
    ]);
    return [
      {
        id: "postgres",
        label: "PostgreSQL",
        state: health.postgres,
        version: database?.version.split(" ")[0] ?? null,
        bytes: database?.bytes ?? null,
        most: null,
        files: null,
        disk: null,
      },
      {
        id: "redis",
        label: "Redis",
        state: health.redis,
        version: redis?.version ?? null,
        bytes: redis?.bytes ?? null,
        most: redis?.most || null,
        files: null,
        disk: null,
      },
      {
        id: "store",
        label: `Objects in ${storeName(this.parts.config)}`,
        state: health.store,
        version: null,
        bytes: artifacts?.reduce((all, each) => all + each.bytes, 0) ?? null,
        most: null,
        files: artifacts?.reduce((all, each) => all + each.files, 0) ?? null,
        disk: (this.parts.config.s3 ? undefined : disk) ?? null,
      },
    ];
  }

  private async redisFacts(): Promise<{ version: string | null; bytes: number | null; most: number }> {
    const said = `${await this.parts.redis.info("server")}\n${await this.parts.redis.info("memory")}`;
    const fact = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(said)?.[1];
    const used = fact("used_memory");
    return {
      version: fact("valkey_version") ?? fact("redis_version") ?? null,
      bytes: used === undefined ? null : Number(used),
      most: Number(fact("maxmemory") ?? 0),
    };
  }
}

const timeout = (): Promise<never> =>
  new Promise((_, reject) => setTimeout(() => reject(new Error("no answer in time")), PATIENCE_MS).unref());

const late = <Answer>(asked: Promise<Answer>): Promise<Answer | undefined> => Promise.race([asked, timeout()]).catch(() => undefined);

async function state(check: () => Promise<unknown>): Promise<string> {
  return Promise.race([check(), timeout()]).then(
    () => "up",
    (error) => `down: ${(error as Error).message || "no answer"}`,
  );
}

// The whole product as processes: PostgreSQL, Redis, the runtime, the Python worker, the bridge to ComfyUI.
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { buildPython, findEspeak, PYTHON } from "./build.ts";
import { Supervised } from "./child.ts";
import { ROOT } from "./paths.ts";
import { until } from "./ports.ts";
import { type RunningService, startPostgres } from "./postgres.ts";
import { startRedis } from "./redis.ts";
import { say } from "./say.ts";

export interface StackOptions {
  /** The folder of this stack's data. */
  home: string;
  /** PostgreSQL's folder; if the launcher runs as root, the user `postgres` must be able to reach it. */
  postgres: string;
  /** Redis' folder; by default it lies in `home`. */
  redis?: string;
  port: number;
  env?: Record<string, string>;
  worker?: boolean;
  quiet?: boolean;
  /** Adds to the environment of single parts once their addresses are known. Tests put a proxy between parts, or another clock into one. */
  route?: (env: Readonly<Record<string, string>>) => Promise<{ runtime?: Record<string, string>; worker?: Record<string, string> }>;
  onFatal?: (lines: string[]) => void;
}

export interface Stack {
  url: string;
  env: Record<string, string>;
  processes: Record<"postgres" | "redis" | "runtime" | "worker" | "bridge", Supervised | undefined>;
  stop(): Promise<void>;
}

async function workerKey(home: string): Promise<string> {
  const file = join(home, "worker.key");
  if (!existsSync(file)) await writeFile(file, randomBytes(32).toString("hex"), { mode: 0o600 });
  return (await readFile(file, "utf8")).trim();
}

export async function startStack(options: StackOptions): Promise<Stack> {
  const { home, port } = options;
  await mkdir(home, { recursive: true, mode: 0o700 });
  const databaseUrl = options.env?.DATABASE_URL ?? process.env.DATABASE_URL;
  const database = databaseUrl ? undefined : startPostgres(options.postgres);
  const bus = process.env.REDIS_URL ? undefined : startRedis(options.redis ?? join(home, "redis"));
  const [postgres, redis] = await Promise.all([database, bus]);
  const url = `http://127.0.0.1:${port}`;
  const env: Record<string, string> = {
    DATABASE_URL: databaseUrl ?? (postgres as RunningService).url,
    REDIS_URL: process.env.REDIS_URL ?? (redis as RunningService).url,
    SPINDLE_WORKER_KEY: process.env.SPINDLE_WORKER_KEY ?? (await workerKey(home)),
    SPINDLE_HOME: home,
    SPINDLE_RUNTIME_URL: url,
    PORT: String(port),
    NODE_OPTIONS: "--disable-warning=ExperimentalWarning",
    ...options.env,
  };
  const own = (await options.route?.(env)) ?? {};
  /** Redis' login of one of the processes, where Redis is ours. */
  const login = (role: "runtime" | "worker" | "bridge"): Record<string, string> => (redis ? { REDIS_URL: redis.urls[role] } : {});
  const show = (line: string) => !options.quiet && !line.startsWith("listening ");
  let failed: string[] | undefined;
  const runtime: Supervised = new Supervised({
    name: "runtime",
    command: process.execPath,
    args: ["--disable-proto=delete", "--import", "tsx", join(ROOT, "apps/runtime/src/main.ts")],
    cwd: ROOT,
    env: { NODE_ENV: "production", ...env, ...login("runtime"), ...own.runtime },
    onLine: show,
    fatalCode: 78,
    onFatal: () => {
      failed = runtime.lastLines;
      options.onFatal?.(runtime.lastLines);
    },
  });
  const worker = options.worker === false ? undefined : await startWorker({ ...env, ...login("worker"), ...own.worker }, show);
  const comfy = env.COMFY_URL ?? process.env.COMFY_URL;
  const bridge = comfy ? startBridge({ ...env, ...login("bridge"), COMFY_URL: comfy }, show) : undefined;
  const processes = { postgres: postgres?.process, redis: redis?.process, runtime, worker, bridge };
  const stop = async () => {
    await Promise.all([worker?.stop(), bridge?.stop()]);
    await runtime.stop();
    await Promise.all([redis?.process.stop(), postgres?.process.stop()]);
  };
  try {
    await until(
      async () => failed !== undefined || (await fetch(`${url}/health`)).ok,
      60_000,
      () => `The runtime does not answer:\n${runtime.lastLines.join("\n")}`,
    );
    if (failed) throw new Error(failed.join("\n"));
    const missing = await silentPlanes(url, [...(worker ? ["python"] : []), ...(bridge ? ["comfy"] : [])]);
    if (!options.quiet)
      for (const plane of missing)
        say(`no worker of the ${plane} plane has reported for ${PLANES_MS / 1000} s: what only it can run is refused until one does`);
  } catch (error) {
    await stop();
    throw error;
  }
  return { url, env, processes, stop };
}

const PLANES_MS = 15_000;

/** Waits for the first report of each of these planes. Returns those from which none came. */
async function silentPlanes(url: string, planes: readonly string[]): Promise<string[]> {
  let silent = [...planes];
  const ask = async () => {
    const { parts } = (await (await fetch(`${url}/health`)).json()) as { parts: Record<string, string | undefined> };
    silent = planes.filter((plane) => parts[plane] === undefined || parts[plane] === "starting");
    return silent.length === 0;
  };
  await until(ask, PLANES_MS, () => "silent").catch(() => {});
  return silent;
}

async function startWorker(env: Record<string, string>, show: (line: string) => boolean): Promise<Supervised> {
  await buildPython("requirements.txt");
  const espeak = await findEspeak();
  return new Supervised({
    name: "worker",
    command: PYTHON,
    args: ["-m", "spindle_worker", "supervise"],
    cwd: join(ROOT, "workers/python-gpu"),
    env: { ...env, ...(espeak ? { SPINDLE_ESPEAK: espeak } : {}), PYTHONUNBUFFERED: "1" },
    onLine: (line) => show(line) && !/^spindle\.supervisor/.test(line),
  });
}

/** The Comfy plane is there for those who name a ComfyUI (COMFY_URL). */
function startBridge(env: Record<string, string>, show: (line: string) => boolean): Supervised {
  return new Supervised({
    name: "bridge",
    command: process.execPath,
    args: ["--import", "tsx", join(ROOT, "workers/comfy-bridge/src/main.ts")],
    cwd: ROOT,
    env,
    onLine: show,
    fatalCode: 78,
  });
}

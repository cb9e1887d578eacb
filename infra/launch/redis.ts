// Redis 7 or newer: the machine's redis-server or valkey-server, else Debian's. Always with AOF and without eviction.
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Redis } from "ioredis";
import { debianProgram } from "./build.ts";
import { Supervised } from "./child.ts";
import { ROOT } from "./paths.ts";
import { freePort, until } from "./ports.ts";
import type { RunningService } from "./postgres.ts";
import { Advice } from "./say.ts";

/** Whose rights are in packages/task-bus/redis/users.conf. */
const ROLES = ["runtime", "worker", "bridge"] as const;
type Role = (typeof ROLES)[number];

interface RunningRedis extends RunningService {
  /** Where each of Spindle's processes logs in; `url` is the operator's. */
  urls: Record<Role, string>;
}

/** @param extra lines for its configuration, after ours */
export async function startRedis(folder: string, extra: string[] = []): Promise<RunningRedis> {
  const program = await debianProgram({
    programs: ["redis-server", "valkey-server"],
    apt: "redis-server",
    why: "the bus between runtime and workers",
  });
  if (!program) throw new Advice("Redis was not found. Install redis-server or valkey-server (version 7 or newer), or set REDIS_URL.");
  await mkdir(folder, { recursive: true });
  const passwords: Record<string, string> = {};
  for (const [user, file] of [["operator", "password"], ...["exporter", ...ROLES].map((role) => [role, `password.${role}`])] as const) {
    const secret = join(folder, file as string);
    if (!existsSync(secret)) await writeFile(secret, randomBytes(24).toString("hex"), { mode: 0o600 });
    passwords[user as string] = (await readFile(secret, "utf8")).trim();
  }
  const users = await readFile(join(ROOT, "packages/task-bus/redis/users.conf"), "utf8");
  const port = await freePort();
  const settings = [
    `port ${port}`,
    "bind 127.0.0.1",
    `dir ${folder}`,
    "appendonly yes",
    "appendfsync everysec",
    "maxmemory-policy noeviction",
    'save ""',
    users.replaceAll(/\{\{REDIS_(?:(\w+)_)?PASSWORD\}\}/g, (_, user = "operator") => passwords[user.toLowerCase()] ?? ""),
    "daemonize no",
    ...extra,
  ];
  const file = join(folder, "redis.conf");
  await writeFile(file, `${settings.join("\n")}\n`, { mode: 0o600 });
  const process_ = new Supervised({
    name: "redis",
    command: program,
    args: [file],
    onLine: (line) => /# (Fatal|FATAL|Can't|Bad|Wrong)/.test(line),
  });
  const urlOf = (user: string) => `redis://${user}:${passwords[user]}@127.0.0.1:${port}`;
  const url = urlOf("operator");
  const client = new Redis(url, { lazyConnect: true, retryStrategy: (tries) => Math.min(tries * 50, 500) });
  client.on("error", () => {});
  try {
    await until(
      async () => (await client.ping()) === "PONG",
      20_000,
      () => `Redis does not start:\n${process_.lastLines.slice(-8).join("\n")}`,
    );
  } finally {
    client.disconnect();
  }
  const urls = Object.fromEntries(ROLES.map((role) => [role, urlOf(role)])) as Record<Role, string>;
  return { url, urls, process: process_ };
}

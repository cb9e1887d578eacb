import { readFileSync } from "node:fs";
import { Redis } from "ioredis";

const LIBRARY = readFileSync(new URL("../lua/spindle.lua", import.meta.url), "utf8");

/** A connection on which an answer is this late leads nowhere; a new one is opened. Longer than any call blocks. */
const SILENCE_MS = 4000;

/**
 * A connection that waits for Redis to come back. Calls fail after `commandTimeout` milliseconds instead of hanging.
 * One connection for each use that blocks or subscribes.
 */
export function openRedis(url: string, options: { commandTimeout?: number } = {}): Redis {
  const redis = new Redis(url, {
    maxRetriesPerRequest: null,
    autoResendUnfulfilledCommands: false,
    socketTimeout: SILENCE_MS,
    retryStrategy: (tries) => Math.min(50 * 2 ** tries, 1000),
    ...options,
  });
  redis.on("error", () => {}); // `status` shows the state; without a listener Node would end
  // A listener sends nothing by itself, and would never notice that its connection leads nowhere.
  const pulse = setInterval(() => redis.status === "ready" && void redis.ping().catch(() => {}), SILENCE_MS / 2);
  pulse.unref();
  redis.once("end", () => clearInterval(pulse));
  return redis;
}

export async function loadFunctions(redis: Redis): Promise<void> {
  await redis.call("FUNCTION", "LOAD", "REPLACE", LIBRARY);
}

/** DESIGN W7. Returns what to change, or undefined if the settings are right. */
export async function whyRedisUnfit(redis: Redis): Promise<string | undefined> {
  const setting = async (name: string) => ((await redis.config("GET", name)) as string[])[1];
  const version = /redis_version:(\d+)\./.exec(await redis.info("server"))?.[1];
  if (Number(version) < 7) return `Redis ${version} is too old: version 7 or newer is needed.`;
  const policy = await setting("maxmemory-policy");
  // broken-build: a Redis that evicts is good enough
  if (policy !== "noeviction")
    return `Redis evicts keys (maxmemory-policy ${policy}), and a task could vanish. Change it: redis-cli CONFIG SET maxmemory-policy noeviction`;
  const aof = await setting("appendonly");
  if (aof !== "yes")
    return "Redis keeps no append-only file, and tasks would vanish with it. Change it: redis-cli CONFIG SET appendonly yes";
  return undefined;
}

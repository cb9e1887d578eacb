// The environment, read once; everything else takes options.
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";

export interface Settings {
  redisUrl: string;
  runtimeUrl: string;
  workerKey: string;
  worker: string;
  servers: { id: string; url: string }[];
  /** How often each server is asked whether its nodes changed. */
  libraryEveryMs: number;
}

/** @throws Error that names the variable which is missing or wrong */
export function readSettings(env: NodeJS.ProcessEnv): Settings {
  const need = (name: string): string => {
    const value = env[name];
    if (!value) throw new Error(`${name} is not set.`);
    return value;
  };
  return {
    redisUrl: need("REDIS_URL"),
    runtimeUrl: need("SPINDLE_RUNTIME_URL").replace(/\/+$/, ""),
    workerKey: need("SPINDLE_WORKER_KEY"),
    worker: `${hostname()}:${process.pid}:${randomUUID().slice(0, 8)}`,
    servers: readServers(need("COMFY_URL")),
    libraryEveryMs: Number(env.SPINDLE_COMFY_LIBRARY_MS ?? 15_000),
  };
}

/** Servers separated by commas. */
export function readServers(text: string): Settings["servers"] {
  const urls = text
    .split(",")
    .map((one) => one.trim())
    .filter(Boolean);
  const servers = urls.map((address) => {
    const url = URL.canParse(address) ? new URL(address) : undefined;
    if (!url || !/^https?:$/.test(url.protocol))
      throw new Error(
        `COMFY_URL: "${address.slice(0, 80)}" is not a URL. Write it as http://127.0.0.1:8188; several are separated by commas.`,
      );
    return {
      id: `${url.hostname}-${url.port || (url.protocol === "https:" ? "443" : "80")}`.slice(0, 64),
      url: address.replace(/\/+$/, ""),
    };
  });
  return [...new Map(servers.map((server) => [server.id, server])).values()];
}

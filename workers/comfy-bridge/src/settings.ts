// The environment, read once; everything else takes options.
import { createHash, randomUUID } from "node:crypto";
import { hostname } from "node:os";

export interface ServerAddress {
  id: string;
  /** Without user and password. */
  url: string;
  /** The header with its login. */
  authorization?: string;
}

export interface Settings {
  redisUrl: string;
  runtimeUrl: string;
  workerKey: string;
  worker: string;
  servers: ServerAddress[];
  /** How often each server is asked whether its nodes changed. */
  libraryEveryMs: number;
  /** How long what runs may go on once the bridge is told to end; then it is handed back. */
  drainMs: number;
  /** Where its figures are served; undefined: nowhere. */
  metrics?: { host: string; port: number };
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
    ...readMetrics(env),
    libraryEveryMs: readDuration("SPINDLE_COMFY_LIBRARY_MS", env.SPINDLE_COMFY_LIBRARY_MS ?? "15000"),
    drainMs: readDuration("SPINDLE_DRAIN_MS", env.SPINDLE_DRAIN_MS ?? "5000"),
  };
}

function readMetrics(env: NodeJS.ProcessEnv): Pick<Settings, "metrics"> {
  const text = env.SPINDLE_BRIDGE_METRICS_PORT ?? "0";
  const port = text.trim() === "" ? 0 : Number(text);
  if (!(Number.isInteger(port) && port >= 0 && port <= 65_535))
    throw new Error(`SPINDLE_BRIDGE_METRICS_PORT: "${text.slice(0, 80)}" is no port; 0 serves no metrics.`);
  return port === 0 ? {} : { metrics: { host: env.SPINDLE_METRICS_HOST || "127.0.0.1", port } };
}

/** What a timer takes, in ms. */
const LONGEST = 2 ** 31 - 1;

function readDuration(name: string, text: string): number {
  const duration = text.trim() === "" ? Number.NaN : Number(text);
  if (!(duration > 0 && duration <= LONGEST)) throw new Error(`${name}: "${text.slice(0, 80)}" is no number of milliseconds above 0.`);
  return duration;
}

/** A stream of the bus has it as part of its name. Of a long one a hash keeps apart what begins alike. */
const idOf = (host: string): string =>
  host.length <= 64 ? host : `${host.slice(0, 55)}-${createHash("sha256").update(host).digest("hex").slice(0, 8)}`;

/** Servers separated by commas. @throws Error if one is no URL, two have one host and port, or there is none; no login is in its words */
export function readServers(text: string): ServerAddress[] {
  const addresses = text
    .split(",")
    .map((one) => one.trim())
    .filter(Boolean);
  if (addresses.length === 0)
    throw new Error("COMFY_URL names no server. Write it as http://127.0.0.1:8188; several are separated by commas.");
  const mayShow = !/[@?#]/.test(text);
  const servers = addresses.map((address, at) => readServer(address, mayShow ? `"${address.slice(0, 80)}"` : `its part ${at + 1}`));
  const known = new Map(servers.map((server) => [server.id, server]));
  for (const { id, url, authorization } of servers) {
    const other = known.get(id);
    if (other?.url !== url) throw new Error(`COMFY_URL: ${url} and ${other?.url} are one host and port. Name one of them.`);
    if (other.authorization !== authorization) throw new Error(`COMFY_URL: ${id} has two logins. Name it once.`);
  }
  return [...known.values()];
}

function readServer(address: string, shown: string): ServerAddress {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !/^https?:$/.test(url.protocol))
    throw new Error(
      `COMFY_URL: ${shown} is not a URL. Write it as http://127.0.0.1:8188, with a login as http://user:password@host:8188, where a comma is %2C; several are separated by commas.`,
    );
  if (/[/?#].*@/.test(address.replace(/^https?:\/*/i, "")))
    throw new Error(`COMFY_URL: ${shown} has @ behind its host. In a login write / as %2F, ? as %3F and # as %23.`);
  if (url.search || url.hash)
    throw new Error(
      `COMFY_URL: ${shown} has a part behind ? or #, which no request would have. Write it without, and a login as http://user:password@host:8188.`,
    );
  const authorization = loginOf(url);
  [url.username, url.password] = ["", ""];
  return {
    id: idOf(`${url.hostname}-${url.port || (url.protocol === "https:" ? "443" : "80")}`),
    url: url.href.replace(/\/+$/, ""), // as every spelling of it reads
    ...(authorization ? { authorization } : {}),
  };
}

/** RFC 7617. */
function loginOf({ username, password, hostname }: URL): string | undefined {
  if (!username && !password) return undefined;
  try {
    return `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString("base64")}`;
  } catch {
    throw new Error(`COMFY_URL: the login of ${hostname} is not written as in a URL. Write % as %25.`);
  }
}

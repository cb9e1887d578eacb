// A server to run on: SPINDLE_URL, the one that runs in this clone, or one that is started for the while.
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ROOT } from "../root.ts";

export interface Found {
  url: string;
  /** Whether it was started for the while: nobody else looks after it. */
  isOwn: boolean;
  stop(): Promise<void>;
}

const START_MS = 15 * 60_000;
const PLANES_MS = 15_000;
const POLL_MS = 200;
const nothing = async (): Promise<void> => {};

/** Calls the server as its proxy would: whoever has the secret is let in. */
export function call(url: string, init: RequestInit = {}): Promise<Response> {
  const secret = process.env.SPINDLE_PROXY_SECRET;
  return fetch(url, secret ? { ...init, headers: { ...init.headers, "x-spindle-proxy": secret } } : init);
}

async function answers(url: string): Promise<boolean> {
  return call(`${url}/health`).then(
    (answer) => answer.ok,
    () => false,
  );
}

/** Finds a server that answers now: that of SPINDLE_URL, or the one of this clone. */
export async function runningServer(): Promise<string | undefined> {
  const known = process.env.SPINDLE_URL ?? (await serverFile())?.url;
  return known && (await answers(known)) ? known.replace(/\/$/, "") : undefined;
}

/** What the server of this clone wrote of itself when it started; it may have ended since. */
interface ServerFile {
  url: string;
  databaseUrl?: string;
  /** The name of its object store. */
  store?: string;
}

async function serverFile(): Promise<ServerFile | undefined> {
  const file = join(process.env.SPINDLE_HOME ?? join(ROOT, ".spindle"), "server.json");
  const text = await readFile(file, "utf8").catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as ServerFile);
}

/** The server of this clone, if it answers. */
export async function runningHere(): Promise<ServerFile | undefined> {
  const file = await serverFile();
  return file && (await answers(file.url)) ? file : undefined;
}

/** @param interrupt ends a start that is under way */
export async function findServer(interrupt: AbortSignal): Promise<Found> {
  const url = await runningServer();
  if (url === undefined && process.env.SPINDLE_URL) throw new Error(`No Spindle answers at ${process.env.SPINDLE_URL}.`);
  if (url === undefined) return startServer(interrupt);
  await planesReport(url, interrupt);
  return { url, isOwn: false, stop: nothing };
}

/** A server that has just been started does not know yet what its workers offer. */
async function planesReport(url: string, interrupt: AbortSignal): Promise<void> {
  for (const end = Date.now() + PLANES_MS; !interrupt.aborted; await sleep(POLL_MS)) {
    const { parts } = (await (await call(`${url}/health`)).json()) as { parts: Record<string, string> };
    const silent = Object.keys(parts).filter((part) => parts[part] === "starting");
    if (silent.length === 0) return;
    if (Date.now() < end) continue;
    process.stderr.write(`spindle: no worker of the ${silent.join(" and the ")} plane has reported yet\n`);
    return;
  }
}

/** `npm start`, which prints its URL when everything it started has reported. It joins one that runs or starts in this clone, and ends then. */
async function startServer(interrupt: AbortSignal): Promise<Found> {
  process.stderr.write("spindle: no server runs here; starting one for this run\n");
  // The server has a process group of its own: Ctrl C cancels the run, and the server is ended afterwards.
  const child = spawn(process.execPath, [join(ROOT, "infra/setup/root.mjs"), "start"], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const stop = async () => {
    child.kill("SIGTERM"); // a process that has ended is left alone
    await ended;
  };
  const printed = new Promise<string>((resolve) => {
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk;
      const [found] = /https?:\/\/\S+(?=\s)/.exec(text) ?? [];
      if (found) resolve(found);
    });
  });
  const late = AbortSignal.any([interrupt, AbortSignal.timeout(START_MS)]);
  const gaveUp = new Promise<never>((_, reject) => {
    const giveUp = () => reject(new Error(interrupt.aborted ? "Interrupted." : "The server did not start in time."));
    if (late.aborted) giveUp();
    late.addEventListener("abort", giveUp);
  });
  const died = ended.then(async (code) => {
    await sleep(POLL_MS); // the last lines that it printed are read first
    throw new Error(`The server ended (${code}) before it answered.`);
  });
  try {
    return { url: await Promise.race([printed, died, gaveUp]), isOwn: true, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** What the server that runs here answers. @throws Error with its reason where it refuses */
export async function ask(path: string, init: RequestInit = {}): Promise<unknown> {
  const url = await runningServer();
  if (url === undefined) throw new Error("No server runs here. Start one with npm start, or name one with SPINDLE_URL.");
  const answer = await call(`${url}${path}`, init);
  const body = (await answer.json()) as { error?: { message?: string } };
  if (!answer.ok) throw new Error(body.error?.message ?? `The server answers ${answer.status}.`);
  return body;
}

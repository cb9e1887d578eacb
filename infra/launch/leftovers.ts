// Which launcher has this clone, and what it started: written down, so that the next start waits for it, joins it or ends what it left.
import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Supervised } from "./child.ts";
import { HOME, sharedFolder } from "./paths.ts";
import { say } from "./say.ts";

interface Known {
  name: string;
  pid: number;
  /** The kernel's start time of the process: a pid alone may belong to another program by now. */
  born: string;
}

type Phase = "starting" | "running" | "stopping";

interface Launch {
  launcher?: Known & { phase: Phase; url?: string };
  children: Known[];
}

const FILE = join(HOME, "processes.json");
/**
 * The lock among starts that waited for the same launcher to end: held from the search for leftovers until the new launcher is
 * written down. Each holder has a file of its own, with the number after that of the last one, who died: were there one file, a
 * start that takes away what a dead holder left could take away the next holder's. The last file stays, so that numbers only grow.
 */
const TURN = `${FILE}.turn.`;
let ownTurn = 0;

function bornOf(pid: number): string | undefined {
  let line: string | undefined;
  try {
    line = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined;
  }
  const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" ? undefined : fields[19];
}

function alive(known: Known): boolean {
  if (process.platform === "linux") return bornOf(known.pid) === known.born;
  try {
    process.kill(known.pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Writes down this launcher and its children, synchronously: a signal may be the last thing that happens. */
export function remember(phase: Phase, url?: string): void {
  const known = (name: string, pid: number | undefined): Known[] => (pid ? [{ name, pid, born: bornOf(pid) ?? "" }] : []);
  const launch: Launch = {
    launcher: { ...(known("launcher", process.pid)[0] as Known), phase, ...(url === undefined ? {} : { url }) },
    children: [...Supervised.all].flatMap((one) => known(one.name, one.pid)),
  };
  mkdirSync(HOME, { recursive: true, mode: 0o700 });
  writeFileSync(`${FILE}.new`, JSON.stringify(launch));
  renameSync(`${FILE}.new`, FILE);
  for (const turn of turns()) if (turn < ownTurn) rmSync(`${TURN}${turn}`, { force: true });
}

/** The numbers of the lock's files, ascending. */
const turns = (): number[] =>
  readdirSync(HOME)
    .map((name) => join(HOME, name))
    .filter((path) => path.startsWith(TURN))
    .map((path) => Number(path.slice(TURN.length)))
    .sort((a, b) => a - b);

/**
 * Waits until it is clear what this start has to do: one that starts is waited for, and so is the end of one that stops.
 * Returns the URL of the launcher that runs in this clone, or undefined if there is none: then it is this one's turn.
 */
export async function runningLauncher(): Promise<string | undefined> {
  for (let said: Phase | undefined; ; await sleep(100)) {
    const { launcher } = read();
    if (!launcher || !alive(launcher)) {
      if (takeTurn()) return undefined;
      continue;
    }
    if (launcher.phase === "running") return launcher.url;
    if (said !== launcher.phase) say(`Spindle is ${launcher.phase} in this folder (process ${launcher.pid}); waiting for it`);
    said = launcher.phase;
  }
}

function takeTurn(): boolean {
  mkdirSync(HOME, { recursive: true, mode: 0o700 });
  const last = turns().at(-1) ?? 0;
  const holder = parsed<Known>(`${TURN}${last}`);
  if (holder && alive(holder)) return false;
  const own: Known = { name: "launcher", pid: process.pid, born: bornOf(process.pid) ?? "" };
  const written = `${FILE}.${process.pid}`;
  writeFileSync(written, JSON.stringify(own));
  try {
    linkSync(written, `${TURN}${last + 1}`); // the file appears whole or not at all, and only if there is none
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  } finally {
    rmSync(written, { force: true });
  }
  ownTurn = last + 1;
  // Another start may have taken and released the lock since this one looked.
  const { launcher } = read();
  if (!launcher || !alive(launcher)) return true;
  rmSync(`${TURN}${ownTurn}`, { force: true });
  return false;
}

export async function endLeftovers(): Promise<void> {
  const left: Known[] = [];
  for (const child of read().children) if (alive(child)) left.push(child);
  const postmaster = join(sharedFolder("postgres"), "data/postmaster.pid");
  const pid = existsSync(postmaster) ? Number((await readFile(postmaster, "utf8")).split("\n")[0]) : 0;
  const born = pid > 0 ? bornOf(pid) : undefined;
  const command = born ? await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "") : "";
  if (born && command.includes("postgres") && !left.some((one) => one.pid === pid)) left.push({ name: "postgres", pid, born });
  if (left.length === 0) return;
  say(`ending what an earlier start left behind: ${left.map((one) => one.name).join(", ")}`);
  const signal = (known: Known, sign: NodeJS.Signals) => {
    try {
      process.kill(known.pid, sign);
    } catch {
      // the process has ended already
    }
  };
  for (const known of left) signal(known, known.name === "postgres" ? "SIGINT" : "SIGTERM");
  for (let waited = 0; waited < 8000; waited += 100) {
    if (!left.some(alive)) break;
    if (waited === 6000) for (const known of left) signal(known, "SIGKILL");
    await sleep(100);
  }
  await rm(FILE, { force: true });
}

function read(): Launch {
  const found = parsed<Launch>(FILE);
  return Array.isArray(found?.children) ? found : { children: [] };
}

function parsed<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as T;
  } catch {
    return undefined;
  }
}

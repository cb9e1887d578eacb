// After a launcher that was killed: what it had started is ended before anything new begins.
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { HOME, sharedFolder } from "./paths.ts";
import { say } from "./say.ts";

interface Known {
  name: string;
  pid: number;
  /** The kernel's start time of the process: a pid alone may belong to another program by now. */
  born: string;
}

const FILE = join(HOME, "processes.json");

async function bornOf(pid: number): Promise<string | undefined> {
  const line = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  const fields = line?.slice(line.lastIndexOf(")") + 2).split(" ");
  return fields?.[0] === "Z" ? undefined : fields?.[19];
}

async function alive(one: Known): Promise<boolean> {
  if (process.platform === "linux") return (await bornOf(one.pid)) === one.born;
  try {
    process.kill(one.pid, 0);
    return true;
  } catch {
    return false;
  }
}

export async function remember(children: { name: string; pid: number | undefined }[]): Promise<void> {
  const all = [{ name: "launcher", pid: process.pid as number | undefined }, ...children];
  const known = await Promise.all(
    all.flatMap(({ name, pid }) => (pid ? [bornOf(pid).then((born) => ({ name, pid, born: born ?? "" }))] : [])),
  );
  await mkdir(HOME, { recursive: true });
  await writeFile(FILE, JSON.stringify(known));
}

/** The launcher that runs in this clone already, if one does. */
export async function runningLauncher(): Promise<boolean> {
  const launcher = (await read()).find((one) => one.name === "launcher");
  return launcher !== undefined && launcher.pid !== process.pid && (await alive(launcher));
}

export async function endLeftovers(): Promise<void> {
  const left: Known[] = [];
  for (const one of await read()) if (one.name !== "launcher" && (await alive(one))) left.push(one);
  const postmaster = join(sharedFolder("postgres"), "data/postmaster.pid");
  const pid = existsSync(postmaster) ? Number((await readFile(postmaster, "utf8")).split("\n")[0]) : 0;
  const born = pid > 0 ? await bornOf(pid) : undefined;
  const command = born ? await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "") : "";
  if (born && command.includes("postgres") && !left.some((one) => one.pid === pid)) left.push({ name: "postgres", pid, born });
  if (left.length === 0) return;
  say(`ending what an earlier start left behind: ${left.map((one) => one.name).join(", ")}`);
  const signal = (one: Known, sign: NodeJS.Signals) => {
    try {
      process.kill(one.pid, sign);
    } catch {
      // gone already
    }
  };
  for (const one of left) signal(one, one.name === "postgres" ? "SIGINT" : "SIGTERM");
  for (let waited = 0; waited < 8000; waited += 100) {
    const still = await Promise.all(left.map(alive));
    if (!still.includes(true)) break;
    if (waited === 6000) for (const one of left) signal(one, "SIGKILL");
    await sleep(100);
  }
  await rm(FILE, { force: true });
}

async function read(): Promise<Known[]> {
  try {
    return JSON.parse(await readFile(FILE, "utf8")) as Known[];
  } catch {
    return [];
  }
}

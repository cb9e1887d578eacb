// Debian packages: installed where this user may, else unpacked into the cache without touching the system.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { CACHE, findProgram } from "./paths.ts";
import { say } from "./say.ts";

const execute = promisify(execFile);
const run = (command: string, args: string[], cwd?: string) =>
  execute(command, args, {
    ...(cwd ? { cwd } : {}),
    maxBuffer: 64 * 1024 * 1024,
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" },
  });

export const hasApt = (): boolean => findProgram("apt-get") !== undefined;

let updated = false;

/** Installs packages with apt; for root only. */
export async function aptInstall(name: string, why: string): Promise<void> {
  say(`installing ${name} with apt (${why})`);
  if (!updated) await run("apt-get", ["update", "-qq"]);
  updated = true;
  await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", name]);
}

/** Unpacks a package and what it needs below one folder, as an ordinary user can. Returns that folder. */
export async function aptUnpack(name: string, why: string): Promise<string> {
  const target = join(CACHE, "debian", name);
  const stamp = join(target, ".unpacked");
  if (existsSync(stamp)) return target;
  say(`unpacking Debian's ${name} into .cache (${why})`);
  const state = join(CACHE, "debian/.apt");
  await mkdir(join(state, "lists/partial"), { recursive: true });
  await mkdir(join(state, "archives/partial"), { recursive: true });
  const options = [
    `Dir::State::Lists=${join(state, "lists")}`,
    `Dir::Cache=${state}`,
    `Dir::Cache::archives=${join(state, "archives")}`,
    "APT::Sandbox::User=",
  ].flatMap((one) => ["-o", one]);
  await run("apt-get", [...options, "update", "-qq"]);
  const { stdout } = await run("apt-get", [...options, "install", "--print-uris", "-y", "--no-install-recommends", name]);
  const packages = [...stdout.matchAll(/^'[^']+'\s+(\S+?)_/gm)].map((found) => found[1] as string);
  const folder = join(state, "archives", name);
  await mkdir(folder, { recursive: true });
  await run("apt-get", [...options, "download", ...new Set([...packages, name])], folder);
  await mkdir(target, { recursive: true });
  for (const file of (await readdir(folder)).filter((one) => one.endsWith(".deb")))
    await run("dpkg-deb", ["-x", join(folder, file), target]);
  await writeFile(stamp, "");
  return target;
}

/** LD_LIBRARY_PATH for programs below an unpacked folder; some packages keep private libraries one folder deeper. */
export async function librariesOf(folder: string): Promise<string> {
  const triplet = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
  const roots = [`usr/lib/${triplet}`, `lib/${triplet}`, "usr/lib"].map((one) => join(folder, one));
  const entries = await readdir(roots[0] as string, { withFileTypes: true }).catch(() => []);
  const deeper = entries.filter((entry) => entry.isDirectory()).map((entry) => join(roots[0] as string, entry.name));
  return [...roots, ...deeper].join(":");
}

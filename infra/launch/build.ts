// What is made from the sources before anything can run: the database client, the editor, the Python environment.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { aptInstall, aptUnpack, hasApt, librariesOf } from "./debian.ts";
import { CACHE, findProgram, isRoot, ROOT } from "./paths.ts";
import { Advice, say } from "./say.ts";
import { once } from "./stamp.ts";

const execute = promisify(execFile);
const PIP = "25.3";

async function run(command: string, args: string[], options: { cwd?: string; env?: Record<string, string> } = {}): Promise<string> {
  try {
    return (
      await execute(command, args, { cwd: options.cwd ?? ROOT, env: { ...process.env, ...options.env }, maxBuffer: 64 * 1024 * 1024 })
    ).stdout;
  } catch (error) {
    const { stderr = "", stdout = "" } = error as { stderr?: string; stdout?: string };
    throw new Error(`${command} ${args.slice(0, 4).join(" ")} failed:\n${(stderr || stdout).split("\n").slice(-25).join("\n")}`);
  }
}

/** The client needs no engine; the command line only believes that it does. */
export async function buildDatabaseClient(): Promise<void> {
  const runtime = join(ROOT, "apps/runtime");
  const stamp = join(runtime, "src/store/generated/.stamp");
  await once(stamp, [join(runtime, "prisma/schema.prisma")], async () => {
    say("generating the database client (Prisma)");
    await run(join(ROOT, "node_modules/.bin/prisma"), ["generate"], {
      cwd: runtime,
      env: { PRISMA_SCHEMA_ENGINE_BINARY: "/bin/true", PRISMA_HIDE_UPDATE_MESSAGE: "1" },
    });
  });
}

export async function buildEditor(): Promise<void> {
  const editor = join(ROOT, "apps/editor");
  const sources = ["app", "public", "vite.config.ts", "package.json"].map((one) => join(editor, one));
  await once(
    join(editor, "build/.stamp"),
    [...sources, join(ROOT, "packages"), join(ROOT, "schemas/generated"), join(ROOT, "pnpm-lock.yaml")],
    async () => {
      say("building the editor (about a minute)");
      await run(join(editor, "node_modules/.bin/remix"), ["vite:build"], { cwd: editor, env: { NODE_ENV: "production" } });
    },
  );
}

export const PYTHON = join(CACHE, "python/bin/python");

/** The worker's own virtual environment; never the system's pip. */
export async function buildPython(kind: "requirements.txt" | "requirements-dev.txt"): Promise<void> {
  const folder = join(ROOT, "workers/python-gpu");
  const name = process.env.SPINDLE_PYTHON ?? (await findPython());
  const sources = kind === "requirements.txt" ? ["requirements.txt"] : ["requirements.txt", "requirements-dev.txt"];
  await once(
    join(CACHE, `python/.${kind}`),
    sources.map((source) => join(folder, source)),
    async () => {
      say("installing the Python packages into .cache/python (the worker's virtual environment)");
      if (!existsSync(PYTHON)) await run(name, ["-m", "venv", "--without-pip", join(CACHE, "python")]);
      if (!(await has(PYTHON, "pip"))) {
        if (await has(name, "ensurepip")) await run(PYTHON, ["-m", "ensurepip"]);
        else await run(PYTHON, [`${await pipWheel()}/pip`, "install", "-q", "--disable-pip-version-check", `pip==${PIP}`]);
      }
      await run(PYTHON, ["-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", join(folder, kind)]);
    },
  );
}

async function findPython(): Promise<string> {
  for (const name of ["python3.13", "python3.12", "python3.11", "python3"]) {
    const path = findProgram(name);
    if (
      path &&
      (await execute(path, ["-c", "import sys, venv; sys.exit(sys.version_info < (3, 11))"]).then(
        () => true,
        () => false,
      ))
    )
      return path;
  }
  throw new Advice("Python 3.11 or newer is needed and was not found. Install it (Debian: apt install python3) or set SPINDLE_PYTHON.");
}

const has = (python: string, module: string): Promise<boolean> =>
  execute(python, ["-c", `import ${module}`]).then(
    () => true,
    () => false,
  );

/** Debian splits pip off Python; its own pip wheel is what brings the pinned one. */
async function pipWheel(): Promise<string> {
  if (!hasApt()) throw new Advice("Python's ensurepip is missing. Install Python with pip (for instance python3-venv).");
  let folder = "/";
  if (!existsSync("/usr/share/python-wheels"))
    if (isRoot) await aptInstall("python3-pip-whl", "Python's installer, for the worker's virtual environment");
    else folder = await aptUnpack("python3-pip-whl", "Python's installer, for the worker's virtual environment");
  const wheels = join(folder, "usr/share/python-wheels");
  const wheel = (await readdir(wheels)).find((one) => one.startsWith("pip-"));
  if (!wheel) throw new Advice("Debian's pip wheel was not found. Install python3-venv.");
  return join(wheels, wheel);
}

/**
 * Finds a program of a Debian package: the machine's own, else one installed as root, else one unpacked into the cache.
 * Undefined if none of these is possible.
 */
export async function debianProgram(wanted: {
  programs: string[];
  apt: string;
  why: string;
  environment?: (folder: string) => Record<string, string>;
}): Promise<string | undefined> {
  const found = findProgram(...wanted.programs);
  if (found) return found;
  if (!hasApt()) return undefined;
  try {
    if (isRoot) {
      await aptInstall(wanted.apt, wanted.why);
      return findProgram(...wanted.programs);
    }
    const folder = await aptUnpack(wanted.apt, wanted.why);
    const program = wanted.programs.map((one) => join(folder, "usr/bin", one)).find((one) => existsSync(one));
    if (!program) return undefined;
    const wrapper = join(CACHE, "bin", wanted.apt);
    const exports = Object.entries({ LD_LIBRARY_PATH: await librariesOf(folder), ...wanted.environment?.(folder) }).map(
      ([key, value]) => `export ${key}='${value}'\n`,
    );
    await mkdir(join(CACHE, "bin"), { recursive: true });
    await writeFile(wrapper, `#!/bin/sh\n${exports.join("")}exec '${program}' "$@"\n`);
    await chmod(wrapper, 0o755);
    return wrapper;
  } catch (error) {
    say(`${wanted.apt} could not be had: ${(error as Error).message.split("\n").slice(0, 3).join(" ")}`);
    return undefined;
  }
}

export async function findEspeak(): Promise<string | undefined> {
  const triplet = process.arch === "arm64" ? "aarch64-linux-gnu" : "x86_64-linux-gnu";
  const environment = (folder: string) => ({ ESPEAK_DATA_PATH: join(folder, "usr/lib", triplet) });
  const found = await debianProgram({ programs: ["espeak-ng"], apt: "espeak-ng", why: "the draft voice", environment });
  if (!found) say("espeak-ng was not found: the draft voice is not live until it is installed");
  return found;
}

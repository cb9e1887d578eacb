// `npm start` and its like as a person calls them, in a home of their own.
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isRoot, ROOT } from "../../infra/launch/paths.ts";
import { freePort } from "../../infra/launch/ports.ts";
import { until } from "./spindle.ts";

interface Written {
  launcher: { pid: number; phase: string };
  children: { name: string; pid: number }[];
}

export class Command {
  out = "";
  err = "";
  readonly ended: Promise<number | null>;

  constructor(readonly process: ChildProcess) {
    process.stdout?.on("data", (chunk) => (this.out += chunk));
    process.stderr?.on("data", (chunk) => (this.err += chunk));
    this.ended = new Promise((resolve) => process.on("close", resolve));
  }

  /** The URL that it prints. @throws Error with what it said, if it ends without one */
  url(): Promise<string> {
    const printed = until(async () => /https?:\/\/\S+(?=\s)/.exec(this.out)?.[0], 180_000, "a URL is printed");
    const died = this.ended.then((code) => {
      if (!/https?:\/\//.test(this.out)) throw new Error(`It ended with ${code}:\n${this.err}`);
      return printed;
    });
    return Promise.race([printed, died]);
  }
}

export class Home {
  readonly folder = mkdtempSync(join(tmpdir(), "spindle-home-"));
  private readonly commands: Command[] = [];
  private constructor(private readonly port: number) {}

  static async make(): Promise<Home> {
    return new Home(await freePort());
  }

  run(task: "start" | "demo", env: Record<string, string> = {}): Command {
    const command = new Command(
      spawn(process.execPath, [join(ROOT, "infra/setup/root.mjs"), task], {
        cwd: ROOT,
        env: { ...process.env, SPINDLE_HOME: this.folder, PORT: String(this.port), ...env },
        stdio: ["ignore", "pipe", "pipe"],
      }),
    );
    this.commands.push(command);
    return command;
  }

  written(): Written {
    return JSON.parse(readFileSync(join(this.folder, "processes.json"), "utf8")) as Written;
  }

  /** Of what was written down last, what still runs. */
  running(): string[] {
    const { launcher, children } = this.written();
    return [{ name: "launcher", pid: launcher.pid }, ...children].filter(({ pid }) => existsSync(`/proc/${pid}`)).map(({ name }) => name);
  }

  async remove(): Promise<void> {
    for (const command of this.commands) command.process.kill("SIGTERM");
    await Promise.all(this.commands.map((command) => command.ended));
    const id = createHash("sha256").update(this.folder).digest("hex").slice(0, 12);
    if (isRoot) await rm(join("/var/lib/spindle", id), { recursive: true, force: true });
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** An environment in which the Python worker comes up that much later: Python itself waits before it begins. */
export async function slowWorker(home: Home, seconds: number): Promise<Record<string, string>> {
  const folder = join(home.folder, "slow-python");
  await mkdir(folder, { recursive: true });
  writeFileSync(join(folder, "sitecustomize.py"), `import sys, time\nif "supervise" in sys.orig_argv:\n    time.sleep(${seconds})\n`);
  return { PYTHONPATH: folder };
}

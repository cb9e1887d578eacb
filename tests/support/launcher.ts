// `npm start` and its like as a person calls them, in a home of their own.
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isRoot, ROOT } from "../../infra/launch/paths.ts";
import { freePort } from "../../infra/launch/ports.ts";
import { health, until } from "./spindle.ts";

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

/** A Python worker that comes up when it is released: Python itself waits before it begins. */
export class HeldWorker {
  private readonly folder: string;

  constructor(private readonly home: Home) {
    this.folder = join(home.folder, "held-python");
    mkdirSync(this.folder, { recursive: true });
    const wait = `while not os.path.exists(${JSON.stringify(this.released)}):\n        time.sleep(0.1)`;
    writeFileSync(join(this.folder, "sitecustomize.py"), `import os, sys, time\nif "supervise" in sys.orig_argv:\n    ${wait}\n`);
  }

  get env(): Record<string, string> {
    return { PYTHONPATH: this.folder };
  }

  release(): void {
    writeFileSync(this.released, "");
  }

  /** Waits until the server answers without the worker, and answers twenty times more, which is when a start that does not wait is through. */
  async isMissed(): Promise<void> {
    const isStarting = async () => {
      const { url } = JSON.parse(readFileSync(join(this.home.folder, "server.json"), "utf8")) as { url: string };
      return (await health(url)).parts.python === "starting";
    };
    for (let answers = 0; answers < 20; answers++) await until(isStarting, 120_000, "the server answers without its worker");
  }

  private get released(): string {
    return join(this.folder, "released");
  }
}

// Child processes of the launcher: started again with back-off when they die, ended in order when it ends.
import { type ChildProcess, spawn } from "node:child_process";
import { say } from "./say.ts";

export interface Program {
  name: string;
  command: string;
  args: string[];
  env?: Record<string, string | undefined>;
  cwd?: string;
  uid?: number;
  gid?: number;
  /** The signal that ends it cleanly. */
  stopSignal?: NodeJS.Signals;
  /** Called with each line it prints. Return true to show the line. */
  onLine?: (line: string) => boolean;
  /** An exit code after which starting it again is useless. */
  fatalCode?: number;
  onFatal?: () => void;
}

const FIRST_DELAY_MS = 200;
const MAX_DELAY_MS = 5000;
const HEALTHY_MS = 10_000;
const PATIENCE_MS = 8000;
/** Of a line that never ends, only its last part is kept. */
const LONGEST_LINE = 65_536;

export class Supervised {
  /** The programs that run now or are about to be started again. */
  static readonly all = new Set<Supervised>();

  private process: ChildProcess | undefined;
  private stopping = false;
  private delay = FIRST_DELAY_MS;
  private timer: NodeJS.Timeout | undefined;
  readonly lastLines: string[] = [];

  constructor(private readonly program: Program) {
    Supervised.all.add(this);
    this.start();
  }

  get name(): string {
    return this.program.name;
  }

  get pid(): number | undefined {
    return this.process?.pid;
  }

  private start(): void {
    const { command, args, env, cwd, uid, gid } = this.program;
    const startedAt = Date.now();
    const child = spawn(command, args, { env: { ...process.env, ...env }, cwd, uid, gid, stdio: ["ignore", "pipe", "pipe"] });
    this.process = child;
    for (const stream of [child.stdout, child.stderr]) this.read(stream);
    child.on("error", (error) => say(`${this.program.name}: ${error.message}`));
    child.on("close", (code, signal) => {
      if (this.stopping) return;
      if (code !== null && code === this.program.fatalCode) {
        Supervised.all.delete(this);
        return this.program.onFatal?.();
      }
      this.delay = Date.now() - startedAt > HEALTHY_MS ? FIRST_DELAY_MS : Math.min(this.delay * 2, MAX_DELAY_MS);
      say(`${this.program.name} ended (${signal ?? code}); starting it again in ${this.delay} ms`);
      this.timer = setTimeout(() => this.start(), this.delay);
    });
  }

  private read(stream: NodeJS.ReadableStream): void {
    let rest = "";
    stream.setEncoding("utf8");
    stream.on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n");
      rest = (lines.pop() ?? "").slice(-LONGEST_LINE);
      for (const line of lines) {
        this.lastLines.push(line);
        if (this.lastLines.length > 40) this.lastLines.shift();
        if (this.program.onLine?.(line)) process.stderr.write(`${this.program.name}: ${line}\n`);
      }
    });
  }

  async stop(): Promise<void> {
    this.stopping = true;
    clearTimeout(this.timer);
    await this.end();
    Supervised.all.delete(this);
  }

  private async end(): Promise<void> {
    const child = this.process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
    child.kill(this.program.stopSignal ?? "SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
    await ended;
    clearTimeout(late);
  }
}

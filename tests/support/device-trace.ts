// Which processes work on which device, as seen from outside, many times a second: the worker's own word would not do.
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

const EVERY_MS = 40;

// Fields 22 and 48 of proc(5), counted from the state, which is the third.
const STARTED = 19;
const ARGUMENTS = 45;

export class DeviceTrace {
  /** In the environment of the workers that are meant, as SPINDLE_TRACE. */
  readonly mark = randomUUID();
  /** Moments at which a device had more than one process on it; a worker's child and the engine process that it started count as one. */
  readonly doubles: string[] = [];
  /** The processes of engines on a device, by the last look. */
  engines: number[] = [];
  private readonly known = new Map<number, { started: string; device: string | undefined; isEngine: boolean }>();
  private suspects = new Set<string>();
  private timer: NodeJS.Timeout | undefined;

  start(): void {
    this.timer = setInterval(() => this.sample(), EVERY_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  isKnown(pid: number): boolean {
    return this.known.has(pid);
  }

  private sample(): void {
    const found = readdirSync("/proc").flatMap((name) => {
      const pid = Number(name);
      return Number.isInteger(pid) ? (this.userOf(pid) ?? []) : [];
    });
    const pids = new Set(found.map((user) => user.pid));
    const users = new Map<string, number[]>();
    for (const { pid, parent, device } of found) if (!pids.has(parent)) users.set(device, [...(users.get(device) ?? []), pid]);
    this.engines = found.filter((user) => user.isEngine).map((user) => user.pid);
    const now = [...users].filter(([, pids]) => pids.length > 1).map(([device, pids]) => `${device}: processes ${pids.join(" and ")}`);
    // Seen twice: a process that starts another one is for a moment there twice.
    this.doubles.push(...now.filter((one) => this.suspects.has(one)));
    this.suspects = new Set(now);
  }

  /**
   * A process number comes again, a number with its start does not. Where its arguments lie changes when it becomes another program: until
   * then a new process has those of the one that made it.
   */
  private userOf(pid: number): { pid: number; parent: number; device: string; isEngine: boolean } | undefined {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ");
      const [state, parent] = stat;
      const started = `${stat[STARTED]} ${stat[ARGUMENTS]}`;
      if (state === "Z") return undefined;
      const known = this.known.get(pid);
      const user = known?.started === started ? known : { started, ...this.read(pid) };
      this.known.set(pid, user);
      return user.device === undefined ? undefined : { pid, parent: Number(parent), device: user.device, isEngine: user.isEngine };
    } catch {
      return undefined; // gone meanwhile, or not ours to look at
    }
  }

  private read(pid: number): { device: string | undefined; isEngine: boolean } {
    const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    const isEngine = command.includes("\0spindle_worker.engine.");
    const works = isEngine || command.includes("spindle_worker\0child\0"); // and is not its ffmpeg
    const isMeant = works && environment.includes(`SPINDLE_TRACE=${this.mark}`);
    const device = isMeant ? environment.find((entry) => entry.startsWith("SPINDLE_DEVICE="))?.slice("SPINDLE_DEVICE=".length) : undefined;
    return { device, isEngine };
  }
}

// Which processes work on which device, as seen from outside, many times a second: the worker's own word would not do.
import { randomUUID } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

const EVERY_MS = 40;

export class DeviceTrace {
  /** In the environment of the workers that are meant, as SPINDLE_TRACE. */
  readonly mark = randomUUID();
  /** Moments at which a device had more than one process on it. */
  readonly doubles: string[] = [];
  private readonly known = new Map<number, { started: string; device: string | undefined }>();
  private suspects = new Set<string>();
  private timer: NodeJS.Timeout | undefined;

  start(): void {
    this.timer = setInterval(() => this.look(), EVERY_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private look(): void {
    const users = new Map<string, number[]>();
    for (const name of readdirSync("/proc")) {
      const pid = Number(name);
      const device = Number.isInteger(pid) ? this.deviceOf(pid) : undefined;
      if (device !== undefined) users.set(device, [...(users.get(device) ?? []), pid]);
    }
    const now = [...users].filter(([, pids]) => pids.length > 1).map(([device, pids]) => `${device}: processes ${pids.join(" and ")}`);
    // Seen twice: a process that starts another one is for a moment there twice.
    this.doubles.push(...now.filter((one) => this.suspects.has(one)));
    this.suspects = new Set(now);
  }

  /** A process number comes again, a number with its start does not. */
  private deviceOf(pid: number): string | undefined {
    try {
      const [state, , , , , , , , , , , , , , , , , , , started = ""] = readFileSync(`/proc/${pid}/stat`, "utf8")
        .replace(/^.*\) /s, "")
        .split(" ");
      if (state === "Z") return undefined;
      const known = this.known.get(pid);
      if (known?.started === started) return known.device;
      const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
      const works = readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("spindle_worker\0child\0"); // and is not its ffmpeg
      const device =
        works && environment.includes(`SPINDLE_TRACE=${this.mark}`)
          ? environment.find((one) => one.startsWith("SPINDLE_DEVICE="))?.slice("SPINDLE_DEVICE=".length)
          : undefined;
      this.known.set(pid, { started, device });
      return device;
    } catch {
      return undefined; // gone meanwhile, or not ours to look at
    }
  }
}

import { execFileSync } from "node:child_process";

/** The processes that a process started, not theirs. */
export function childrenOf(pid: number | undefined): number[] {
  try {
    return execFileSync("pgrep", ["-P", String(pid)], { encoding: "utf8" })
      .trim()
      .split("\n")
      .map(Number);
  } catch {
    return []; // it has none now
  }
}

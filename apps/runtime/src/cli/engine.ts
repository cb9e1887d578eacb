// `spindle engine`: the worker does it, with its own Python (workers/python-gpu/spindle_worker/engine/install.py).
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../root.ts";

/** @returns the exit code of the worker's own command */
export function engine(args: readonly string[]): Promise<number> {
  const python = join(ROOT, ".cache/python/bin/python");
  if (!existsSync(python)) throw new Error("The worker's Python is not installed yet. Run: npm start");
  return new Promise((resolve, reject) => {
    const child = spawn(python, ["-m", "spindle_worker", "engine", ...args], { cwd: join(ROOT, "workers/python-gpu"), stdio: "inherit" });
    child.on("error", reject);
    child.on("close", (code) => resolve(code ?? 1));
  });
}

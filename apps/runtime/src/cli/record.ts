// The recorder belongs to the bridge's tests, which it keeps honest; it is a process of its own.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "../root.ts";

export function recordComfyUI({ url, out }: { url: string; out?: string }): Promise<number> {
  const script = join(ROOT, "workers/comfy-bridge/test/record.ts");
  const child = spawn(process.execPath, ["--import", "tsx", script, "--url", url, ...(out ? ["--out", out] : [])], { stdio: "inherit" });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

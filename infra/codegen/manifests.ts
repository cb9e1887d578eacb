// The planes' manifests as committed files, so that the library is known before any worker has ever reported.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export async function generateManifests(root: string, python: string): Promise<Map<string, string>> {
  const out = join(root, "packages/node-library/manifests");
  const fromNode = await run(process.execPath, ["--import", "tsx", join(root, "apps/runtime/src/nodes/print-manifest.ts")], { cwd: root });
  const fromPython = await run(python, ["-m", "spindle_worker", "manifest", "--static"], { cwd: join(root, "workers/python-gpu") });
  return new Map([
    [join(out, "node.json"), fromNode.stdout],
    [join(out, "python.json"), fromPython.stdout],
  ]);
}

// The planes' manifests as committed files, so that the library is known before any worker has ever reported.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

const file = (root: string, plane: string): string => join(root, "packages/node-library/manifests", `${plane}.json`);

export async function generateNodeManifest(root: string): Promise<Map<string, string>> {
  const args = ["--import", "tsx", join(root, "apps/runtime/src/nodes/print-manifest.ts")];
  return new Map([[file(root, "node"), (await run(process.execPath, args, { cwd: root })).stdout]]);
}

export async function generatePythonManifest(root: string, python: string): Promise<Map<string, string>> {
  const args = ["-m", "spindle_worker", "manifest", "--static"];
  return new Map([[file(root, "python"), (await run(python, args, { cwd: join(root, "workers/python-gpu") })).stdout]]);
}

// The planes' manifests as committed files, so that the library is known before any worker has ever reported.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { PlaneManifest } from "@spindle/schemas";
import { Advice } from "../launch/say.ts";

const run = promisify(execFile);

const file = (root: string, plane: string): string => join(root, "packages/node-library/manifests", `${plane}.json`);

export async function generateNodeManifest(root: string): Promise<Map<string, string>> {
  const args = ["--import", "tsx", join(root, "apps/runtime/src/nodes/print-manifest.ts")];
  return new Map([[file(root, "node"), await judged(await printed(process.execPath, args, root))]]);
}

export async function generatePythonManifest(root: string, python: string): Promise<Map<string, string>> {
  const args = ["-m", "spindle_worker", "manifest", "--static"];
  return new Map([[file(root, "python"), await judged(await printed(python, args, join(root, "workers/python-gpu")))]]);
}

/** @throws Advice with what the program said, where a file of a capability cannot be read */
async function printed(command: string, args: string[], cwd: string): Promise<string> {
  try {
    return (await run(command, args, { cwd })).stdout;
  } catch (error) {
    throw new Advice(`a file of a capability cannot be read\n${(error as { stderr?: string }).stderr?.trim() || String(error)}`);
  }
}

/** @throws Advice that says what is wrong with which file */
async function judged(manifest: string): Promise<string> {
  // Imported when the types and constants that it needs have been made.
  const { faultsOf } = await import("@spindle/node-library/faults");
  const faults = (JSON.parse(manifest) as PlaneManifest).capabilities.flatMap(faultsOf);
  if (faults.length > 0) throw new Advice(`capabilities that cannot be as they are (docs/adding-a-node.md)\n${faults.join("\n")}`);
  return manifest;
}

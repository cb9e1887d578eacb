// Programs that only Go's own client brings: built once into the cache, by version.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { CACHE, findProgram } from "./paths.ts";
import { say } from "./say.ts";

/** The program's path; undefined where the machine has no Go. */
export async function buildWithGo(name: string, source: string, version: string): Promise<string | undefined> {
  const folder = join(CACHE, `${name}-${version}`);
  const program = join(folder, basename(source));
  if (existsSync(program)) return program;
  const compiler = findProgram("go") ?? (existsSync("/usr/local/go/bin/go") ? "/usr/local/go/bin/go" : undefined);
  if (!compiler) return undefined;
  say(`building ${name} ${version} into .cache (an object store that the tests run against; some minutes, once)`);
  await mkdir(folder, { recursive: true });
  await promisify(execFile)(compiler, ["install", `${source}@${version}`], {
    env: { ...process.env, GOBIN: folder, GOFLAGS: "-mod=mod" },
    maxBuffer: 64 * 1024 * 1024,
  });
  return program;
}

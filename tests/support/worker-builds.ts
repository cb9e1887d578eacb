// Builds of the Python worker that differ in the version of one capability, as those of a rolling deploy do.
import { cp, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PYTHON } from "../../infra/launch/build.ts";
import { Supervised } from "../../infra/launch/child.ts";
import { ROOT } from "../../infra/launch/paths.ts";
import { WAIT_ROUTE } from "./worker-hand.ts";

/** The build of this repository. */
export const THIS_BUILD = join(ROOT, "workers/python-gpu");

/** A copy of a build whose waiting task has another version, in a new folder. */
export async function buildWith(version: string, from = THIS_BUILD): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "spindle-build-"));
  for (const part of ["spindle_worker", "engines"]) await cp(join(from, part), join(folder, part), { recursive: true });
  await setVersion(folder, version);
  return folder;
}

/** Replaces the version in the files of a copy. */
export async function setVersion(build: string, version: string): Promise<void> {
  const file = join(build, "spindle_worker/nodes/dummy_task.py");
  await writeFile(file, (await readFile(file, "utf8")).replace(/version="[^"]+"/, `version="${version}"`));
}

/** @param env that of the Spindle which it works for */
export function startWorker(build: string, env: Record<string, string | undefined>): Supervised {
  const own = { ...env, PYTHONDONTWRITEBYTECODE: "1" };
  return new Supervised({ name: "worker", command: PYTHON, args: ["-m", "spindle_worker", "supervise"], cwd: build, env: own });
}

/** The version of the waiting task that workers offer now. */
export async function versionOffered(url: string): Promise<string | undefined> {
  const { capabilities } = (await (await fetch(`${url}/api/capabilities`)).json()) as {
    capabilities: { id: string; version: string; live: boolean }[];
  };
  const found = capabilities.find(({ id }) => id === WAIT_ROUTE.service);
  return found?.live ? found.version : undefined;
}

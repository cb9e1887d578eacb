// `spindle workers`: who works for the server that runs here, and how one of them ends without a task being lost.
import { ask } from "./server.ts";

const say = (line: string): boolean => process.stdout.write(`${line}\n`);

export async function listWorkers(): Promise<number> {
  const workers = (await ask("/api/workers")) as { plane: string; worker: string }[];
  for (const { plane, worker } of workers) say(`${plane.padEnd(8)}${worker}`);
  const kept = (await ask("/api/workers/kept")) as { plane: string; worker: string; reportedAt: string }[];
  for (const { plane, worker, reportedAt } of kept)
    if (!workers.some((present) => present.plane === plane && present.worker === worker))
      say(`${plane.padEnd(8)}${worker}  has not reported since ${reportedAt}; what it offered is kept`);
  if (workers.length === 0) process.stderr.write("spindle: no worker answers\n");
  return 0;
}

/** @param worker one of the list; absent: all of them */
export async function printDrained(worker?: string): Promise<number> {
  const init = {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(worker === undefined ? {} : { worker }),
  };
  const { draining } = (await ask("/api/workers/drain", init)) as { draining: string[] };
  for (const name of draining) say(`${name} takes no more tasks, and ends once it has done what it has.`);
  if (draining.length === 0) process.stderr.write("spindle: no worker answers\n");
  return 0;
}

/** @param worker one that does not answer any more, and whose capabilities are still in the library */
export async function forgetWorker(worker: string): Promise<number> {
  await ask("/api/workers/forget", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ worker }) });
  say(`What ${worker} alone offered is in the library no more.`);
  return 0;
}

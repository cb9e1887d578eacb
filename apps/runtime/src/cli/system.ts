// `spindle system`: what the server that runs here does, and pausing its devices.
import type { SystemView } from "../services/system-service.ts";
import { ask } from "./server.ts";

const say = (line: string): boolean => process.stdout.write(`${line}\n`);

export async function printSystem(json: boolean): Promise<number> {
  const system = (await ask("/api/system")) as SystemView;
  if (json) return say(JSON.stringify(system, null, 2)) ? 0 : 1;
  for (const { id, state, version } of system.stores) say(`${id.padEnd(10)}${state}${version ? `, ${version}` : ""}`);
  for (const { id, release, count } of system.runtimes ?? []) say(`runtime   ${id}, ${release}, drives ${count}`);
  for (const { plane, name, state, version, slots } of system.workers) {
    const tasks = slots.flatMap(({ id, task }) => (task ? [`${id} runs ${task.label} of run ${task.run.number}`] : []));
    say(`${plane.padEnd(10)}${[name, state, ...(version ? [version] : []), ...tasks].join(", ")}`);
  }
  for (const { id, paused, running, count } of system.devices ?? [])
    say(`device    ${id}, ${paused ? "paused, " : ""}${running.length} run, ${count} wait`);
  return 0;
}

/** @param device as `spindle system` names it, or `all` */
export async function steerDevice(act: "pause" | "resume", device: string): Promise<number> {
  const body = JSON.stringify({ device });
  await ask(`/api/system/${act}`, { method: "POST", headers: { "content-type": "application/json" }, body });
  say(`${device}: ${act === "pause" ? "paused. What runs goes on, and nothing new begins." : "resumed."}`);
  return 0;
}

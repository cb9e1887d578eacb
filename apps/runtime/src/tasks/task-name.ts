// How a task is called, and what of it goes on the bus. Its name is the node run and the fence, and its objects lie under both, so that
// what an earlier try wrote is never mistaken for the current one's.
import { createHash } from "node:crypto";
import { canonicalText, serverOfEngine } from "@spindle/graph-model";
import type { Route } from "@spindle/task-bus";
import type { Timings } from "../config.ts";
import type { TaskRow } from "../record/node-run.ts";

export interface TaskName {
  nodeRun: string;
  fence: number;
}

export const taskName = (nodeRun: string, fence: number): string => `${nodeRun}:${fence}`;

const PATTERN = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):([0-9]{1,9})$/;

export function parseTask(task: string): TaskName | undefined {
  const found = PATTERN.exec(task);
  return found ? { nodeRun: found[1] as string, fence: Number(found[2]) } : undefined;
}

export const objectKey = (purpose: "output" | "preview", run: string, task: TaskName, artifact: string): string =>
  `${purpose}/${run}/${task.nodeRun}/${task.fence}/${artifact}`;

/** The bytes that `GET /tasks/:task/input` answers. */
export const inputText = (row: Pick<TaskRow, "input">): string => canonicalText(row.input ?? {});

export const routeOf = (row: Pick<TaskRow, keyof Route>): Route => ({
  plane: row.plane,
  service: row.service,
  version: row.version,
  // A workflow on a server waits in the server's one queue, with everything else for it.
  engine: row.plane === "comfy" ? serverOfEngine(row.engine) : row.engine,
});

/** The entry that the bus keeps for a task (schemas/tasks). */
export function entryOf(row: TaskRow, timings: Timings) {
  const hex = row.id.replaceAll("-", "");
  return {
    v: 1 as const,
    task: taskName(row.id, row.fence),
    nodeRun: row.id,
    run: row.run_id,
    attempt: row.attempt,
    fence: row.fence,
    capability: `${row.service}@${row.version}`,
    engine: row.engine,
    inputSha256: createHash("sha256").update(inputText(row)).digest("hex"),
    leaseMs: timings.leaseMs,
    beatMs: timings.beatMs,
    stallMs: row.stall_seconds * 1000,
    timeoutMs: row.timeout_seconds * 1000,
    traceparent: `00-${row.run_id.replaceAll("-", "")}-${hex.slice(0, 16)}-01`,
  };
}

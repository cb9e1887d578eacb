// A task is named node run and fence; its objects lie under both, so that what an old attempt wrote is never mistaken.
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

import { ERROR_NODE_STATES } from "@spindle/schemas";
import type { RunView } from "../services/run-service.ts";
import { call, runningServer } from "./server.ts";

interface Options {
  node?: string;
  json?: boolean;
}

type Written = { attempt: number; text: string }[];

/** Prints what the tries of a run's node runs wrote, and why each that failed did. Exit code 1 if a node run that is named is not there. */
export async function printLogs(run: string, { node, json }: Options): Promise<number> {
  const url = await runningServer();
  if (!url) throw new Error("No Spindle answers here. Start it with npm start, or name one by SPINDLE_URL.");
  const view = await ask<RunView>(`${url}/api/runs/${encodeURIComponent(run)}`);
  const shown = view.nodes.filter((nodeRun) => node === undefined || nodeRun.node === node || nodeRun.path === node);
  if (node !== undefined && shown.length === 0) throw new Error(`The run has no node ${node}. It has: ${listed(view)}.`);
  for (const nodeRun of shown) {
    const logs = await ask<Written>(`${url}/api/runs/${encodeURIComponent(run)}/logs?path=${encodeURIComponent(nodeRun.path)}`);
    if (json) {
      const about = { run: view.id, node: nodeRun.node, path: nodeRun.path, state: nodeRun.state, attempt: nodeRun.attempt };
      process.stdout.write(`${JSON.stringify({ ...about, ...(nodeRun.error ? { error: nodeRun.error } : {}), logs })}\n`);
    } else process.stdout.write(textOf(nodeRun, logs));
  }
  return 0;
}

function textOf({ path, state, error }: RunView["nodes"][number], logs: Written): string {
  const failed = error && (ERROR_NODE_STATES as readonly string[]).includes(state) ? `  ${error.code}: ${error.message}\n` : "";
  const tries = logs.map(({ attempt, text }) => `  try ${attempt}:\n${text.trimEnd().replaceAll(/^/gm, "    ")}\n`).join("");
  return `${path}: ${state}\n${failed}${tries}`;
}

const listed = ({ nodes }: RunView): string => nodes.map(({ path }) => path).join(", ") || "none yet";

async function ask<Answer>(address: string): Promise<Answer> {
  const answer = await call(address);
  if (answer.ok) return (await answer.json()) as Answer;
  const { error } = (await answer.json().catch(() => ({}))) as { error?: { message: string } };
  throw new Error(error?.message ?? `The server answers ${answer.status}.`);
}

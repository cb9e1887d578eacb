// Which ComfyUI servers failed at what they were given last, by infrastructure and not by the graph. A server that answers all with an error
// at once is always free: it would draw each task that may run elsewhere.
import { serverOfEngine } from "@spindle/graph-model";
import type { TaskResult } from "@spindle/schemas";
import type { TaskRow } from "../record/node-run.ts";

/** After so long without another failure it is given tasks as any other: nobody else might find that it was mended. */
const HELD_MS = 10 * 60_000;

interface Failures {
  /** Since its last success. */
  count: number;
  since: number;
  last: number;
  message: string;
}

export class ServerFailures {
  private readonly servers = new Map<string, Failures>();

  constructor(private readonly now: () => number = Date.now) {}

  /** Counts what a worker answered to a task. What the graph itself is to blame for says nothing of a server. */
  count({ plane, engine }: Pick<TaskRow, "plane" | "engine">, { outcome, error }: Pick<TaskResult, "outcome" | "error">): void {
    if (plane !== "comfy") return;
    const server = serverOfEngine(engine);
    if (outcome === "succeeded") this.servers.delete(server);
    // What passes by itself may be the runtime's, of whom the server knows nothing.
    const isServers = error?.class === "infra" || (error?.class === "transient" && error.code.startsWith("comfy."));
    if (outcome !== "failed" || !error || !isServers) return;
    const { count = 0, since = this.now() } = this.of(server) ?? {};
    this.servers.set(server, { count: count + 1, since, last: this.now(), message: error.message });
  }

  /** How many tasks failed there since the last that succeeded. */
  countOf(server: string): number {
    return this.of(server)?.count ?? 0;
  }

  /** That a server has failed, and what follows from it, as a sentence; undefined if it has not. */
  reasonOf(server: string): string | undefined {
    const failures = this.of(server);
    if (!failures) return undefined;
    const { count, since, message } = failures;
    const tasks = count === 1 ? "The last task" : `The last ${count.toLocaleString("en")} tasks`;
    return `${tasks} there failed, since ${new Date(since).toISOString()}: ${message} Other servers that can run a node are chosen first.`;
  }

  private of(server: string): Failures | undefined {
    const found = this.servers.get(server);
    return found && this.now() - found.last < HELD_MS ? found : undefined;
  }
}

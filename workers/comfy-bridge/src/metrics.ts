// What the bridge counts; served for Prometheus where SPINDLE_BRIDGE_METRICS_PORT says so.
import { createServer, type Server } from "node:http";
import type { Journal, WorkerEnd } from "@spindle/task-bus";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";

const registry = new Registry();
const registers = [registry];
const labelNames = ["server"];
const tasks = new Counter({
  name: "spindle_bridge_tasks_total",
  help: "Tasks that ended here, by ComfyUI and outcome",
  labelNames: [...labelNames, "outcome"],
  registers,
});
const seconds = new Histogram({
  name: "spindle_bridge_task_seconds",
  help: "How long tasks took, from the claim to the result",
  labelNames,
  buckets: [0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200],
  registers,
});
const lost = new Counter({
  name: "spindle_bridge_tasks_lost_total",
  help: "Tasks that were taken from this bridge while it had them",
  labelNames,
  registers,
});
const previews = new Counter({ name: "spindle_bridge_previews_total", help: "Previews that were sent", labelNames, registers });

/** The bus as one ComfyUI's loop uses it, counted and noted. */
export function countedBus(bus: WorkerEnd, server: string, log: Pick<Journal, "note">): WorkerEnd {
  seconds.zero({ server });
  for (const none of [lost, previews]) none.inc({ server }, 0); // what has not happened is 0, and no series that is missing
  /** When tasks were claimed; a ComfyUI has one at a time. */
  let claimed: { task: string; run: string; nodeRun: string; at: number } | undefined;
  return {
    async claim(routes) {
      const entry = await bus.claim(routes);
      if (entry) claimed = { task: entry.task, run: entry.run, nodeRun: entry.nodeRun, at: performance.now() };
      return entry;
    },
    async beat(entry) {
      const answer = await bus.beat(entry);
      if (answer === "lost" && claimed?.task === entry.task) {
        lost.inc({ server });
        claimed = undefined;
      }
      return answer;
    },
    async progress(progress) {
      await bus.progress(progress);
      if (progress.preview) previews.inc({ server });
    },
    async settle(result) {
      await bus.settle(result);
      tasks.inc({ server, outcome: result.outcome });
      if (claimed?.task !== result.task) return;
      seconds.observe({ server }, (performance.now() - claimed.at) / 1000);
      const code = result.error ? { code: result.error.code } : {};
      log.note("tasks", `task ${result.outcome} at ${server}`, { run: claimed.run, nodeRun: claimed.nodeRun, ...code });
    },
  };
}

interface Offering {
  id: string;
  live: boolean;
  nodes: ReadonlyMap<string, unknown>;
}

/** @param offered what each ComfyUI offers now */
export async function serveMetrics({ host, port }: { host: string; port: number }, offered: () => readonly Offering[]): Promise<Server> {
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: "spindle_bridge_server_up",
    help: "Whether a ComfyUI answers",
    labelNames,
    registers,
    collect() {
      for (const { id, live } of offered()) this.set({ server: id }, live ? 1 : 0);
    },
  });
  new Gauge({
    name: "spindle_bridge_server_nodes",
    help: "How many classes of nodes a ComfyUI offers",
    labelNames,
    registers,
    collect() {
      for (const { id, nodes } of offered()) this.set({ server: id }, nodes.size);
    },
  });
  const server = createServer((request, response) => {
    if (request.method !== "GET" || request.url !== "/metrics") return void response.writeHead(404).end();
    registry.metrics().then(
      (text) => response.setHeader("content-type", registry.contentType).end(text),
      (error: unknown) => response.writeHead(500).end(String(error)),
    );
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(port, host, resolve));
  return server;
}

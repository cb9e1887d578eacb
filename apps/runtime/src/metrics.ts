// What this process counts as it happens, for Prometheus. What is asked at each scrape is in api/metrics.ts.
import { Counter, Histogram, Registry } from "prom-client";

/** Each process has one. */
export const counted = new Registry();

const registers = [counted];
const ROUTE = ["plane", "capability", "engine"] as const;
/** A draft engine answers in milliseconds; a film takes hours. */
const SECONDS = [0.01, 0.05, 0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200];

export const metrics = {
  runsAccepted: new Counter({ name: "spindle_runs_accepted_total", help: "Runs that were accepted", registers }),
  runsEnded: new Counter({ name: "spindle_runs_ended_total", help: "Runs that ended, by outcome", labelNames: ["outcome"], registers }),
  events: new Counter({ name: "spindle_run_events_total", help: "Events committed for runs, by type", labelNames: ["type"], registers }),
  nodeRunsEnded: new Counter({
    name: "spindle_node_runs_ended_total",
    help: "Node runs that ended, by what ran them and how they ended; `reused`: an earlier result stands for theirs",
    labelNames: [...ROUTE, "outcome"],
    registers,
  }),
  nodeRunSeconds: new Histogram({
    name: "spindle_node_run_seconds",
    help: "How long node runs took, from their start to their end",
    labelNames: ROUTE,
    buckets: SECONDS,
    registers,
  }),
  queueWait: new Histogram({
    name: "spindle_queue_wait_seconds",
    help: "How long tasks waited until a worker began them",
    labelNames: ["plane", "capability"],
    buckets: SECONDS,
    registers,
  }),
  retries: new Counter({
    name: "spindle_node_retries_total",
    help: "Further tries of node runs, by the change that began them",
    labelNames: ["plane", "change"],
    registers,
  }),
  leasesLost: new Counter({
    name: "spindle_leases_lost_total",
    help: "Tasks whose worker went silent until the lease was over",
    labelNames: ["plane"],
    registers,
  }),
  deadLetters: new Counter({
    name: "spindle_dead_letters_total",
    help: "What was on the bus and is no message of this Spindle: among the results, or among the entries of queues",
    labelNames: ["kind"],
    registers,
  }),
  previews: new Counter({ name: "spindle_previews_total", help: "Previews that were shown", registers }),
  previewsDropped: new Counter({
    name: "spindle_previews_dropped_total",
    help: "Previews whose bytes were not what was claimed",
    registers,
  }),
  progressDelay: new Histogram({
    name: "spindle_progress_delay_seconds",
    help: "How old the newest report of progress or preview was when it was read from Redis, by the clocks of both",
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5],
    registers,
  }),
  artifactBytes: new Counter({
    name: "spindle_artifact_bytes_total",
    help: "Bytes of artifacts that were added, by purpose",
    labelNames: ["purpose"],
    registers,
  }),
  socketsRefused: new Counter({
    name: "spindle_sockets_refused_total",
    help: "Sockets that were not opened, by the status of the answer",
    labelNames: ["status"],
    registers,
  }),
};

// What has not happened is 0, and no series that is missing: only then does its first time count as an increase.
for (const plane of ["python", "comfy"]) metrics.leasesLost.inc({ plane }, 0);
for (const outcome of ["succeeded", "failed", "cancelled"]) metrics.runsEnded.inc({ outcome }, 0);

/** Lets the first so many values of a label through; all others are `other`, because Prometheus keeps a series for each. */
export class BoundedLabel {
  private readonly known = new Set<string>();

  constructor(private readonly most: number) {}

  of(value: string): string {
    if (this.known.has(value)) return value;
    if (this.known.size >= this.most) return "other";
    this.known.add(value);
    return value;
  }
}

/** A ComfyUI has thousands of classes of nodes, and a library of ours some twenty capabilities. */
const capabilities = new BoundedLabel(200);
const engines = new BoundedLabel(100);

/** The labels of a capability and its engine. */
export const routeLabels = ({ plane, service, engine }: { plane: string; service: string; engine: string }) => ({
  plane,
  capability: capabilities.of(service),
  engine: engines.of(engine),
});

import { BUS } from "@spindle/schemas";

/** Which stream a task belongs to: a worker of another version of the capability never reads it. */
export interface Route {
  plane: string;
  service: string;
  version: string;
  engine: string;
}

const key = (name: string): string => `${BUS.prefix}:${name}`;
const fill = (pattern: string, values: Record<string, string>): string =>
  key(pattern.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? ""));

/** Every key, stream and channel of the protocol (schemas/tasks/bus.json). */
export const names = {
  /** The stream of the tasks of one route (DESIGN W3). */
  queue: ({ plane, service, version, engine }: Route) => fill(BUS.names.queue, { plane, capability: service, version, engine }),
  results: key(BUS.names.results),
  resultsBell: `${key(BUS.names.results)}:bell`,
  progress: key(BUS.names.progress),
  /** What was on the bus and is no message of this Spindle. */
  deadLetters: key(BUS.names.deadLetters),
  lease: (task: string) => fill(BUS.names.lease, { task }),
  cancel: (task: string) => fill(BUS.names.cancel, { task }),
  dispatched: (task: string) => fill(BUS.names.dispatched, { task }),
  settled: (task: string) => fill(BUS.names.settled, { task }),
  decidedBell: key(BUS.names.decided),
  epoch: key(BUS.names.epoch),
  /** The set of a plane's workers, and what each of them offers. */
  workers: (plane: string) => fill(BUS.names.workers, { plane }),
  workerManifest: (plane: string, worker: string) => fill(BUS.names.workerManifest, { plane, worker }),
  /** What a worker says of itself. */
  workerReport: (plane: string, worker: string) => fill(BUS.names.workerReport, { plane, worker }),
  /** Set for a worker that is to take no more, to end what it has, and to end then. */
  drain: (worker: string) => fill(BUS.names.drain, { worker }),
  doorbell: (plane: string) => fill(BUS.names.doorbell, { plane }),
} as const;

import { BUS } from "@spindle/schemas";

const key = (name: string): string => `${BUS.prefix}:${name}`;
const fill = (pattern: string, values: Record<string, string>): string =>
  key(pattern.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? ""));

/** Every key, stream and channel of the protocol (schemas/tasks/bus.json). */
export const names = {
  queue: (plane: string, capability: string, engine: string) => fill(BUS.names.queue, { plane, capability, engine }),
  results: key(BUS.names.results),
  resultsBell: `${key(BUS.names.results)}:bell`,
  progress: key(BUS.names.progress),
  lease: (task: string) => fill(BUS.names.lease, { task }),
  cancel: (task: string) => fill(BUS.names.cancel, { task }),
  dispatched: (task: string) => fill(BUS.names.dispatched, { task }),
  settled: (task: string) => fill(BUS.names.settled, { task }),
  decidedBell: key(BUS.names.decided),
  epoch: key(BUS.names.epoch),
  manifest: (plane: string) => fill(BUS.names.manifest, { plane }),
  /** The set of a plane's workers, and what each of them offers. */
  workers: (plane: string) => fill(BUS.names.workers, { plane }),
  workerManifest: (plane: string, worker: string) => fill(BUS.names.workerManifest, { plane, worker }),
  doorbell: (plane: string) => fill(BUS.names.doorbell, { plane }),
} as const;

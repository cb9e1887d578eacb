// What `npm run bench` prints, and how it is measured: ours and an anchor by turns, in the same run, medians of both.
import type pg from "pg";

export interface Figure {
  id: string;
  /** The number that the goal bounds: our measurement over the anchor's; null if a side condition failed. */
  value: number | null;
  ours: number;
  /** What the anchor is. */
  anchor: string;
  anchorValue: number;
  /** Of `ours` and `anchorValue`. */
  unit: string;
  goal: string;
  /** Why `value` is null. */
  failed?: string;
}

export interface Bench {
  url: string;
  env: Record<string, string>;
  db: pg.Pool;
  /** Ends the Python worker, so that stubs may take its tasks. */
  stopWorker(): Promise<void>;
}

export type Measure = (bench: Bench) => Promise<Figure[]>;

export const median = (list: readonly number[]): number => quantile(list, 0.5);

export function quantile(list: readonly number[], share: number): number {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;
}

/** Milliseconds. */
export function timed(work: () => void): number {
  const begin = performance.now();
  work();
  return performance.now() - begin;
}

export const rounded = (value: number): number => Number(value.toPrecision(4));

export function ratio(figure: Omit<Figure, "value">): Figure {
  return {
    ...figure,
    ours: rounded(figure.ours),
    anchorValue: rounded(figure.anchorValue),
    value: figure.failed ? null : rounded(figure.ours / figure.anchorValue),
  };
}

/** Measures both by turns, so that a noisy minute hits both; the first round warms up and does not count. */
export async function byTurns<K extends string>(rounds: number, tasks: Record<K, () => Promise<number>>): Promise<Record<K, number[]>> {
  const found = Object.fromEntries(Object.keys(tasks).map((name) => [name, []])) as unknown as Record<K, number[]>;
  for (let round = 0; round <= rounds; round++)
    for (const name of Object.keys(tasks) as K[]) {
      const value = await tasks[name]();
      if (round > 0) found[name].push(value);
    }
  return found;
}

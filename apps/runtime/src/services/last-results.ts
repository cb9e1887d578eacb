// What a graph's last run that succeeded has to show: a picture or a video, for the list of graphs.
import type { ArtifactRef } from "@spindle/schemas";
import type { Database } from "../store/database.ts";

/** A run that succeeded gives the same for ever, so each is asked about once. */
const KEPT = 10_000;
/** Of a run without a public output: how many of its last nodes are looked through. */
const LAST_NODES = 100;

const LAST_RUNS = `SELECT graph.id AS graph, last.id AS run FROM unnest($1::uuid[]) graph(id) CROSS JOIN LATERAL
  (SELECT id FROM run WHERE graph_id = graph.id AND state = 'succeeded' ORDER BY created_at DESC LIMIT 1) last`;

/** Public outputs come first, then what the last nodes gave. */
const SHOWN = `SELECT asked.id AS run, shown.value FROM unnest($1::uuid[]) asked(id) CROSS JOIN LATERAL (
    SELECT value, 0 AS rank, now() AS at FROM run, jsonb_each(CASE jsonb_typeof(outputs) WHEN 'object' THEN outputs ELSE '{}' END)
      WHERE run.id = asked.id
    UNION ALL
    SELECT value, 1, finished_at FROM
      (SELECT id, finished_at FROM node_run WHERE run_id = asked.id AND state = 'succeeded' ORDER BY finished_at DESC LIMIT ${LAST_NODES}) node
      JOIN node_result result ON result.node_run_id = node.id,
      jsonb_each(CASE jsonb_typeof(result.output) WHEN 'object' THEN result.output ELSE '{}' END)
  ) shown WHERE shown.value ? 'artifact' AND shown.value->>'mime' ~ '^(image|video)/' ORDER BY asked.id, shown.rank, shown.at DESC`;

export class LastResults {
  /** By run; null where it has nothing to show. */
  private readonly known = new Map<string, ArtifactRef | null>();

  constructor(private readonly db: Pick<Database, "pool">) {}

  /** By graph; one without such a result is missing. */
  async of(graphs: readonly string[]): Promise<ReadonlyMap<string, ArtifactRef>> {
    const { rows: runs } = await this.db.pool.query<{ graph: string; run: string }>(LAST_RUNS, [graphs]);
    const unknown = runs.map(({ run }) => run).filter((run) => !this.known.has(run));
    if (unknown.length > 0) await this.ask(unknown);
    return new Map(runs.flatMap(({ graph, run }) => [[graph, this.known.get(run)] as const]).filter((one) => isShown(one)));
  }

  private async ask(runs: readonly string[]): Promise<void> {
    const { rows } = await this.db.pool.query<{ run: string; value: ArtifactRef }>(SHOWN, [runs]);
    if (this.known.size >= KEPT) this.known.clear();
    for (const run of runs) this.known.set(run, rows.find((row) => row.run === run)?.value ?? null);
  }
}

const isShown = (one: readonly [string, ArtifactRef | null | undefined]): one is [string, ArtifactRef] => Boolean(one[1]);

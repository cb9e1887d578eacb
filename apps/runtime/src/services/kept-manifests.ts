// What each worker and each bridge offered last (docs/decisions/0062): it stays in the library when they go, and leaves it by a person's act.
import { createHash } from "node:crypto";
import type pg from "pg";
import { storable } from "../store/storable.ts";

export interface Kept {
  plane: string;
  worker: string;
  sha256: string;
  /** A plane's manifest; of a bridge its notice, whose documents lie in the store. */
  manifest: unknown;
  reportedAt: Date;
}

/** How old the time of a worker's last report may be in the database. */
const REPORTED_EVERY_MS = 60_000;

export class KeptManifests {
  private rows: readonly Kept[] = [];

  constructor(private readonly pool: Pick<pg.Pool, "query">) {}

  of(plane: string): readonly Kept[] {
    return this.rows.filter((row) => row.plane === plane);
  }

  /** Reads what other runtimes have changed. */
  async refresh(): Promise<void> {
    const known = new Map(this.rows.map((row) => [`${row.plane} ${row.worker} ${row.sha256}`, row]));
    const { rows } = await this.pool.query<Omit<Kept, "manifest">>(
      `SELECT plane, worker, sha256, reported_at AS "reportedAt" FROM worker_manifest ORDER BY plane, worker`,
    );
    const fresh = rows.filter(({ plane, worker, sha256 }) => !known.has(`${plane} ${worker} ${sha256}`));
    const read = fresh.length > 0 ? await this.read(fresh) : new Map<string, unknown>();
    this.rows = rows.flatMap((row) => {
      const key = `${row.plane} ${row.worker} ${row.sha256}`;
      const manifest = known.get(key)?.manifest ?? read.get(key);
      return manifest === undefined ? [] : [{ ...row, manifest }]; // it may have gone between the two
    });
  }

  private async read(some: readonly Omit<Kept, "manifest">[]): Promise<Map<string, unknown>> {
    const { rows } = await this.pool.query<Kept>("SELECT plane, worker, sha256, manifest FROM worker_manifest WHERE worker = ANY($1)", [
      some.map(({ worker }) => worker),
    ]);
    return new Map(rows.map(({ plane, worker, sha256, manifest }) => [`${plane} ${worker} ${sha256}`, manifest]));
  }

  /** Keeps what a worker that answers offers; costs nothing where that is known and was said a moment ago. */
  async keep(plane: string, worker: string, manifest: object, now = new Date()): Promise<void> {
    const known = this.rows.find((row) => row.plane === plane && row.worker === worker);
    if (known && known.manifest === manifest) {
      if (now.getTime() - known.reportedAt.getTime() < REPORTED_EVERY_MS) return;
      known.reportedAt = now;
      const said = await this.pool.query("UPDATE worker_manifest SET reported_at = now() WHERE plane = $1 AND worker = $2", [
        plane,
        worker,
      ]);
      if (said.rowCount === 1) return;
    }
    const text = storable(manifest);
    const sha256 = createHash("sha256").update(text).digest("hex");
    await this.pool.query(
      `INSERT INTO worker_manifest (plane, worker, sha256, manifest) VALUES ($1, $2, $3, $4)
       ON CONFLICT (plane, worker) DO UPDATE SET sha256 = EXCLUDED.sha256, manifest = EXCLUDED.manifest, reported_at = EXCLUDED.reported_at`,
      [plane, worker, sha256, text],
    );
    const row = { plane, worker, sha256, manifest, reportedAt: now };
    this.rows = [...this.rows.filter((each) => each !== known), row];
  }

  async forget(plane: string, worker: string): Promise<void> {
    await this.pool.query("DELETE FROM worker_manifest WHERE plane = $1 AND worker = $2", [plane, worker]);
    this.rows = this.rows.filter((row) => row.plane !== plane || row.worker !== worker);
  }
}

// What runs have frozen besides their graph, by content hash (docs/decisions/0061). Nothing is ever changed here, and nothing removed.
import type pg from "pg";
import { storable } from "../store/storable.ts";
import type { FrozenBodies } from "./frozen.ts";
import type { FrozenDefinitions } from "./record.ts";

/** Hashes that this process remembers as stored. */
const REMEMBERED = 10_000;

export class PostgresFrozen implements FrozenDefinitions {
  private readonly stored = new Set<string>();

  constructor(private readonly pool: pg.Pool) {}

  async keep(bodies: FrozenBodies): Promise<void> {
    const fresh = [...bodies].filter(([hash]) => !this.stored.has(hash));
    if (fresh.length === 0) return;
    await this.pool.query(
      "INSERT INTO frozen_definition (hash, body) SELECT * FROM unnest($1::text[], $2::jsonb[]) ON CONFLICT (hash) DO NOTHING",
      [fresh.map(([hash]) => hash), fresh.map(([, body]) => storable(body))],
    );
    if (this.stored.size + fresh.length > REMEMBERED) this.stored.clear();
    for (const [hash] of fresh) this.stored.add(hash);
  }

  async find(hashes: readonly string[]): Promise<Map<string, object>> {
    const text = "SELECT hash, body FROM frozen_definition WHERE hash = ANY($1)";
    const { rows } = await this.pool.query<{ hash: string; body: object }>({ name: "frozen-find", text, values: [hashes] });
    return new Map(rows.map(({ hash, body }) => [hash, body]));
  }
}

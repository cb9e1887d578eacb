// The ComfyUI workflows that are engines of capabilities: those that ship, and those that people offer, which are rows that all runtimes of a
// database share. From the library on, nobody tells one from the other.
import { type Blueprint, validateBlueprint } from "@spindle/schemas";
import type pg from "pg";
import { storable } from "../store/storable.ts";

/** A workflow that somebody offers; without `blueprint` its row cannot be read, and it is no engine. */
export interface StoredBlueprint {
  name: string;
  offeredAt: Date;
  blueprint?: Blueprint;
}

interface Row {
  name: string;
  created_at: Date;
}

export class Blueprints {
  private rows: readonly StoredBlueprint[] = [];
  /** What `rows` were read for. */
  private known = "[]";

  constructor(
    private readonly pool: Pick<pg.Pool, "query">,
    readonly shipped: readonly Blueprint[],
  ) {}

  /** Those of people, by name. */
  get stored(): readonly StoredBlueprint[] {
    return this.rows;
  }

  get all(): readonly Blueprint[] {
    return [...this.shipped, ...this.rows.flatMap(({ blueprint }) => blueprint ?? [])];
  }

  /** Another text means other workflows. */
  get version(): string {
    return this.known;
  }

  /** Reads what other runtimes have changed. */
  async refresh(): Promise<void> {
    const { rows } = await this.pool.query<Row>("SELECT name, created_at FROM workflow_engine ORDER BY name");
    const now = JSON.stringify(rows);
    if (now === this.known) return;
    const read = await this.pool.query<Row & { blueprint: unknown }>(
      "SELECT name, created_at, blueprint FROM workflow_engine ORDER BY name",
    );
    // A newer release may have stored what this one does not know.
    this.rows = read.rows.map(({ name, created_at: offeredAt, blueprint }) => ({
      name,
      offeredAt,
      ...(validateBlueprint(blueprint) ? { blueprint } : {}),
    }));
    this.known = JSON.stringify(read.rows.map(({ name, created_at }) => ({ name, created_at })));
  }

  /** @returns whether the name was free */
  async add(blueprint: Blueprint): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      "INSERT INTO workflow_engine (name, blueprint) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
      [blueprint.name, storable(blueprint)],
    );
    return rowCount === 1;
  }

  async remove(name: string): Promise<void> {
    await this.pool.query("DELETE FROM workflow_engine WHERE name = $1", [name]);
  }
}

// Whether what a record wrote are events of the contract, read from its database.
import type pg from "pg";
import { validateRunEvent } from "../../schemas/generated/index.ts";

/** The events that break the schema, each with why; of each type the first few. */
export async function badEvents(db: pg.Pool): Promise<string[]> {
  const { rows } = await db.query("SELECT * FROM run_event ORDER BY run_id, seq");
  const bad = new Map<string, string[]>();
  for (const { run_id: run, seq, type, at, node, path, attempt, body } of rows) {
    const event = { run, seq, type, at: at.toISOString(), ...(node === null ? {} : { node, path, attempt }), body };
    if (validateRunEvent(event)) continue;
    const why = (validateRunEvent.errors ?? []).map(({ instancePath, message }) => `${instancePath || "the event"} ${message}`).join("; ");
    bad.set(type, [...(bad.get(type) ?? []), `${JSON.stringify(event)}: ${why}`]);
  }
  return [...bad.values()].flatMap((list) => list.slice(0, 3));
}

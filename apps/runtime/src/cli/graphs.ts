// `spindle graphs repair`: what was set aside of each graph, and what of it can be put back.
import pg from "pg";
import { listSetAside, repair, type SetAsideEdit } from "../collab/repair.ts";
import { configHere } from "./backup.ts";

const say = (line: string): boolean => process.stdout.write(`${line}\n`);

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

const edits = (count: number): string => (count === 1 ? "1 edit" : `${count} edits`);

function show(list: readonly SetAsideEdit[]): void {
  for (const { seq, at, bytes, reason } of list) say(`  ${seq}  ${at.toISOString()}  ${bytes} bytes  ${reason}`);
}

/**
 * @param graph its id; without it, all that was set aside is listed and nothing is changed
 * @returns exit code 1 where something of the graph stays set aside
 */
export async function repairGraphs(graph?: string): Promise<number> {
  if (graph !== undefined && !UUID.test(graph))
    throw new Error(`"${graph.slice(0, 80)}" is no id of a graph. \`spindle graphs repair\` lists those of which something was set aside.`);
  const { databaseUrl } = await configHere();
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 1 });
  try {
    return graph === undefined ? await list(pool) : await mend(pool, graph);
  } finally {
    await pool.end();
  }
}

async function list(pool: pg.Pool): Promise<number> {
  const graphs = await listSetAside(pool);
  if (graphs.length === 0) say("Nothing is set aside.");
  for (const { id, name, isDeleted, edits: list } of graphs) {
    say(`${id}  ${name}${isDeleted ? " (deleted)" : ""}: ${edits(list.length)}`);
    show(list);
  }
  if (graphs.length > 0) say("`spindle graphs repair ID` puts back what can be applied to a graph by now.");
  return 0;
}

async function mend(pool: pg.Pool, graph: string): Promise<number> {
  const { rowCount } = await pool.query("SELECT FROM graph WHERE id = $1", [graph]);
  if (rowCount === 0) throw new Error(`There is no graph ${graph}.`);
  const { putBack, left } = await repair(pool, graph);
  if (putBack.length + left.length === 0) say("Nothing of this graph is set aside.");
  if (putBack.length > 0) {
    say(`Put back: ${edits(putBack.length)}.`);
    show(putBack);
    say("Pages that have the graph open begin afresh, and keep what they had as a copy.");
  }
  if (left.length === 0) return 0;
  say(`Still set aside: ${edits(left.length)}.`);
  show(left);
  say("An edit that builds on another one can be put back once that one is there, as when its author's browser has brought it.");
  return 1;
}

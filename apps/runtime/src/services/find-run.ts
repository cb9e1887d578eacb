// Runs and node runs by what a request names them; a 404 says which of the two is not there.
import type { NodeRunRow } from "../record/node-run.ts";
import type { NodeRunRecord } from "../record/record.ts";
import { Refused } from "../refused.ts";
import type { Database } from "../store/database.ts";
import type { Prisma } from "../store/generated/client.ts";

const noRun = (): Refused => new Refused(404, "run.not_found", "There is no such run.");

/** With its revision. @throws Refused 404 */
export async function findRun(db: Database, id: string): Promise<Prisma.RunGetPayload<{ include: { revision: true } }>> {
  const run = await db.prisma.run.findUnique({ where: { id }, include: { revision: true } });
  if (!run) throw noRun();
  return run;
}

/** @throws Refused 404 */
export async function assertRun(db: Database, id: string): Promise<void> {
  if (!(await db.prisma.run.findUnique({ where: { id }, select: { id: true } }))) throw noRun();
}

/** @throws Refused 404 */
export async function findNodeRun(db: Database, nodes: Pick<NodeRunRecord, "find">, run: string, path: string): Promise<NodeRunRow> {
  const found = await db.prisma.nodeRun.findUnique({ where: { runId_path: { runId: run, path } }, select: { id: true } });
  const row = found && (await nodes.find(found.id));
  if (row) return row;
  await assertRun(db, run);
  throw new Refused(404, "node.not_found", "There is no such node run.");
}

// What people do to a run that waits for them: answer, and go on from a breakpoint (DESIGN E7, SPEC RH).
import { LIMITS, type Port, parsePath, type Resolved, readAnswer, whyTooLarge } from "@spindle/graph-model";
import type { AnswerRequest } from "@spindle/schemas";
import type { RunDriver } from "../engine/run-driver.ts";
import type { RunRecord } from "../record/record.ts";
import { Refused } from "../refused.ts";
import type { Database } from "../store/database.ts";
import type { Decisions } from "../tasks/decisions.ts";
import { findNodeRun, findRun } from "./find-run.ts";

/** Values of one field, those inside others included: each may be compared with each choice of the form. */
const MOST_VALUES = 10_000;

/** What a person is asked. */
export interface Question {
  path: string;
  node: string;
  held: "before" | "after" | null;
  message: string | null;
  value: unknown;
  fields: Port[];
  buttons: string[];
  /** ISO 8601; null if the question has no time limit. */
  dueAt: string | null;
}

export class PeopleService {
  constructor(
    private readonly db: Database,
    private readonly record: Pick<RunRecord, "nodes" | "runs">,
    private readonly driver: RunDriver,
    private readonly decisions: Decisions,
  ) {}

  async questions(run: string): Promise<Question[]> {
    const rows = await this.db.prisma.nodeRun.findMany({
      where: { runId: run, OR: [{ state: "waiting" }, { held: "after", passed: false }] },
      orderBy: { changedAt: "asc" },
    });
    const resolved = await this.resolved(run);
    return rows.map((row) => {
      const { fields, buttons } = form(resolved, row.path);
      const input = (row.input ?? {}) as Record<string, unknown>;
      const held = row.held as Question["held"];
      const asks = { message: typeof input.message === "string" ? input.message : null, value: input.value ?? null, fields, buttons };
      const none = { message: null, value: null, fields: [], buttons: [] };
      return { path: row.path, node: row.nodeId, held, dueAt: row.dueAt?.toISOString() ?? null, ...(held ? none : asks) };
    });
  }

  /** @throws Refused 404, 409 if it does not wait for an answer (any more), 422 with the field */
  async answer({ id: run, path, values = {}, button }: AnswerRequest): Promise<void> {
    const row = await findNodeRun(this.db, this.record.nodes, run, path);
    if (row.state !== "waiting" || row.held) throw new Refused(409, "run.not_waiting", "This node does not wait for an answer any more.");
    const asked = form(await this.resolved(run), path);
    for (const { name, label } of asked.fields) {
      const large = whyTooLarge(values[name], { ...LIMITS, values: MOST_VALUES });
      if (large) throw new Refused(422, "run.input_invalid", `${label}: ${large}`, { field: name });
    }
    const read = readAnswer(asked, { values, button });
    if ("why" in read) throw new Refused(422, "run.input_invalid", read.why, { field: read.field });
    const { output } = read;
    const moved = await this.record.nodes.change({ nodeRun: row.id, fence: row.fence, change: "answer", output });
    if (!moved) throw new Refused(409, "run.not_waiting", "Somebody else answered first.");
    await this.wake(run, row.id);
  }

  /** Goes on from a breakpoint. */
  async resume(run: string, path: string): Promise<void> {
    const row = await findNodeRun(this.db, this.record.nodes, run, path);
    const { id: nodeRun, fence, held } = row;
    const change = held === "after" ? "resumeAfter" : "resume";
    const moved =
      held && !row.passed ? await this.record.nodes.change({ nodeRun, fence, change, passed: true, body: { held } }) : undefined;
    if (!moved) throw new Refused(409, "run.not_waiting", "This node is not held any more.");
    await this.wake(run, row.id);
  }

  private async wake(run: string, nodeRun: string): Promise<void> {
    await this.record.runs.wake(run);
    this.decisions.announce(nodeRun);
    this.driver.claimNow();
  }

  private async resolved(run: string): Promise<Resolved> {
    return this.driver.resolvedFor({ id: run, revision_id: (await findRun(this.db, run)).revisionId });
  }
}

function form(resolved: Resolved, path: string): { fields: Port[]; buttons: string[] } {
  const { calls, node: id } = parsePath(path);
  const { node, element } = resolved.within(calls)?.node(id) ?? {};
  const declared = new Set((node && resolved.library.find(node.plane, node.service)?.outputs.map((port) => port.name)) ?? []);
  const asked = (element?.outputs ?? []).filter((port) => !declared.has(port.name));
  return { fields: asked.filter((port) => !port.branch), buttons: asked.filter((port) => port.branch).map((port) => port.name) };
}

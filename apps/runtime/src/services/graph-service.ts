import { createHash, randomUUID } from "node:crypto";
import { setImmediate as nextTurn } from "node:timers/promises";
import {
  canonicalText,
  definitionGraph,
  definitionNames,
  drawGraph,
  type Graph,
  hasErrors,
  type Issue,
  type Library,
  nodeSettings,
  stripState,
  validate,
} from "@spindle/graph-model";
import { loadGraph, normalise } from "@spindle/graph-model/shared-doc";
import type { ArtifactRef, ListGraphsRequest, RunState } from "@spindle/schemas";
import pLimit from "p-limit";
import type { DocumentHost } from "../collab/document-host.ts";
import { sweepRefused } from "../collab/refused-edits.ts";
import { Refused } from "../refused.ts";
import type { Database } from "../store/database.ts";
import { storableName, storableText } from "../store/storable.ts";
import { LastResults } from "./last-results.ts";

export interface GraphSummary {
  id: string;
  name: string;
  updatedAt: string;
  nodes: number;
  /** Why the document cannot be read, if it cannot; `nodes` is 0 then. */
  unreadable?: string;
  /** What can be exported of one that cannot be read (`/api/graphs/:id/export?readable=last`). */
  readable?: "last";
  /** How many of its stored edits could not be applied. */
  setAside: number;
  lastRun?: { id: string; number: number; state: RunState; at: string };
  /** The picture or video that its last run which succeeded gave. */
  result?: ArtifactRef;
}

/** A graph that was deleted. */
export interface DeletedGraph {
  id: string;
  name: string;
  deletedAt: string;
  /** It can be restored until then. */
  until: string;
}

export interface GraphAbout {
  id: string;
  name: string;
  template: string | null;
  /** Stored edits that could not be applied, and when the last of them was set aside. */
  setAside?: { edits: number; at: string };
}

type Counted = Pick<GraphSummary, "nodes" | "unreadable" | "readable">;
/** What is known of a document as it was when it had last been edited at `at`. */
interface Sketch {
  at: number;
  counted: Counted;
  /** SVG; absent if the document cannot be read. */
  picture?: string;
  /** That nodes name, in definitions too. */
  engines: readonly string[];
}

/** Revisions never change and are never removed, so what is known of one stays true. */
const REVISIONS_KEPT = 10_000;
/** For which a deleted graph can be restored. */
const DAYS_KEPT = 30;
const DAY_MS = 24 * 60 * 60 * 1000;
const COPY = " copy";
/** A text to be found as it is: PostgreSQL's patterns mean more by these. */
const literally = (text: string): string => text.replaceAll(/[\\%_]/g, "\\$&");
const keptUntil = (deletedAt: Date): Date => new Date(deletedAt.getTime() + DAYS_KEPT * DAY_MS);
/** Documents that are in memory for the list at a time: the largest take hundreds of megabytes. */
const SKETCHED_AT_ONCE = 4;
/** Sketches in memory; the largest has some 60 kB. */
const SKETCHES_KEPT = 500;
/** Graphs that a list has at most. */
const MOST_LISTED = 200;
const NAME_LENGTH = 200;
const ORDERS = {
  edited: { updatedAt: "desc" },
  created: { createdAt: "desc" },
  name: { name: "asc" },
} as const;

function enginesNamed(graph: Graph): string[] {
  const levels = [graph, ...definitionNames(graph).flatMap((name) => definitionGraph(graph, name) ?? [])];
  const named = levels.flatMap((level) => level.nodes.map(({ id }) => nodeSettings(level, id).engine));
  return [...new Set(named)].filter((engine) => typeof engine === "string");
}

/** Graphs and their documents. What is saved, run or exported is always the server's document (DESIGN C1). */
export class GraphService {
  private readonly revisions = new Map<string, string>();
  /** Per graph: a document is opened for the list only after an edit. */
  private readonly sketches = new Map<string, Sketch>();
  private readonly atOnce = pLimit(SKETCHED_AT_ONCE);
  private readonly results: LastResults;

  constructor(
    private readonly db: Database,
    private readonly documents: DocumentHost,
    private readonly library: () => Library,
  ) {
    this.results = new LastResults(db);
  }

  /** 200 at most. */
  async list({ search = "", sort = "edited" }: ListGraphsRequest = {}): Promise<GraphSummary[]> {
    const rows = await this.db.prisma.graph.findMany({
      where: { deletedAt: null, ...(search.trim() ? { name: { contains: literally(search.trim()), mode: "insensitive" as const } } : {}) },
      orderBy: [ORDERS[sort], { id: "asc" }],
      take: MOST_LISTED,
      include: { runs: { orderBy: { createdAt: "desc" }, take: 1 }, _count: { select: { setAside: true } } },
    });
    if (sort === "name") rows.sort((a, b) => a.name.localeCompare(b.name)); // the database's order may put capitals first
    const results = await this.results.of(rows.map(({ id }) => id));
    const summaries = rows.map(async (row) => {
      const last = row.runs[0];
      const result = results.get(row.id);
      const { counted } = await this.sketch(row.id, row.updatedAt);
      return {
        id: row.id,
        name: row.name,
        updatedAt: row.updatedAt.toISOString(),
        setAside: row._count.setAside,
        ...counted,
        ...(last ? { lastRun: { id: last.id, number: last.number, state: last.state as RunState, at: last.createdAt.toISOString() } } : {}),
        ...(result ? { result } : {}),
      };
    });
    return Promise.all(summaries);
  }

  /** Those with a node that names an engine of which this holds, the last edited first; of the 200 that were edited last. */
  async naming(isMeant: (engine: string) => boolean): Promise<{ id: string; name: string }[]> {
    const rows = await this.db.prisma.graph.findMany({ where: { deletedAt: null }, orderBy: ORDERS.edited, take: MOST_LISTED });
    const found = rows.map(async ({ id, name, updatedAt }) => {
      const { engines } = await this.sketch(id, updatedAt);
      return engines.some(isMeant) ? [{ id, name }] : [];
    });
    return (await Promise.all(found)).flat();
  }

  /** SVG of the document as it is now. @throws Refused if there is no such graph, or it cannot be read */
  async picture(id: string): Promise<string> {
    const { updatedAt } = await this.find(id);
    const { picture, counted } = await this.sketch(id, updatedAt);
    if (picture === undefined) throw new Refused(422, "request.invalid", counted.unreadable ?? "This graph cannot be drawn.");
    return picture;
  }

  async create(name: string, graph?: Graph, template?: string): Promise<string> {
    const id = randomUUID();
    await this.db.prisma.graph.create({
      data: { id, name: storableName(name.slice(0, NAME_LENGTH)) || "Untitled graph", template: template ?? null },
    });
    if (graph)
      await this.documents
        .change(id, (doc) => loadGraph(doc, "server", graph))
        .catch(async (error) => {
          await this.db.prisma.graph.delete({ where: { id } }); // no empty one stays behind
          this.documents.drop(id, "removed");
          throw error;
        });
    return id;
  }

  async rename(id: string, name: string): Promise<void> {
    await this.find(id);
    await this.db.prisma.graph.update({ where: { id }, data: { name: storableName(name.slice(0, NAME_LENGTH)) } });
  }

  /** Returns the id of the copy, which has the document and no run. */
  async duplicate(id: string): Promise<string> {
    const { name, template } = await this.find(id);
    const { graph } = await this.read(id);
    return this.create(`${name.slice(0, NAME_LENGTH - COPY.length)}${COPY}`, graph, template ?? undefined);
  }

  /** It can be restored for 30 days. */
  async remove(id: string): Promise<void> {
    await this.find(id);
    await this.db.prisma.graph.update({ where: { id }, data: { deletedAt: new Date() } });
    this.documents.drop(id, "removed");
    this.sketches.delete(id);
  }

  /** Those that can be restored, the last one first. */
  async deleted(): Promise<DeletedGraph[]> {
    const rows = await this.db.prisma.graph.findMany({ where: { deletedAt: { not: null } }, orderBy: { deletedAt: "desc" }, take: 200 });
    return rows.flatMap(({ id, name, deletedAt }) =>
      deletedAt ? [{ id, name, deletedAt: deletedAt.toISOString(), until: keptUntil(deletedAt).toISOString() }] : [],
    );
  }

  /** A graph that was not deleted stays as it is. */
  async restore(id: string): Promise<void> {
    const { count } = await this.db.prisma.graph.updateMany({ where: { id }, data: { deletedAt: null } });
    if (count === 0) throw new Refused(404, "graph.not_found", "There is no such graph.");
  }

  /** Removes for good what was deleted more than 30 days ago, with its document, and refused edits that nobody wanted back. */
  async sweep(): Promise<void> {
    await sweepRefused(this.db.pool);
    await this.db.pool.query("DELETE FROM graph WHERE deleted_at < now() - make_interval(days => $1)", [DAYS_KEPT]);
  }

  /** Sweeps now and once a day. Returns how to stop. */
  sweepDaily(onError: (where: string, error: unknown) => void): () => void {
    const sweep = () => void this.sweep().catch((error) => onError("deleted graphs", error));
    sweep();
    const timer = setInterval(sweep, DAY_MS).unref();
    return () => clearInterval(timer);
  }

  /** @throws Refused 404 if there is none, or it was deleted */
  async find(id: string): Promise<{ id: string; name: string; template: string | null; epoch: bigint; updatedAt: Date }> {
    const row = await this.db.prisma.graph.findUnique({ where: { id } });
    if (!row) throw new Refused(404, "graph.not_found", "There is no such graph.");
    if (row.deletedAt) {
      const until = keptUntil(row.deletedAt).toISOString();
      const sentence = `The graph was deleted. It can be restored from the list of graphs until ${until.slice(0, 10)}.`;
      throw new Refused(404, "graph.deleted", sentence, { until });
    }
    return row;
  }

  /** Opens the document first: what cannot be applied is found out then. */
  async about(id: string): Promise<GraphAbout> {
    const { name, template } = await this.find(id);
    await this.documents.view(id, () => {});
    const { _count, _max } = await this.db.prisma.docQuarantine.aggregate({ where: { graphId: id }, _count: true, _max: { at: true } });
    return { id, name, template, ...(_max.at ? { setAside: { edits: _count, at: _max.at.toISOString() } } : {}) };
  }

  read(id: string): Promise<{ graph: Graph; issues: Issue[] }> {
    return this.documents.view(id, (doc) => normalise(doc));
  }

  /** What can be read of a graph whose stored edits are more than can be opened. @throws Refused if nothing can */
  async readLast(id: string): Promise<{ graph: Graph; issues: Issue[] }> {
    return normalise(await this.documents.readable(id));
  }

  private async sketch(id: string, updatedAt: Date): Promise<Sketch> {
    const at = updatedAt.getTime();
    const known = this.sketches.get(id);
    if (known?.at === at) return known;
    const { sketch, lasts } = await this.atOnce(() => this.draw(id, at));
    if (!lasts) return sketch;
    const [oldest] = this.sketches.keys();
    if (oldest !== undefined && this.sketches.size >= SKETCHES_KEPT) this.sketches.delete(oldest);
    this.sketches.set(id, sketch);
    return sketch;
  }

  /** A graph that cannot be read is one of the list like any other, with the reason. */
  private async draw(id: string, at: number): Promise<{ sketch: Sketch; lasts: boolean }> {
    try {
      const { graph } = await this.read(id);
      return {
        sketch: { at, counted: { nodes: graph.nodes.length }, picture: drawGraph(graph), engines: enginesNamed(graph) },
        lasts: true,
      };
    } catch (error) {
      const unread = { nodes: 0, unreadable: `This graph cannot be read: ${(error as Error).message}` };
      if (!(error instanceof Refused)) return { sketch: { at, counted: unread, engines: [] }, lasts: false };
      const readable = error.details.readable === "last" ? { readable: "last" as const } : {};
      return { sketch: { at, counted: { ...unread, ...readable }, engines: [] }, lasts: true };
    }
  }

  /** A revision of this graph; equal graphs share one. @throws Refused 422 with every issue */
  async freeze(input: Graph): Promise<{ revision: string; graph: Graph }> {
    const graph = stripState(input);
    await nextTurn();
    const issues = validate(graph, this.library());
    if (hasErrors(issues)) throw Refused.issues("The graph cannot run:", issues);
    await nextTurn();
    const text = canonicalText(graph);
    const hash = createHash("sha256").update(text).digest("hex");
    const kept = this.revisions.get(hash);
    if (kept) return { revision: kept, graph };
    // Not Prisma's upsert, which fails when two people freeze the same graph at once.
    await this.db.pool.query("INSERT INTO revision (id, hash, document) VALUES ($1, $2, $3) ON CONFLICT (hash) DO NOTHING", [
      randomUUID(),
      hash,
      storableText(text),
    ]);
    const { id } = await this.db.prisma.revision.findUniqueOrThrow({ where: { hash }, select: { id: true } });
    if (this.revisions.size >= REVISIONS_KEPT) this.revisions.clear();
    this.revisions.set(hash, id);
    return { revision: id, graph };
  }
}

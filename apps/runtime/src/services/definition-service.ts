// Definitions that are shared with every graph (DESIGN G5). A graph has a copy of a version; a version never changes.
import { randomUUID } from "node:crypto";
import { canonicalText, definitionNames, type Graph, isWholeDefinition, record } from "@spindle/graph-model";
import { type DefinitionRequest, type ShareDefinitionRequest, validateGraph } from "@spindle/schemas";
import { Refused } from "../refused.ts";
import type { Database } from "../store/database.ts";
import { storable, storableName } from "../store/storable.ts";

/** The newest version of a shared definition. */
export interface SharedHead {
  definition: string;
  version: string;
  label: string;
  description: string;
}

/** Bytes of JSON. Every page that edits a graph loads the newest version of each definition. */
const MOST_BYTES = 256 * 1024;
const MOST_LISTED = 200;
const LABEL_LENGTH = 200;
const DESCRIPTION_LENGTH = 2000;

export class DefinitionService {
  constructor(private readonly db: Database) {}

  /** Those that were shared last, by their labels; 200 at most. */
  async list(): Promise<SharedHead[]> {
    const { rows } = await this.db.pool.query<Omit<SharedHead, "version"> & { version: number }>(
      `SELECT id AS definition, version, label, description FROM (
         SELECT DISTINCT ON (id) id, version, label, description, created_at FROM shared_definition ORDER BY id, version DESC
       ) AS newest ORDER BY created_at DESC, id LIMIT $1`,
      [MOST_LISTED],
    );
    return rows.map(({ version, ...head }) => ({ ...head, version: String(version) })).sort((a, b) => a.label.localeCompare(b.label));
  }

  /** @throws Refused 404 if there is no such version */
  async get({ definition, version }: DefinitionRequest): Promise<Graph> {
    const { rows } = await this.db.pool.query<{ document: Graph }>(
      "SELECT document FROM shared_definition WHERE id = $1 AND version = $2",
      [definition, Number(version)],
    );
    const [row] = rows;
    if (!row) throw new Refused(404, "definition.not_found", `The library has no version ${version} of this subgraph.`);
    return row.document;
  }

  /** Returns the version that it is now; the one that it was made of, if nothing differs. @throws Refused */
  async share({ document, after }: ShareDefinitionRequest): Promise<DefinitionRequest> {
    const text = storable(document);
    if (Buffer.byteLength(text) > MOST_BYTES)
      throw new Refused(
        413,
        "request.invalid",
        `The subgraph has more than ${MOST_BYTES / 1024} kB. Share a part of it, or take files and long texts out of it.`,
      );
    const graph: unknown = JSON.parse(text);
    if (!validateGraph(graph) || graph.nodes.length === 0 || definitionNames(graph).some((name) => !isWholeDefinition(graph, name)))
      throw new Refused(422, "request.invalid", "document: is no langgraph.v1 document with nodes.", { field: "document" });
    if (after && canonicalText(await this.get(after)) === canonicalText(graph)) return after;
    const { label, description } = record(graph.metadata);
    const cut = (value: unknown, most: number) => storableName(typeof value === "string" ? value.slice(0, most) : "");
    const [definition, version] = after ? [after.definition, Number(after.version) + 1] : [randomUUID(), 1];
    const { rowCount } = await this.db.pool.query(
      "INSERT INTO shared_definition (id, version, label, description, document) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
      [definition, version, cut(label, LABEL_LENGTH) || "Subgraph", cut(description, DESCRIPTION_LENGTH), text],
    );
    if (rowCount === 0)
      throw new Refused(
        409,
        "definition.outdated",
        `Version ${version} was shared by somebody else in between. Update the subgraph, then share it again.`,
      );
    return { definition, version: String(version) };
  }
}

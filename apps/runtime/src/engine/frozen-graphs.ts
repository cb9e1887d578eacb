// What the graph of a run means, by the definitions that the run froze when it was accepted (docs/decisions/0061): what a node is does not
// change while a run waits, rests or changes its runtime. Only which engines are live is asked of the library (open-engines.ts).
import { type Graph, type Library, type NodeDefinition, type Resolved, resolve } from "@spindle/graph-model";
import type { FrozenBodies, FrozenNodes } from "../record/frozen.ts";
import type { FrozenDefinitions, Runs } from "../record/record.ts";
import type { RunRow } from "../record/types.ts";
import type { Database } from "../store/database.ts";
import { patient } from "../store/patient.ts";
import { contentHash, resolvedAs } from "./freeze.ts";

const KEPT = 50;
const RUNS_KEPT = 1000;

export interface FrozenGraphsParts {
  db: Database;
  frozen: FrozenDefinitions;
  runs: Pick<Runs, "frozenOf">;
  /** For runs that were accepted before runs froze definitions. */
  library: () => Library;
}

type Of = Pick<RunRow, "revision_id" | "engines" | "definitions">;

export class FrozenGraphs {
  /** Libraries by the hashes of their definitions, and what was worked out of a revision with one. */
  private readonly libraries = new Map<string, Library>();
  private readonly resolved = new Map<string, Resolved>();
  private readonly definitions = new Map<string, RunRow["definitions"]>();

  constructor(private readonly parts: FrozenGraphsParts) {}

  /**
   * Freezes what the nodes of a graph are.
   * @param frozen the engines that the run has
   * @returns the hashes that the run is to name. They and the workflows of its engines are stored.
   */
  async freeze(revision: string, graph: Graph, library: Library, frozen: FrozenNodes): Promise<string[]> {
    const now = resolve(graph, library);
    const found = frozenDefinitionsOf(now);
    const bodies = workflowsOf(now, frozen);
    for (const { hash, body } of found) bodies.set(hash, body);
    await this.parts.frozen.keep(bodies);
    const hashes = found.map(({ hash }) => hash).sort();
    if (!this.resolved.has(keyOfRevision(revision, hashes)))
      this.remember(revision, hashes, graph, this.libraries.get(hashes.join()) ?? libraryOfFrozen(found.map(({ body }) => body)));
    return hashes;
  }

  /** A revision is resolved once for equal definitions, because a template runs often. */
  async of({ revision_id: revision, engines, definitions }: Of): Promise<Resolved> {
    const known = this.resolved.get(keyOfRevision(revision, definitions));
    const library = definitions ? (known?.library ?? (await this.libraryOf(definitions))) : this.parts.library();
    if (known?.library === library) return resolvedAs(known, engines);
    const { document } = await this.parts.db.prisma.revision.findUniqueOrThrow({ where: { id: revision } });
    return resolvedAs(this.remember(revision, definitions, document as unknown as Graph, library), engines);
  }

  /** The same of a run of which no more is known. */
  async ofRun({ id, revision_id }: Pick<RunRow, "id" | "revision_id">): Promise<Resolved> {
    const known = this.definitions.get(id);
    if (known !== undefined) {
      const resolved = await this.of({ revision_id, engines: {}, definitions: known });
      // Regions are split as the run has frozen them, which never changes; a graph without them asks for no row.
      if (![resolved.root, ...resolved.definitions.values()].some(({ regions }) => regions.length > 0)) return resolved;
    }
    const frozen = await this.parts.runs.frozenOf(id);
    keepFew(this.definitions, RUNS_KEPT).set(id, frozen.definitions);
    return this.of({ revision_id, ...frozen });
  }

  private async libraryOf(hashes: readonly string[]): Promise<Library> {
    const key = hashes.join();
    const known = this.libraries.get(key);
    if (known) return known;
    const bodies: FrozenBodies = hashes.length > 0 ? await patient(() => this.parts.frozen.find(hashes)) : new Map();
    const lost = hashes.filter((hash) => !bodies.has(hash));
    if (lost.length > 0) throw new Error(`The definitions ${lost.join(", ")} are not in the database any more.`);
    const made = libraryOfFrozen([...bodies.values()] as FrozenDefinition[]);
    keepFew(this.libraries, KEPT).set(key, made);
    return made;
  }

  private remember(revision: string, definitions: RunRow["definitions"], graph: Graph, library: Library): Resolved {
    if (definitions) keepFew(this.libraries, KEPT).set(definitions.join(), library);
    const resolved = resolve(graph, library);
    keepFew(this.resolved, KEPT).set(keyOfRevision(revision, definitions), resolved);
    return resolved;
  }
}

/** What the nodes of a graph are, in its definitions too. */
export function frozenDefinitionsOf({ root, definitions, library }: Resolved): { hash: string; body: FrozenDefinition }[] {
  const used = new Set(
    [root, ...definitions.values()].flatMap(({ nodes }) => nodes.flatMap(({ node }) => library.find(node.plane, node.service) ?? [])),
  );
  return [...used].map(frozenDefinition);
}

/** The workflows that the engines of a run are, by their hashes. */
function workflowsOf({ root, definitions }: Resolved, frozen: FrozenNodes): Map<string, object> {
  const found = new Map<string, object>();
  for (const level of [root, ...definitions.values()])
    for (const { node, element } of level.nodes) {
      const own = frozen[level.name]?.[node.id];
      const workflow = own?.workflow && element?.engines.find(({ id }) => id === own.engine)?.blueprint;
      if (own?.workflow && workflow) found.set(own.workflow, workflow);
    }
  return found;
}

/** Forgets the oldest of a map that has no room left. */
function keepFew<T>(map: Map<string, T>, most: number): Map<string, T> {
  if (map.size >= most) map.delete(map.keys().next().value as string);
  return map;
}

const keyOf = ({ plane, service }: Pick<NodeDefinition, "plane" | "service">): string => `${plane}\n${service}`;
const keyOfRevision = (revision: string, definitions: RunRow["definitions"]): string => [revision, ...(definitions ?? ["none"])].join();

/** What a node is; without what its workers can do now, and without what only people read. */
type FrozenDefinition = Omit<NodeDefinition, "engines" | "live" | "docs" | "examples" | "keywords" | "shared">;

const known = new WeakMap<object, { hash: string; body: FrozenDefinition }>();

function frozenDefinition(definition: NodeDefinition): { hash: string; body: FrozenDefinition } {
  const before = known.get(definition);
  if (before) return before;
  const { engines: _, live: __, docs: ___, examples: ____, keywords: _____, shared: ______, ...own } = definition;
  const made = { hash: contentHash(own), body: own };
  known.set(definition, made);
  return made;
}

/** Definitions as a library. No engine is live there: which ones are is nothing that a run froze. */
export function libraryOfFrozen(definitions: readonly FrozenDefinition[]): Library {
  const all = definitions.map((own): NodeDefinition => ({ ...own, engines: [], live: false, docs: "", keywords: [] }));
  const byKey = new Map(all.map((definition) => [keyOf(definition), definition]));
  return { find: (plane, service) => byKey.get(`${plane}\n${service}`), all: () => all };
}

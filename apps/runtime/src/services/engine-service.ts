// ComfyUI workflows that people offer as engines of capabilities: offered, listed with what uses them, and removed again (decision 47).
import { autoEngine, isEngineOf, type Library, type NodeDefinition, whyNeverSent, whyNotOffered } from "@spindle/graph-model";
import type { Blueprint } from "@spindle/schemas";
import type pg from "pg";
import { Refused } from "../refused.ts";
import type { Blueprints } from "./blueprints.ts";
import type { GraphService } from "./graph-service.ts";
import type { LibraryService } from "./library-service.ts";

/** A workflow that somebody offers, as the list of them has it. */
export interface OfferedEngine {
  name: string;
  label: string;
  description: string;
  /** The label of the capability, or its id where the library does not have it. */
  capability: string;
  offeredAt: string;
  /** For each ComfyUI server whether it can run there, and why not. */
  engines: { id: string; label: string; live: boolean; reason?: string }[];
  /** Why it is no engine, where that is so. */
  why?: string;
}

/** What a removal breaks. */
export interface EngineUses {
  /** Graphs in which a node names the engine. Such a node is an issue until another engine is chosen. */
  graphs: { id: string; name: string }[];
  /** Runs that are not over: until then the engine cannot be removed. */
  runs: { id: string; number: number; title: string }[];
  /** What automatic choice means now, if that is this engine, and what it would mean then; `after` is missing where nothing would be left. */
  automatic?: { now: string; after?: string };
}

/** Each is an engine for each ComfyUI server, in every library that is made. */
const MOST = 100;

export class EngineService {
  constructor(
    private readonly pool: Pick<pg.Pool, "query">,
    private readonly blueprints: Blueprints,
    private readonly library: Pick<LibraryService, "library" | "changeBlueprints">,
    private readonly graphs: Pick<GraphService, "naming">,
  ) {}

  list(): OfferedEngine[] {
    return this.blueprints.stored.map(({ name, offeredAt, blueprint }) => {
      const about = { name, offeredAt: offeredAt.toISOString() };
      if (!blueprint)
        return {
          ...about,
          label: name,
          description: "",
          capability: "",
          engines: [],
          why: "Another release of Spindle stored it, and this one cannot read it.",
        };
      const definition = definitionOf(blueprint, this.library.library());
      const engines = (definition?.engines ?? []).filter(({ id }) => isEngineOf(name, id));
      return {
        ...about,
        label: blueprint.label,
        description: blueprint.description,
        capability: definition?.label ?? blueprint.capability,
        engines: engines.map(({ id, label, live, reason }) => ({ id, label, live, ...(reason ? { reason } : {}) })),
        ...(definition ? {} : { why: `There is no capability ${blueprint.capability} any more.` }),
      };
    });
  }

  /** @throws Refused that names each place at which something is wrong */
  async offer(blueprint: Blueprint): Promise<void> {
    const faults = whyNotOffered(blueprint, this.library.library());
    // Expressions that are none cannot be worked out, and a page, which asks the first question too, works out none.
    const never = faults.length === 0 ? whyNeverSent(blueprint) : undefined;
    if (never !== undefined) faults.push(never);
    if (faults.length > 0) {
      const [first = "", ...others] = faults;
      const more = others.length > 0 ? ` (and ${others.length} more)` : "";
      throw new Refused(422, "request.invalid", `The workflow cannot be an engine: ${first}${more}`, { faults: faults.slice(0, 100) });
    }
    const { name } = blueprint;
    if (this.blueprints.shipped.some((each) => each.name === name))
      throw new Refused(409, "engine.name_taken", `An engine that comes with Spindle is called ${name}. Choose another name.`, {
        field: "name",
      });
    await this.blueprints.refresh();
    if (this.blueprints.stored.length >= MOST)
      throw new Refused(
        409,
        "engine.too_many",
        `There are ${MOST} workflows as engines, which is the most. Remove those that nobody uses.`,
      );
    if (!(await this.blueprints.add(blueprint)))
      throw new Refused(
        409,
        "engine.name_taken",
        `An engine is called ${name} already. Choose another name, or remove that engine first.`,
        { field: "name" },
      );
    await this.library.changeBlueprints();
  }

  async uses(name: string): Promise<EngineUses> {
    const { blueprint } = this.find(name);
    const [graphs, runs] = await Promise.all([this.graphs.naming((engine) => isEngineOf(name, engine)), this.runsWith(name)]);
    const definition = blueprint && definitionOf(blueprint, this.library.library());
    const now = definition && autoEngine(definition);
    if (!definition || !now || !isEngineOf(name, now.id)) return { graphs, runs };
    const after = autoEngine({ ...definition, engines: definition.engines.filter(({ id }) => !isEngineOf(name, id)) });
    return { graphs, runs, automatic: { now: now.label, ...(after ? { after: after.label } : {}) } };
  }

  /** @throws Refused while a run that is not over uses it: its task may still have to be made from it */
  async remove(name: string): Promise<void> {
    await this.blueprints.refresh();
    this.find(name);
    const [run] = await this.runsWith(name);
    if (run)
      throw new Refused(
        409,
        "engine.in_use",
        `Run ${run.number} (${run.title}) uses the engine and is not over. Cancel it, or wait for its end.`,
        { run: run.id },
      );
    await this.blueprints.remove(name);
    await this.library.changeBlueprints();
  }

  /** @throws Refused 404 */
  private find(name: string) {
    const found = this.blueprints.stored.find((each) => each.name === name);
    if (found) return found;
    if (this.blueprints.shipped.some((each) => each.name === name))
      throw new Refused(409, "engine.not_found", `The engine ${name} comes with Spindle: it is a file of templates/comfy.`);
    throw new Refused(404, "engine.not_found", `No workflow is an engine called ${name}.`);
  }

  /** A run freezes its engines when it is accepted, by their ids. A name has no sign that a pattern of PostgreSQL means more by. */
  private async runsWith(name: string): Promise<EngineUses["runs"]> {
    const { rows } = await this.pool.query<EngineUses["runs"][number]>(
      `SELECT id, number, title FROM run WHERE state IN ('queued', 'running', 'waiting') AND engines::text LIKE $1 ORDER BY number LIMIT 20`,
      [`%"engine": "${name}@%`],
    );
    return rows;
  }
}

const definitionOf = ({ plane = "python", capability }: Blueprint, library: Library): NodeDefinition | undefined =>
  library.find(plane, capability);

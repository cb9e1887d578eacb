// All model files: read from the definitions of the worker's engines and from the workflows of templates/comfy.
import { readdir, readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { modelBytes, modelsName } from "@spindle/graph-model";
import { committedManifests } from "@spindle/node-library/manifests";
import { type EngineDefinition, validateEngineDefinition } from "@spindle/schemas";
import { ROOT } from "../root.ts";
import { loadBlueprints } from "../services/template-service.ts";
import { hasExpectedSize, type Wanted } from "./download.ts";

type Environment = Readonly<Record<string, string | undefined>>;

export interface ModelFile extends Omit<Wanted, "place"> {
  /** Below the models folder; with `/`. */
  path: string;
  /** Undefined where it is not known in which folder ComfyUI keeps its models. */
  place: string | undefined;
  licence: string;
  commercial: boolean;
}

/** What one engine needs. */
export interface ModelSet {
  /** An engine's name, or `comfy/` and a workflow's. */
  name: string;
  label: string;
  isDraft: boolean;
  /** Capabilities that the engine serves. */
  serves: readonly string[];
  files: readonly ModelFile[];
}

export interface Manifest {
  folders: { worker: string; comfy: string | undefined };
  /** In the order in which automatic choice prefers them. */
  sets: readonly ModelSet[];
}

/** What is wrong with a value that does not have the form which the schema asks for. */
const UNFIT: Readonly<Record<string, string>> = {
  path: "leads out of the models folder, or has signs other than letters, digits and . _ -",
  url: "is no https address",
};

/** @throws Error that names the definition or variable which is wrong, and why */
export async function readManifest(environment: Environment = process.env): Promise<Manifest> {
  const folders = {
    worker: folder(environment, "SPINDLE_MODELS") ?? join(homedir(), ".cache/spindle/models"),
    comfy: folder(environment, "SPINDLE_COMFY_MODELS"),
  };
  const engines = await readEngines(environment.SPINDLE_ENGINES || join(ROOT, "workers/python-gpu/engines"), folders.worker);
  const workflows = await readWorkflows(folders.comfy);
  const [finished, drafts] = [engines.filter((set) => !set.isDraft), engines.filter((set) => set.isDraft)];
  return { folders, sets: [...finished, ...workflows, ...drafts] };
}

function folder(environment: Environment, name: string): string | undefined {
  const value = environment[name] || undefined;
  if (value !== undefined && !isAbsolute(value)) throw new Error(`${name} is ${JSON.stringify(value)}, but has to be an absolute path.`);
  return value;
}

async function readEngines(engines: string, models: string): Promise<ModelSet[]> {
  const names = (await readdir(engines, { withFileTypes: true })).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  const sets = names.sort().map(async (name): Promise<ModelSet[]> => {
    const file = join(engines, name, "engine.json");
    const text = await readFile(file, "utf8").catch(() => undefined);
    if (text === undefined) return [];
    const { label, draft = false, files } = readDefinition(file, text);
    return [
      {
        name,
        label,
        isDraft: draft,
        serves: committedManifests.python.capabilities.filter(({ engines }) => engines?.some(({ id }) => id === name)).map(({ id }) => id),
        files: Object.values(files).map((one) => ({ ...one, exact: true, place: join(models, one.path) })),
      },
    ];
  });
  return (await Promise.all(sets)).flat();
}

async function readWorkflows(models: string | undefined): Promise<ModelSet[]> {
  const blueprints = await loadBlueprints(join(ROOT, "templates"));
  return blueprints.map((blueprint) => ({
    name: modelsName(blueprint),
    label: `${blueprint.label} in ComfyUI`,
    isDraft: false,
    serves: [blueprint.capability],
    files: blueprint.models.map((model) => {
      const below = `${model.folder}/${model.file}`;
      return {
        path: below,
        place: models === undefined ? undefined : join(models, below),
        bytes: modelBytes(model),
        exact: model.bytes !== undefined,
        ...(model.sha256 === undefined ? {} : { sha256: model.sha256 }),
        licence: model.licence,
        commercial: model.commercial !== false,
        url: model.url ?? "",
      };
    }),
  }));
}

function readDefinition(file: string, text: string): EngineDefinition {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`${file} is no JSON: ${(error as Error).message}.`);
  }
  if (validateEngineDefinition(value)) return value;
  const [error] = validateEngineDefinition.errors ?? [];
  const place = (error?.instancePath ?? "").slice(1).split("/");
  const words = error?.keyword === "pattern" ? UNFIT[place.at(-1) ?? ""] : undefined;
  throw new Error(`${file}: ${place.join(".")} ${words ?? error?.message}.`);
}

export type State = "there" | "missing" | "wrong" | "unknown";

/** By its place and its size: both are known at once. */
export async function stateOf(file: ModelFile): Promise<State> {
  if (file.place === undefined) return "unknown";
  const found = await stat(file.place).catch(() => undefined);
  if (!found) return "missing";
  return found.isFile() && hasExpectedSize(file, found.size) ? "there" : "wrong";
}

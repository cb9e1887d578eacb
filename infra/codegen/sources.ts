// The schemas in the order in which they refer to each other, with the name their type gets.
import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

export const SCHEMAS = [
  { name: "Graph", file: "langgraph/graph.schema.json" },
  { name: "EditorMetadata", file: "langgraph/editor.schema.json" },
  { name: "NodeSettings", file: "langgraph/node-settings.schema.json" },
  { name: "EdgeMetadata", file: "langgraph/edge-metadata.schema.json" },
  { name: "GraphInterface", file: "langgraph/interface.schema.json" },
  { name: "Definition", file: "langgraph/definition.schema.json" },
  { name: "ArtifactRef", file: "artifacts/artifact-ref.schema.json" },
  { name: "Capability", file: "capability/capability.schema.json" },
  { name: "PlaneManifest", file: "capability/plane-manifest.schema.json" },
  { name: "CombinedManifest", file: "capability/combined-manifest.schema.json" },
  { name: "TaskEntry", file: "tasks/task-entry.schema.json" },
  { name: "TaskResult", file: "tasks/task-result.schema.json" },
  { name: "TaskProgress", file: "tasks/task-progress.schema.json" },
  { name: "WorkerReport", file: "tasks/worker-report.schema.json" },
  { name: "ObjectWish", file: "tasks/object-wish.schema.json" },
  { name: "RegionInput", file: "tasks/region-input.schema.json" },
  { name: "EngineDefinition", file: "engines/engine-definition.schema.json" },
  { name: "BackupManifest", file: "backup/backup-manifest.schema.json" },
  { name: "Blueprint", file: "comfy/blueprint.schema.json" },
  { name: "RunEvent", file: "events/run-event.schema.json" },
  { name: "StateMachine", file: "states/state-machine.schema.json" },
  { name: "Requests", file: "requests/requests.schema.json" },
] as const;

export type JsonObject = Record<string, unknown>;

export async function readJson(root: string, file: string): Promise<JsonObject> {
  return JSON.parse(await readFile(join(root, "schemas", file), "utf8")) as JsonObject;
}

/** Whether a definition stands by itself, under its own name, instead of being a part of the schema that it lies in. */
const standsAlone = (definition: string): boolean => /^[A-Z]/.test(definition);

/** Each shape that has a type and a validator, with the place of its schema; `room` is the folder of `schemas/` in which that lies. */
export async function readShapes(root: string): Promise<{ name: string; id: string; room: string }[]> {
  const shapes = await Promise.all(
    SCHEMAS.map(async ({ name, file }) => {
      const room = dirname(file);
      const { $id, $defs } = (await readJson(root, file)) as { $id: string; $defs?: JsonObject };
      const own = Object.keys($defs ?? {}).filter(standsAlone);
      return own.length > 0
        ? own.map((key) => ({ name: key, id: `${$id}#/$defs/${key}`, room }))
        : [{ name: name as string, id: $id, room }];
    }),
  );
  return shapes.flat();
}

/** One self-contained document: `$ref`s to other files become `$defs`. */
export async function bundle(root: string): Promise<JsonObject> {
  const defs: Record<string, JsonObject> = {};
  for (const { name, file } of SCHEMAS) {
    const schema = await readJson(root, file);
    const inner = (schema.$defs ?? {}) as Record<string, JsonObject>;
    const rename = (ref: string): string => {
      const [path = "", inside] = ref.split("#/$defs/");
      if (inside !== undefined && standsAlone(inside)) return `#/$defs/${inside}`;
      const owner = path === "" ? name : SCHEMAS.find((s) => basename(s.file) === basename(path))?.name;
      return `#/$defs/${inside === undefined ? owner : `${owner}_${inside}`}`;
    };
    const visit = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(visit);
      if (!value || typeof value !== "object") return value;
      const entries = Object.entries(value).filter(([key]) => key !== "$schema" && key !== "$id" && key !== "$defs");
      return Object.fromEntries(entries.map(([key, v]) => [key, key === "$ref" ? rename(v as string) : visit(v)]));
    };
    for (const [key, def] of Object.entries(inner)) {
      const title = standsAlone(key) ? key : `${name}_${key}`;
      defs[title] = { title, ...(visit(def) as JsonObject) };
    }
    if (!Object.keys(inner).some(standsAlone)) defs[name] = { ...(visit(schema) as JsonObject), title: name };
  }
  return { $schema: "https://json-schema.org/draft/2020-12/schema", title: "Contract", type: "object", $defs: defs };
}

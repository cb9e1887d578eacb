// The schemas in the order in which they refer to each other, with the name their type gets.
import { readFile } from "node:fs/promises";
import { basename, join } from "node:path";

export const SCHEMAS = [
  { name: "Graph", sample: "graph", file: "langgraph/graph.schema.json" },
  { name: "EditorMetadata", sample: "editor-metadata", file: "langgraph/editor.schema.json" },
  { name: "NodeSettings", sample: "node-settings", file: "langgraph/node-settings.schema.json" },
  { name: "EdgeMetadata", sample: "edge-metadata", file: "langgraph/edge-metadata.schema.json" },
  { name: "GraphInterface", sample: "graph-interface", file: "langgraph/interface.schema.json" },
  { name: "Definition", sample: "definition", file: "langgraph/definition.schema.json" },
  { name: "ArtifactRef", sample: "artifact-ref", file: "artifacts/artifact-ref.schema.json" },
  { name: "Capability", sample: "capability", file: "capability/capability.schema.json" },
  { name: "PlaneManifest", sample: "plane-manifest", file: "capability/plane-manifest.schema.json" },
  { name: "CombinedManifest", sample: "combined-manifest", file: "capability/combined-manifest.schema.json" },
  { name: "TaskEntry", sample: "task-entry", file: "tasks/task-entry.schema.json" },
  { name: "TaskResult", sample: "task-result", file: "tasks/task-result.schema.json" },
  { name: "TaskProgress", sample: "task-progress", file: "tasks/task-progress.schema.json" },
  { name: "ObjectWish", sample: "object-wish", file: "tasks/object-wish.schema.json" },
  { name: "RegionInput", sample: "region-input", file: "tasks/region-input.schema.json" },
  { name: "Blueprint", sample: "blueprint", file: "comfy/blueprint.schema.json" },
  { name: "RunEvent", sample: "run-event", file: "events/run-event.schema.json" },
  { name: "StateMachine", sample: "state-machine", file: "states/state-machine.schema.json" },
] as const;

export type JsonObject = Record<string, unknown>;

export async function readJson(root: string, file: string): Promise<JsonObject> {
  return JSON.parse(await readFile(join(root, "schemas", file), "utf8")) as JsonObject;
}

/** One self-contained document: `$ref`s to other files become `$defs`. */
export async function bundle(root: string): Promise<JsonObject> {
  const defs: Record<string, JsonObject> = {};
  for (const { name, file } of SCHEMAS) {
    const schema = await readJson(root, file);
    const inner = (schema.$defs ?? {}) as Record<string, JsonObject>;
    const rename = (ref: string): string => {
      const [path = "", inside] = ref.split("#/$defs/");
      const owner = path === "" ? name : SCHEMAS.find((s) => basename(s.file) === basename(path))?.name;
      return `#/$defs/${inside === undefined ? owner : `${owner}_${inside}`}`;
    };
    const visit = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(visit);
      if (!value || typeof value !== "object") return value;
      const entries = Object.entries(value).filter(([key]) => key !== "$schema" && key !== "$id" && key !== "$defs");
      return Object.fromEntries(entries.map(([key, v]) => [key, key === "$ref" ? rename(v as string) : visit(v)]));
    };
    for (const [key, def] of Object.entries(inner)) defs[`${name}_${key}`] = { title: `${name}_${key}`, ...(visit(def) as JsonObject) };
    defs[name] = { ...(visit(schema) as JsonObject), title: name };
  }
  return { $schema: "https://json-schema.org/draft/2020-12/schema", title: "Contract", type: "object", $defs: defs };
}

// A region in ComfyUI's API format, to be sent to or loaded in a ComfyUI: what comes from outside is a loader with a file's name.
import { PORT_TYPES, type RegionInput, validateArtifactRef } from "@spindle/schemas";
import type { Graph } from "../graph.ts";
import { resolveInputs } from "../inputs.ts";
import type { Level } from "../level.ts";
import type { Library } from "../library.ts";
import { resolve } from "../resolve.ts";
import { regionInput } from "./prompt.ts";

/** @param node one of the region's; of the only region where empty */
export function exportRegion(graph: Graph, library: Library, node = ""): { text?: string; why?: string } {
  const found = exportedRegion(graph, library, node);
  return "why" in found ? found : { text: `${JSON.stringify(withNamedFiles(found.input.prompt), null, 2)}\n` };
}

/** A region as it would be sent by itself, and the inputs of its nodes that come from outside of it, by node. */
export interface ExportedRegion {
  level: Level;
  input: RegionInput;
  outside: ReadonlyMap<string, ReadonlySet<string>>;
}

/** @param node one of the region's; of the only region where empty */
export function exportedRegion(graph: Graph, library: Library, node: string): ExportedRegion | { why: string } {
  const level = resolve(graph, library).root;
  const { regions, regionOf } = level.plan;
  const only = regions.size === 1 ? [...regions.values()][0] : undefined;
  const region = node === "" ? only : regionOf.get(node);
  if (!region)
    return {
      why:
        regions.size === 0 || node !== ""
          ? "Only nodes of ComfyUI can be exported so."
          : "The graph has several ComfyUI regions: name a node of one.",
    };
  const inside = new Set(region.nodes);
  const values = new Map<string, Record<string, unknown>>();
  const outside = new Map<string, Set<string>>();
  for (const id of region.nodes) {
    const sources = level.node(id)?.sources ?? [];
    const own = resolveInputs(sources, () => undefined, {}, graph.context ?? {});
    for (const source of sources)
      if (source.kind === "wire" && !inside.has(source.from)) {
        own[source.port.name] = stand(source.port.type, `${source.from}.${source.output}`);
        outside.set(id, (outside.get(id) ?? new Set()).add(source.port.name));
      }
    values.set(id, own);
  }
  const input = regionInput({ level, values });
  if (!input) return { why: "Nothing in this region is saved, shown or used elsewhere, so ComfyUI would have nothing to do." };
  return { level, input, outside };
}

const NOBODY = "00000000-0000-4000-8000-000000000000";

/** Stands for what another plane gives. */
function stand(type: string, from: string): unknown {
  const mime = PORT_TYPES[type]?.usual;
  if (mime === undefined || mime.startsWith("text/"))
    return type === "integer" || type === "number" ? 0 : type === "boolean" ? false : `(${from})`;
  return {
    artifact: NOBODY,
    mime,
    sha256: "0".repeat(64),
    size: 0,
    name: `${from.replaceAll(/[^A-Za-z0-9_.-]/g, "_")}.${mime.split("/")[1]}`,
  };
}

/** The prompt with the names of files in the place of files. */
export const withNamedFiles = (prompt: RegionInput["prompt"]): RegionInput["prompt"] =>
  JSON.parse(JSON.stringify(prompt, (_, value) => (validateArtifactRef(value) ? (value.name ?? value.sha256) : value)));

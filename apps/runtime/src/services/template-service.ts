// A template is a file: what it is called, sample inputs, and its graph with the interface (DESIGN section 2; docs/adding-a-template.md).
import { createReadStream } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import {
  drawGraph,
  enginesNotLive,
  type Graph,
  type Library,
  type Plane,
  type RunInput,
  readGraphText,
  resolve,
  validate,
} from "@spindle/graph-model";
import { type Blueprint, validateBlueprint } from "@spindle/schemas";
import { Refused } from "../refused.ts";

export interface Template {
  /** That of its file. */
  name: string;
  title: string;
  description: string;
  /** Its place in the gallery. */
  order: number;
  /** A file name below `samples/`; the drawing of its graph stands in for it. */
  picture?: string;
  graph: Graph;
  /** Input name -> text value (of a list: a line for each element), or file name below `samples/`. */
  samples: Record<string, { text: string } | { file: string }>;
}

/** What to do where a plane offers nothing that a template uses. */
const STARTS: Record<Plane, string> = {
  comfy:
    "It needs a ComfyUI, and none is connected. Start one, then start Spindle with its address: COMFY_URL=http://127.0.0.1:8188 npm start",
  python: "It needs a worker of the Python plane, and none has reported. npm start starts one.",
  node: "It needs a capability that this release of Spindle does not have.",
};

const BLUEPRINTS = "comfy";

/** The workflows that ship as engines. @throws Error that names the file which is none */
export async function loadBlueprints(templates: string): Promise<Blueprint[]> {
  const folder = join(templates, BLUEPRINTS);
  const files = (await readdir(folder)).filter((one) => one.endsWith(".json")).sort();
  return Promise.all(
    files.map(async (file) => {
      const value: unknown = JSON.parse(await readFile(join(folder, file), "utf8"));
      if (validateBlueprint(value)) return value;
      throw new Error(`templates/comfy/${file}: ${validateBlueprint.errors?.[0]?.instancePath} ${validateBlueprint.errors?.[0]?.message}`);
    }),
  );
}

export class TemplateService {
  private constructor(
    private readonly folder: string,
    private readonly templates: ReadonlyMap<string, Template>,
  ) {}

  static async load(folder: string): Promise<TemplateService> {
    const files = (await readdir(folder)).filter((one) => one.endsWith(".json"));
    const loaded = await Promise.all(files.map((file) => loadTemplate(folder, file)));
    loaded.sort((a, b) => a.order - b.order || a.name.localeCompare(b.name));
    return new TemplateService(folder, new Map(loaded.map((one) => [one.name, one])));
  }

  list(): Template[] {
    return [...this.templates.values()];
  }

  find(name: string): Template {
    const found = this.templates.get(name);
    if (!found)
      throw new Refused(
        404,
        "template.not_found",
        `There is no template ${JSON.stringify(name.slice(0, 80))}. There are: ${[...this.templates.keys()].join(", ")}.`,
      );
    return found;
  }

  inputs(name: string, library: Library): RunInput[] {
    const { graph } = this.find(name);
    return [...resolve(graph, library).root.inputs];
  }

  /** A file that ships with a template; only names that the template itself lists exist. */
  file(name: string, file: string) {
    const template = this.find(name);
    const known = [template.picture, ...Object.values(template.samples).map((sample) => ("file" in sample ? sample.file : undefined))];
    if (!known.includes(file) || basename(file) !== file) throw new Refused(404, "artifact.not_found", "The template has no such file.");
    return createReadStream(join(this.folder, "samples", file));
  }

  /** SVG of its graph. */
  drawing(name: string): string {
    return drawGraph(this.find(name).graph);
  }

  /** Why it cannot run here, and what to do about it; or for what a run of it would wait now. */
  readiness(name: string, library: Library): { notHere?: string | undefined; waits?: string | undefined } {
    const { graph } = this.find(name);
    const wrong = validate(graph, library).find(({ severity }) => severity === "error");
    if (!wrong) return { waits: enginesNotLive(graph, library)[0]?.issue.message };
    const unknown = graph.nodes.find(({ id }) => id === wrong.place.node);
    return { notHere: unknown && wrong.code === "node.unknown_capability" ? STARTS[unknown.plane] : wrong.message };
  }
}

/** @throws Error that names the file */
async function loadTemplate(folder: string, file: string): Promise<Template> {
  const { graph: raw, ...about } = JSON.parse(await readFile(join(folder, file), "utf8")) as Omit<Template, "name" | "samples"> &
    Partial<Pick<Template, "samples">>;
  const { graph, issues } = readGraphText(JSON.stringify(raw));
  if (!graph) throw new Error(`templates/${file}: ${issues[0]?.message}`);
  return { samples: {}, ...about, name: file.slice(0, -".json".length), graph };
}

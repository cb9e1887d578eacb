// Templates are folders: graph.json with its interface, samples/, a picture (DESIGN section 2).
import { createReadStream } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { type Graph, type Library, type RunInput, readGraphText, resolve } from "@spindle/graph-model";
import { type Blueprint, validateBlueprint } from "@spindle/schemas";
import { Refused } from "../refused.ts";

export interface Template {
  name: string;
  title: string;
  description: string;
  picture?: string;
  graph: Graph;
  /** Input name -> text value, or file name below samples/. */
  samples: Record<string, { text: string } | { file: string }>;
}

interface About {
  title: string;
  description: string;
  picture?: string;
  samples?: Template["samples"];
}

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
    const entries = (await readdir(folder, { withFileTypes: true })).filter((one) => one.isDirectory() && one.name !== BLUEPRINTS);
    const loaded = await Promise.all(entries.map((entry) => loadTemplate(folder, entry.name)));
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
    const folder = file === template.picture ? join(this.folder, name) : join(this.folder, name, "samples");
    return createReadStream(join(folder, file));
  }
}

async function loadTemplate(folder: string, name: string): Promise<Template> {
  const about = JSON.parse(await readFile(join(folder, name, "template.json"), "utf8")) as About;
  const { graph, issues } = readGraphText(await readFile(join(folder, name, "graph.json"), "utf8"));
  if (!graph) throw new Error(`templates/${name}/graph.json: ${issues[0]?.message}`);
  return { samples: {}, ...about, name, graph };
}

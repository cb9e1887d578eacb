import { basename } from "node:path";
import {
  exportJson,
  exportMermaid,
  exportRegion,
  extractGraph,
  extractWorkflow,
  type Graph,
  hasErrors,
  type Issue,
  issue,
  LIMITS,
  type Library,
  readAnyText,
  validate,
} from "@spindle/graph-model";
import { makeLibrary, mergeManifests } from "@spindle/node-library";
import { committedManifests } from "@spindle/node-library/manifests";
import { type Capability, validateCombinedManifest } from "@spindle/schemas";
import { readDocument } from "./read-file.ts";
import { call, runningServer } from "./server.ts";

/**
 * What `npm run gen` wrote, and ComfyUI's nodes as far as a server that runs here knows some. Nothing is called offline: what is
 * checked is the graph.
 */
async function knownLibrary(): Promise<Library> {
  const { node, python } = committedManifests;
  const merged = mergeManifests({ node: { manifest: node, live: true }, python: { manifest: python, live: true } }, new Date());
  const all = [...merged.capabilities, ...(await comfyNodes())];
  return makeLibrary(
    all.map((capability) => ({ ...capability, live: true, engines: capability.engines?.map((engine) => ({ ...engine, live: true })) })),
  );
}

async function comfyNodes(): Promise<Capability[]> {
  const url = await runningServer();
  if (url === undefined) return [];
  const answer = await call(`${url}/api/capabilities`).catch(() => undefined);
  const manifest: unknown = answer?.ok ? await answer.json() : undefined;
  return validateCombinedManifest(manifest) ? manifest.capabilities.filter((capability) => capability.plane === "comfy") : [];
}

async function read(file: string): Promise<{ graph?: Graph; issues: Issue[]; library?: Library }> {
  let bytes: Buffer;
  try {
    bytes = await readDocument(file);
  } catch (error) {
    return { issues: [issue("error", "graph.not_json", (error as Error).message)] };
  }
  const text = extractGraph(bytes) ?? extractWorkflow(bytes) ?? (bytes.length > LIMITS.bytes ? undefined : bytes.toString("utf8"));
  if (text === undefined)
    return { issues: [issue("error", "graph.too_large", `${file} has ${bytes.length} bytes; the limit is ${LIMITS.bytes}.`)] };
  const library = await knownLibrary();
  const found = readAnyText(text, library, basename(file).replace(/\.[^.]+$/, ""));
  return found.graph ? { graph: found.graph, issues: validate(found.graph, library), library } : found;
}

function line(issue: Issue): string {
  const place = [
    issue.place.node && `node ${issue.place.node}`,
    issue.place.edge && `edge ${issue.place.edge}`,
    issue.place.port && `port ${issue.place.port}`,
    issue.place.pointer,
  ]
    .filter(Boolean)
    .join(", ");
  return printable(`${issue.severity}: ${issue.message}${issue.fix ? ` ${issue.fix}` : ""} [${issue.code}${place ? `; ${place}` : ""}]`);
}

/** A document's own words, with what would move a terminal's cursor, or begin a line of its own, written as in JSON. */
const printable = (text: string): string =>
  text.replaceAll(/\p{Cc}/gu, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`);

const toError = (issues: Issue[]): void => {
  for (const issue of issues.filter((each) => each.severity !== "info")) process.stderr.write(`${line(issue)}\n`);
};

export async function validateFile(file: string, json: boolean): Promise<number> {
  const { issues } = await read(file);
  if (json) process.stdout.write(`${JSON.stringify(issues, null, 2)}\n`);
  else if (issues.length === 0) process.stdout.write("No issues.\n");
  else for (const issue of issues) process.stdout.write(`${line(issue)}\n`);
  return hasErrors(issues) ? 1 : 0;
}

export async function importGraph(file: string): Promise<number> {
  const { graph, issues } = await read(file);
  toError(issues);
  if (!graph) return 1;
  process.stdout.write(exportJson(graph));
  return 0;
}

const FORMATS: Record<string, (graph: Graph, library: Library, node?: string) => string | Promise<string>> = {
  "langgraph-json": exportJson,
  langgraph: async (graph, library) => {
    if (hasErrors(validate(graph, library))) throw new Error("Only a graph without problems is a program.");
    const [{ exportTypeScript }, { programIssues }] = await Promise.all([
      import("../export/typescript.ts"),
      import("../export/program-issues.ts"),
    ]);
    const issues = programIssues(graph, library);
    if (issues.length > 0) throw new Error(issues.map(line).join("\n"));
    return exportTypeScript(graph, library);
  },
  mermaid: exportMermaid,
  comfyui: (graph, library, node) => {
    const { text, why } = exportRegion(graph, library, node);
    if (text === undefined) throw new Error(why);
    return text;
  },
};

export async function exportGraph(file: string, to: string, node?: string): Promise<number> {
  const format = Object.hasOwn(FORMATS, to) ? FORMATS[to] : undefined;
  if (!format) throw new Error(`The format ${JSON.stringify(to)} is not known. There are: ${Object.keys(FORMATS).join(", ")}.`);
  const { graph, issues, library } = await read(file);
  toError(issues);
  if (!graph || !library) return 1;
  process.stdout.write(await format(graph, library, node));
  return 0;
}

export async function listCapabilities(json: boolean): Promise<number> {
  const { node, python } = committedManifests;
  const all = [...node.capabilities, ...python.capabilities];
  if (json) process.stdout.write(`${JSON.stringify(all, null, 2)}\n`);
  else
    for (const capability of all)
      process.stdout.write(
        `${capability.plane.padEnd(7)} ${capability.id.padEnd(28)} ${capability.version.padEnd(10)} ${capability.label}: ${capability.engines?.map((engine) => `${engine.id}${engine.draft ? " (draft)" : ""}`).join(", ")}\n`,
      );
  return 0;
}

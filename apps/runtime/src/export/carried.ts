// The part of an exported program that is the same for many: the rules, as the text of the modules that a run has them from. They lie one
// after the other in the program, so that no two of them have a name in common.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { PORT_TYPES } from "@spindle/schemas";

const model = pathToFileURL(createRequire(import.meta.url).resolve("@spindle/graph-model"));
const schemas = pathToFileURL(createRequire(model).resolve("@spindle/schemas"));

/** What a program needs besides what all need. */
export interface Needs {
  condition: boolean;
  person: boolean;
  artifact: boolean;
  /** By service, the file of its node. */
  nodes: ReadonlyMap<string, URL>;
}

function modulesFor({ condition, person, nodes }: Needs): URL[] {
  const ofModel = (names: string[]) => names.map((name) => new URL(`./${name}.ts`, model));
  const own = (name: string) => new URL(`./${name}.ts`, import.meta.url);
  return [
    ...ofModel(["object", "decide", "passed-on", "check/invalid", "check/port-value"]),
    ...(person ? ofModel(["check/answer"]) : []),
    ...(condition ? ofModel(["cel-values", "cel", "condition"]) : []),
    own("prelude"),
    ...(condition ? [own("prelude-condition")] : []),
    ...(person ? [own("prelude-person")] : []),
    ...(nodes.size > 0 ? [own("prelude-node")] : []),
    own("prelude-run"),
  ];
}

/** @returns the modules' text, and what it imports of packages */
export function carried(needs: Needs): { imports: string; text: string; packages: string[] } {
  const imported = new Map<string, Set<string>>();
  const texts = modulesFor(needs).map((url) => textOf(readFileSync(url, "utf8"), imported));
  for (const [service, url] of needs.nodes) texts.push(nodeText(service, textOf(readFileSync(url, "utf8"), imported)));
  const packages = [...imported].sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    imports: packages.map(([name, names]) => `import { ${[...names].sort().join(", ")} } from "${name}";`).join("\n"),
    text: [portTypes(needs), ...texts].join("\n\n"),
    packages: packages.map(([name]) => name),
  };
}

const IMPORT = /^import (type )?(?:(\w+)|\{([^}]*)\}) from "([^"]+)";\n/gm;
const IS_OURS = /^\.|^@spindle\//;

/** Text of a module without its imports, which are noted, without what it is known by outside, and without the part for its sources alone. */
function textOf(whole: string, imported: Map<string, Set<string>>): string {
  const text = whole.split("\n// ---\n")[0] as string;
  for (const [, allTypes, whole, names = whole === undefined ? "" : `default as ${whole}`, from = ""] of text.matchAll(IMPORT)) {
    if (IS_OURS.test(from)) continue;
    const known = imported.get(from) ?? new Set();
    imported.set(from, known);
    for (const name of names.split(",").map((one) => one.trim())) if (name) known.add(allTypes ? `type ${name}` : name);
  }
  return text
    .replaceAll(IMPORT, "")
    .replaceAll(/^export (?!\{|default )/gm, "")
    .trim();
}

/** A node's file keeps its names to itself: two of them may have one in common. */
function nodeText(service: string, text: string): string {
  const lines = text.replace(/^export default /m, "return ").split("\n");
  const inside = lines.map((line) => (line ? `  ${line}` : line)).join("\n");
  return `carriedServices[${JSON.stringify(service)}] = serviceOf((() => {\n${inside}\n})());`;
}

/** What values are checked by that go from node to node as references: the program itself holds no files. */
function portTypes({ artifact }: Needs): string {
  const types = Object.entries(PORT_TYPES).filter(([, { kind }]) => kind === "artifact");
  const known = Object.fromEntries((artifact ? types : []).map(([name, { kind, media = [] }]) => [name, { kind, media }]));
  const reference = JSON.parse(readFileSync(new URL("../artifacts/artifact-ref.schema.json", schemas), "utf8")) as object;
  return [
    `const PORT_TYPES: Readonly<Record<string, { kind: string; media?: readonly string[] }>> = ${JSON.stringify(known)};`,
    `const ARTIFACT_REF: Record<string, unknown> = ${JSON.stringify(artifact ? reference : {})};`,
    "const validateArtifactRef = (value: unknown): value is { mime: string } => whyInvalid(value, ARTIFACT_REF) === undefined;",
  ].join("\n");
}

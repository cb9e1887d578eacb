// Names that say nothing about what they name. `npm run check` refuses them.
import { execFile, execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import ts from "typescript";
import { PYTHON } from "./build.ts";
import { ROOT } from "./paths.ts";

/** A function on one line may call its parameter so: there everything that the name could say is in sight. */
const EMPTY_NAMES: readonly string[] = ["one", "told", "look", "go", "here", "take"];

/** Folders whose names have not been gone through yet. This list only ever gets shorter. */
const NOT_YET: readonly string[] = [
  "apps/runtime/src/collab/",
  "apps/runtime/src/engine/",
  "apps/runtime/src/record/",
  "apps/runtime/src/tasks/",
  "packages/graph-model/src/shared-doc/",
  "packages/shared-doc/",
  "templates/comfy/",
  "workers/python-gpu/",
];

type Declared = ts.Node & { name?: ts.Node };

const isNamedElsewhere = (node: ts.Node): boolean =>
  ts.isPropertyAccessExpression(node) ||
  ts.isPropertyAssignment(node) ||
  ts.isShorthandPropertyAssignment(node) ||
  ts.isJsxAttribute(node) ||
  (ts.isImportSpecifier(node) && node.propertyName === undefined);

/** What a TypeScript file declares under an empty name, each as `file:line: name`. Keys of object literals belong to whoever reads them. */
export function emptyNames(file: string, text: string): string[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const lineOf = (position: number): number => source.getLineAndCharacterOfPosition(position).line + 1;
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    const { name } = node as Declared;
    if (name && ts.isIdentifier(name) && EMPTY_NAMES.includes(name.text) && !isNamedElsewhere(node) && !isOnOneLine(node))
      found.push(`${file}:${lineOf(name.getStart())}: ${name.text}`);
    ts.forEachChild(node, visit);
  };
  const isOnOneLine = (declared: ts.Node): boolean => {
    let outermost = declared;
    while (ts.isBindingElement(outermost) || ts.isBindingName(outermost)) outermost = outermost.parent;
    const { parent } = outermost;
    return ts.isParameter(outermost) && ts.isArrowFunction(parent) && lineOf(parent.getStart()) === lineOf(parent.end);
  };
  visit(source);
  return found;
}

export async function filesWithEmptyNames(): Promise<string[]> {
  const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: ROOT, encoding: "utf8" })
    .split("\n")
    .filter((file) => file && !/(^|\/)generated\//.test(file) && !NOT_YET.some((folder) => file.startsWith(folder)))
    .filter((file) => existsSync(join(ROOT, file)));
  const python = files.filter((file) => file.endsWith(".py"));
  const program = join(import.meta.dirname, "names.py");
  const inPython = promisify(execFile)(PYTHON, [program, EMPTY_NAMES.join(), ...python], { cwd: ROOT });
  const inTypeScript = files
    .filter((file) => /\.(ts|tsx|mts|mjs|cjs)$/.test(file))
    .flatMap((file) => emptyNames(file, readFileSync(join(ROOT, file), "utf8")));
  const ofFiles = files.filter((file) => EMPTY_NAMES.includes(basename(file).split(".")[0] as string)).map((file) => `${file}: the file`);
  return [...ofFiles, ...inTypeScript, ...(await inPython).stdout.split("\n").filter(Boolean)];
}

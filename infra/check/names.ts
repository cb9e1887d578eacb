// What `npm run check` refuses in names: those that say nothing about what they name, and one name for two things.
import { execFile, execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import ts from "typescript";
import { PYTHON } from "../launch/build.ts";
import { ROOT } from "../launch/paths.ts";

/** They may name the parameter of a function on one line, where everything that a name could say is in sight. */
const EMPTY_NAMES: readonly string[] = ["one", "told", "look", "go", "here", "take"];

/** As a type, a constant or a private field, too. */
const isEmpty = (name: string): boolean => EMPTY_NAMES.includes(name.replace(/^[#_]+/, "").toLowerCase());

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
    const text = name && (ts.isIdentifier(name) || ts.isPrivateIdentifier(name) || ts.isStringLiteral(name)) ? name.text : "";
    if (name && isEmpty(text) && !isNamedElsewhere(node) && !isOnOneLine(node)) found.push(`${file}:${lineOf(name.getStart())}: ${text}`);
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

const INFERRED = "the editor takes the type of the runtime's answer, which is the runtime's own";

/** Exported in several files, and one thing wherever it is, with the reason why there are several. */
const ONE_MEANING: ReadonlyMap<string, string> = new Map([
  ...["Live", "NodeCount", "Question", "RunPlan", "RunView"].map((name) => [name, INFERRED] as const),
  ["JsonObject", "no package lies below both the generator and the ComfyUI that tests answer with"],
  ["ROOT", "the launcher runs before anything is installed, and the runtime does not import it"],
  ["TaskError", "a part of the schema of a task's result, for the runtime and for the bridge"],
  ["used", "what each part of an exported program uses of the other"],
]);

/** Lines of SQL or Lua with an empty name; neither language has such a word of its own. */
export function emptyWords(file: string, text: string): string[] {
  return text.split("\n").flatMap((line, at) => {
    const code = line.replaceAll(/'[^']*'/g, "").replace(/--.*$/, "");
    return EMPTY_NAMES.filter((name) => new RegExp(`\\b${name}\\b`).test(code)).map((name) => `${file}:${at + 1}: ${name}`);
  });
}

/** The names under which a TypeScript file exports what it declares. */
export function exportedNames(file: string, text: string): string[] {
  const { statements } = ts.createSourceFile(file, text, ts.ScriptTarget.Latest);
  const imported = new Set(statements.filter(ts.isImportDeclaration).flatMap(namesOfImport));
  return statements.flatMap((statement) => {
    if (ts.isExportDeclaration(statement)) return namesOfExport(statement, imported);
    const modifiers = (ts.canHaveModifiers(statement) && ts.getModifiers(statement)) || [];
    const kinds = modifiers.map(({ kind }) => kind);
    if (!kinds.includes(ts.SyntaxKind.ExportKeyword) || kinds.includes(ts.SyntaxKind.DefaultKeyword)) return [];
    const declared: readonly Declared[] = ts.isVariableStatement(statement) ? statement.declarationList.declarations : [statement];
    return declared.flatMap(({ name }) => (name ? boundNames(name) : []));
  });
}

/** The names that a declaration binds: its own, or those that it takes a value apart into. */
function boundNames(name: ts.Node): string[] {
  if (ts.isIdentifier(name)) return [name.text];
  if (!ts.isObjectBindingPattern(name) && !ts.isArrayBindingPattern(name)) return [];
  return name.elements.flatMap((element) => (ts.isBindingElement(element) ? boundNames(element.name) : []));
}

function namesOfImport({ importClause }: ts.ImportDeclaration): string[] {
  const bindings = importClause?.namedBindings;
  const named = bindings && ts.isNamedImports(bindings) ? bindings.elements.map(({ name }) => name.text) : [];
  return [...(importClause?.name ? [importClause.name.text] : []), ...named];
}

/** Of `export { a, b as c }` and `export * as d`, without what another file declares under the same name. */
function namesOfExport({ exportClause, moduleSpecifier }: ts.ExportDeclaration, imported: ReadonlySet<string>): string[] {
  if (!exportClause) return [];
  if (ts.isNamespaceExport(exportClause)) return [exportClause.name.text];
  const isElsewhere = (name: string): boolean => moduleSpecifier !== undefined || imported.has(name);
  return exportClause.elements
    .filter(({ name, propertyName }) => !isElsewhere((propertyName ?? name).text) || (propertyName && propertyName.text !== name.text))
    .map(({ name }) => name.text);
}

/** Each name that several files export, with the files. */
export function ambiguousNames(files: ReadonlyMap<string, string>): string[] {
  const exporters = new Map<string, string[]>();
  for (const [file, text] of files)
    for (const name of new Set(exportedNames(file, text))) exporters.set(name, [...(exporters.get(name) ?? []), file]);
  return [...exporters]
    .filter(([name, where]) => where.length > 1 && !ONE_MEANING.has(name))
    .map(([name, where]) => `${name}: ${where.join(", ")}`);
}

const trackedFiles = (): string[] =>
  execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: ROOT, encoding: "utf8" })
    .split("\n")
    .filter((file) => file && existsSync(join(ROOT, file)));
const isGenerated = (file: string): boolean => /(^|\/)generated\//.test(file);
const textOf = (file: string): string => readFileSync(join(ROOT, file), "utf8");

export function filesWithAmbiguousNames(): string[] {
  const sources = trackedFiles().filter((file) => /\.tsx?$/.test(file) && !/^tests\/|\.(test|d)\.tsx?$/.test(file));
  return ambiguousNames(new Map(sources.map((file) => [file, textOf(file)])));
}

export async function filesWithEmptyNames(): Promise<string[]> {
  const files = trackedFiles().filter((file) => !isGenerated(file));
  const python = files.filter((file) => file.endsWith(".py"));
  const program = join(import.meta.dirname, "names.py");
  const inPython = promisify(execFile)(PYTHON, [program, EMPTY_NAMES.join(), ...python], { cwd: ROOT });
  const inTypeScript = files.filter((file) => /\.(ts|tsx|mts|mjs|cjs)$/.test(file)).flatMap((file) => emptyNames(file, textOf(file)));
  // An applied migration stays as it is; the functions are applied anew.
  const repeatable = files.filter((file) => /\.(sql|lua)$/.test(file) && !/\/prisma\/(migrations|fixtures)\//.test(file));
  const inStatements = repeatable.flatMap((file) => emptyWords(file, textOf(file)));
  const ofFiles = files.filter((file) => EMPTY_NAMES.includes(basename(file).split(".")[0] as string)).map((file) => `${file}: the file`);
  return [...ofFiles, ...inTypeScript, ...inStatements, ...(await inPython).stdout.split("\n").filter(Boolean)];
}

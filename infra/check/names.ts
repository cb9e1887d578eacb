// What `npm run check` refuses in names: those that say nothing about what they name, and one name for two things.
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import ts from "typescript";
import { ROOT } from "../launch/paths.ts";
import { askPython, isGenerated, readSource, repositoryFiles } from "./files.ts";

/** They may name the parameter of a function on one line, where everything that a name could say is in sight. */
const EMPTY_NAMES: readonly string[] = ["one", "told", "look", "go", "here", "take"];

/** As a type, a constant or a private field, too. */
const isEmpty = (name: string): boolean => EMPTY_NAMES.includes(name.replaceAll(/^[#_]+|_+$/g, "").toLowerCase());

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
    const name = nameIn(node);
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

/** What a node declares: a name of its own, a label, or a field that is given its first value. */
function nameIn(node: ts.Node): ts.Node | undefined {
  if (ts.isLabeledStatement(node)) return node.label;
  if (ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.EqualsToken && ts.isPropertyAccessExpression(node.left))
    return node.left.expression.kind === ts.SyntaxKind.ThisKeyword ? node.left.name : undefined;
  const { name } = node as Declared;
  return name && ts.isComputedPropertyName(name) ? name.expression : name;
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

/** Texts and comments of each language; what remains is in the group "code". A name in quotes is a name in SQL, and a text in Lua. */
const TEXTS: Readonly<Record<string, RegExp>> = {
  sql: /'(?:[^']|'')*'|\/\*[\s\S]*?\*\/|--.*/g,
  lua: /--\[\[[\s\S]*?\]\]|--.*|\[\[[\s\S]*?\]\]|"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*'/g,
  css: /\/\*[\s\S]*?\*\/|"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*'/g,
};
/** Classes, ids, variables and animations; a word elsewhere in CSS is its own. */
const OF_CSS = /(?:[.#]|--|@keyframes\s+)([\w-]+)/g;

/** The empty names in SQL, Lua or CSS; none of them has such a word of its own. */
export function emptyWords(file: string, text: string): string[] {
  const kind = file.slice(file.lastIndexOf(".") + 1);
  const code = text.replaceAll(TEXTS[kind] as RegExp, (part) => part.replaceAll(/[^\n]/g, " "));
  return code.split("\n").flatMap((line, at) => {
    const words = kind === "css" ? [...line.matchAll(OF_CSS)].map(([, word = ""]) => word) : (line.match(/\w+/g) ?? []);
    return [...new Set(words.filter(isEmpty))].map((word) => `${file}:${at + 1}: ${word}`);
  });
}

/** The names under which a TypeScript file exports what it declares. */
export function exportedNames(file: string, text: string): string[] {
  const { statements } = ts.createSourceFile(file, text, ts.ScriptTarget.Latest);
  const imported = new Map(statements.filter(ts.isImportDeclaration).flatMap(namesOfImport));
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

/** What a file has from others, each with the name that it has there. */
function namesOfImport({ importClause }: ts.ImportDeclaration): (readonly [own: string, there: string])[] {
  const bindings = importClause?.namedBindings;
  const named = bindings && ts.isNamedImports(bindings) ? bindings.elements : [];
  const own = importClause?.name ? [[importClause.name.text, importClause.name.text] as const] : [];
  return [...own, ...named.map(({ name, propertyName }) => [name.text, (propertyName ?? name).text] as const)];
}

/** Of `export { a, b as c }` and `export * as d`, without what another file declares under the same name. */
function namesOfExport({ exportClause, moduleSpecifier }: ts.ExportDeclaration, imported: ReadonlyMap<string, string>): string[] {
  if (!exportClause) return [];
  if (ts.isNamespaceExport(exportClause)) return [exportClause.name.text];
  return exportClause.elements.flatMap(({ name: { text }, propertyName }) => {
    const own = (propertyName?.text ?? text) as string;
    const there = moduleSpecifier ? own : imported.get(own);
    return text === "default" || text === there ? [] : [text];
  });
}

/** The name of what a file exports as its default: it is no name of the export, and a second thing of that name is another one. */
function defaultNames(file: string, text: string): string[] {
  const { statements } = ts.createSourceFile(file, text, ts.ScriptTarget.Latest);
  return statements.flatMap((statement) => {
    if (!ts.isClassDeclaration(statement) && !ts.isFunctionDeclaration(statement)) return [];
    const isDefault = statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword);
    return isDefault && statement.name ? [statement.name.text] : [];
  });
}

/** Each name that several files export, with the files. */
export function ambiguousNames(files: ReadonlyMap<string, string>): string[] {
  const exporters = new Map<string, string[]>();
  for (const [file, text] of files)
    for (const name of new Set(exportedNames(file, text))) exporters.set(name, [...(exporters.get(name) ?? []), file]);
  for (const [file, text] of files)
    for (const name of defaultNames(file, text)) {
      const others = exporters.get(name);
      if (others && !others.includes(file)) others.push(file);
    }
  return [...exporters]
    .filter(([name, where]) => where.length > 1 && !ONE_MEANING.has(name))
    .map(([name, where]) => `${name}: ${where.join(", ")}`);
}

export function filesWithAmbiguousNames(): string[] {
  const sources = repositoryFiles().filter((file) => /\.tsx?$/.test(file) && !/^tests\/|\.(test|d)\.tsx?$/.test(file));
  return ambiguousNames(new Map(sources.map((file) => [file, readSource(file)])));
}

/** Every file of the repository, or those that a test names, in its folder. */
export function filesWithEmptyNames(tracked: readonly string[] = repositoryFiles(), root = ROOT): string[] {
  const files = tracked.filter((file) => !isGenerated(file));
  const read = (file: string): string => readFileSync(join(root, file), "utf8");
  const python = files.filter((file) => file.endsWith(".py"));
  const program = join(import.meta.dirname, "names.py");
  const inPython = askPython(program, [EMPTY_NAMES.join(), ...python], { cwd: root });
  const inTypeScript = files.filter((file) => /\.(ts|tsx|mts|mjs|cjs|js)$/.test(file)).flatMap((file) => emptyNames(file, read(file)));
  // An applied migration stays as it is; the functions are applied anew.
  const others = files.filter((file) => /\.(sql|lua|css)$/.test(file) && !/\/prisma\/(migrations|fixtures)\//.test(file));
  const inOthers = others.flatMap((file) => emptyWords(file, read(file)));
  const ofFiles = files.filter((file) => isEmpty(basename(file).split(".")[0] as string)).map((file) => `${file}: the file`);
  return [...ofFiles, ...inTypeScript, ...inOthers, ...inPython];
}

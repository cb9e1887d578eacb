// Where code evaluates a text as code or as a command, or puts one into a page as markup (DESIGN S4).
import { join } from "node:path";
import ts from "typescript";
import { askPython } from "../../infra/check/files.ts";

const EVALUATING: ReadonlySet<string> = new Set(["eval", "Function"]);
/** A program that takes a text as commands, under whatever path; evaluation.py has the same. */
const A_SHELL = /^(\/\S*\/)?(sh|bash|dash|ash|zsh|ksh|fish|cmd(\.exe)?|powershell(\.exe)?|pwsh)$/;
/** Members of pages, elements and their descriptions in JSX that take markup. */
const MARKUP: ReadonlySet<string> = new Set([
  ...["innerHTML", "outerHTML", "insertAdjacentHTML", "setHTMLUnsafe", "dangerouslySetInnerHTML", "srcdoc", "srcDoc"],
  ...["createContextualFragment", "parseHTMLUnsafe"],
]);
const TIMERS: ReadonlySet<string> = new Set(["setTimeout", "setInterval", "setImmediate"]);

/** Each as `file:line: what is used`. */
export function evaluationsIn(file: string, text: string): string[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node)) return;
    const what = evaluationOf(node);
    if (what) found.push(`${file}:${source.getLineAndCharacterOfPosition(node.getStart()).line + 1}: ${what}`);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function evaluationOf(node: ts.Node): string | undefined {
  if (ts.isIdentifier(node) || ts.isStringLiteralLike(node)) {
    const { parent, text } = node;
    const isMember = ts.isElementAccessExpression(parent) || (ts.isPropertyAccessExpression(parent) && parent.name === node);
    const isKey = isMember || ts.isPropertyAssignment(parent) || ts.isJsxAttribute(parent) || ts.isBindingElement(parent);
    if (isKey && MARKUP.has(text)) return text;
    if (text === "SHELL" || (ts.isStringLiteralLike(node) && A_SHELL.test(text))) return "a shell";
    if (/^(node:)?child_process$/.test(text) && ts.isStringLiteralLike(node) && !isImportOfNames(parent)) return "all of child_process";
    if (EVALUATING.has(text) && (isKey || (ts.isIdentifier(node) && !isInstanceCheck(node)))) return text;
    const isModule = ts.isImportDeclaration(parent) || (ts.isCallExpression(parent) && parent.arguments[0] === node);
    return isModule && ts.isStringLiteralLike(node) && /^(node:)?vm$/.test(text) ? "vm" : undefined;
  }
  if (isShellOption(node)) return "shell";
  if (ts.isImportSpecifier(node) && /^(exec(Sync)?|default)$/.test((node.propertyName ?? node.name).text))
    return "exec, or all of a module";
  if (!ts.isCallExpression(node)) return undefined;
  const { expression: callee, arguments: given } = node;
  const name = ts.isIdentifier(callee) ? callee.text : ts.isPropertyAccessExpression(callee) ? callee.name.text : "";
  if (TIMERS.has(name) && given[0] && isText(given[0])) return `${name} of a text`;
  if (!ts.isPropertyAccessExpression(callee)) return undefined;
  if (name === "constructor") return "constructor of a function";
  return /^write(ln)?$/.test(name) && /(^|\.)document$/.test(callee.expression.getText()) ? `document.${name}` : undefined;
}

/** Whether a module is imported by the names of what is used of it, which are judged each. */
function isImportOfNames(declaration: ts.Node): boolean {
  const clause = ts.isImportDeclaration(declaration) ? declaration.importClause : undefined;
  if (!clause) return false;
  return clause.isTypeOnly || (!clause.name && clause.namedBindings !== undefined && ts.isNamedImports(clause.namedBindings));
}

/** Whether `shell` is given as an option, however that is written, and not as `false`. */
function isShellOption(node: ts.Node): boolean {
  if (ts.isShorthandPropertyAssignment(node)) return node.name.text === "shell";
  const isSet =
    ts.isBinaryExpression(node) && node.operatorToken.kind === ts.SyntaxKind.EqualsToken && ts.isPropertyAccessExpression(node.left);
  const [name, value] = ts.isPropertyAssignment(node) ? [node.name, node.initializer] : isSet ? [node.left.name, node.right] : [];
  if (!name || !(ts.isIdentifier(name) || ts.isStringLiteralLike(name))) return false;
  return name.text === "shell" && value?.kind !== ts.SyntaxKind.FalseKeyword;
}

const isInstanceCheck = ({ parent }: ts.Node): boolean =>
  ts.isBinaryExpression(parent) && parent.operatorToken.kind === ts.SyntaxKind.InstanceOfKeyword;

const isText = (node: ts.Node): boolean =>
  ts.isStringLiteralLike(node) ||
  ts.isTemplateExpression(node) ||
  (ts.isParenthesizedExpression(node) && isText(node.expression)) ||
  (ts.isBinaryExpression(node) && (isText(node.left) || isText(node.right)));

/** The same of Python files, or of a text. */
export const pythonEvaluations = (files: readonly string[], text?: string): string[] =>
  askPython(join(import.meta.dirname, "evaluation.py"), files, { input: text });

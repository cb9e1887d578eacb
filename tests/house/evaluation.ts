// Where code evaluates a text as code or as a command, or puts one into a page as markup (DESIGN S4).
import ts from "typescript";
import { askPython } from "./files.ts";

const EVALUATING: ReadonlySet<string> = new Set(["eval", "Function"]);
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
    if (EVALUATING.has(text) && (isKey || (ts.isIdentifier(node) && !isInstanceCheck(node)))) return text;
    const isModule = ts.isImportDeclaration(parent) || (ts.isCallExpression(parent) && parent.arguments[0] === node);
    return isModule && ts.isStringLiteralLike(node) && /^(node:)?vm$/.test(text) ? "vm" : undefined;
  }
  if (ts.isPropertyAssignment(node) && ts.isIdentifier(node.name) && node.name.text === "shell")
    return node.initializer.kind === ts.SyntaxKind.FalseKeyword ? undefined : "shell";
  if (ts.isImportSpecifier(node) && /^exec(Sync)?$/.test((node.propertyName ?? node.name).text)) return "exec";
  if (!ts.isCallExpression(node)) return undefined;
  const { expression: callee, arguments: given } = node;
  const name = ts.isIdentifier(callee) ? callee.text : ts.isPropertyAccessExpression(callee) ? callee.name.text : "";
  if (TIMERS.has(name) && given[0] && isText(given[0])) return `${name} of a text`;
  if (!ts.isPropertyAccessExpression(callee)) return undefined;
  if (name === "constructor") return "constructor of a function";
  return /^write(ln)?$/.test(name) && /(^|\.)document$/.test(callee.expression.getText()) ? `document.${name}` : undefined;
}

const isInstanceCheck = ({ parent }: ts.Node): boolean =>
  ts.isBinaryExpression(parent) && parent.operatorToken.kind === ts.SyntaxKind.InstanceOfKeyword;

const isText = (node: ts.Node): boolean =>
  ts.isStringLiteralLike(node) ||
  ts.isTemplateExpression(node) ||
  (ts.isParenthesizedExpression(node) && isText(node.expression)) ||
  (ts.isBinaryExpression(node) && (isText(node.left) || isText(node.right)));

/** The same of Python files, or of a text. */
export const pythonEvaluations = (files: readonly string[], text?: string): string[] => askPython("evaluation.py", files, text);

// The titles that count as proof of a rule: of tests that certainly run, as far as their file says, and of groups with one.
import { join } from "node:path";
import ts from "typescript";
import { askPython } from "../../infra/check/files.ts";

/** What may follow `test` or `describe`, and be said in its options: nothing else is known to let it run. */
const RUN: ReadonlySet<string> = new Set(["concurrent", "sequential", "shuffle", "only", "each", "for", "skipIf", "runIf", "extend"]);
const OPTIONS: ReadonlySet<string> = new Set(["timeout", "retry", "repeats", "concurrent", "sequential", "shuffle"]);
const OPTIONS_TO_LEAVE: ReadonlySet<string> = new Set(["skip", "todo", "fails"]);

/** The titles of a TypeScript file's tests and of their groups, but for those that may not run. */
export function titlesOf(file: string, text: string): string[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  return hasHookThatSkips(source) ? [] : titlesIn(source);
}

function titlesIn(node: ts.Node): string[] {
  const inner = (): string[] => {
    const found: string[] = [];
    ts.forEachChild(node, (child) => {
      found.push(...titlesIn(child));
    });
    return found;
  };
  if (!ts.isCallExpression(node)) return inner();
  const [title, ...rest] = node.arguments;
  const { root, modifiers, mayRun } = wayTo(node.expression);
  if (!/^(test|it|describe)$/.test(root) || !title || !(ts.isStringLiteralLike(title) || ts.isTemplateExpression(title))) return inner();
  const functions = rest.filter(isFunction);
  const options = rest.filter((part, at) => !isFunction(part) && !(ts.isIdentifier(part) && at > rest.findIndex(isFunction))); // a time limit with a name comes last
  if (!mayRun || functions.length !== 1 || !options.every(letsRun)) return [];
  if (root !== "describe" && mayLeave(functions[0] as Inline, modifiers)) return [];
  const within = inner();
  return root === "describe" && within.length === 0 ? [] : [title.getText().slice(1, -1), ...within];
}

type Inline = ts.ArrowFunction | ts.FunctionExpression;
const isFunction = (node: ts.Node): node is Inline => ts.isArrowFunction(node) || ts.isFunctionExpression(node);

interface Way {
  root: string;
  modifiers: readonly string[];
  mayRun: boolean;
}

/** What `describe.skip.each(...)` begins with and what follows; a condition or a list that is written out is judged as well. */
function wayTo(callee: ts.Expression): Way {
  if (ts.isIdentifier(callee)) return { root: callee.text, modifiers: [], mayRun: true };
  if (ts.isPropertyAccessExpression(callee) || ts.isElementAccessExpression(callee)) {
    const { root, modifiers, mayRun } = wayTo(callee.expression);
    const name = ts.isPropertyAccessExpression(callee) ? callee.name.text : callee.argumentExpression.getText();
    return { root, modifiers: [...modifiers, name], mayRun: mayRun && RUN.has(name) };
  }
  if (ts.isTaggedTemplateExpression(callee)) {
    const way = wayTo(callee.tag);
    return { ...way, mayRun: way.mayRun && ts.isTemplateExpression(callee.template) };
  }
  if (!ts.isCallExpression(callee)) return { root: "", modifiers: [], mayRun: true };
  const way = wayTo(callee.expression);
  const [given] = callee.arguments;
  const isCondition = /^(skipIf|runIf)$/.test(way.modifiers.at(-1) ?? "");
  return { ...way, mayRun: way.mayRun && given !== undefined && !(isCondition ? isWritten(given) : isEmpty(given)) };
}

const isWritten = (condition: ts.Expression): boolean =>
  ts.isLiteralExpression(condition) || /^(true|false|null|undefined)$/.test(condition.getText());

const isEmpty = (list: ts.Expression): boolean =>
  ts.isAsExpression(list) ? isEmpty(list.expression) : ts.isArrayLiteralExpression(list) && list.elements.length === 0;

/** Whether a time limit or options, all of them written out, say nothing that keeps a test from running. */
const letsRun = (options: ts.Expression): boolean =>
  ts.isNumericLiteral(options) ||
  (ts.isObjectLiteralExpression(options) &&
    options.properties.every((property) => {
      const name = property.name && ts.isIdentifier(property.name) ? property.name.text : "";
      if (OPTIONS.has(name)) return true;
      return OPTIONS_TO_LEAVE.has(name) && ts.isPropertyAssignment(property) && property.initializer.kind === ts.SyntaxKind.FalseKeyword;
    }));

/**
 * Whether a test may skip itself, be it on a condition: `skipIf` says that where everybody sees it. Its context is the first thing it is
 * given, after `for` the second, after `each` nothing; a context that is handed on may be skipped elsewhere.
 */
function mayLeave({ parameters, body }: Inline, modifiers: readonly string[]): boolean {
  if (modifiers.includes("each")) return false;
  const context = parameters[modifiers.includes("for") ? 1 : 0]?.name;
  if (context === undefined) return false;
  if (!ts.isIdentifier(context)) return context.elements.some((element) => ts.isBindingElement(element) && !isNamed(element));
  const leaves = (node: ts.Node): boolean => {
    if (ts.isPropertyAccessExpression(node) && node.expression.getText() === context.text) return /^(skip|task)$/.test(node.name.text);
    if (ts.isIdentifier(node) && node.text === context.text) return true;
    return ts.forEachChild(node, (child) => leaves(child) || undefined) === true;
  };
  return leaves(body);
}

const isNamed = ({ propertyName, name, dotDotDotToken }: ts.BindingElement): boolean =>
  !dotDotDotToken && !/^(skip|task)$/.test((propertyName ?? name).getText());

/** A hook with an own function that has the word `skip` in it: which tests it skips, only Vitest knows. */
function hasHookThatSkips(node: ts.Node): boolean {
  if (ts.isCallExpression(node) && /^(before|after)(Each|All)$/.test(node.expression.getText()) && /\bskip\b/.test(node.getText()))
    return true;
  return ts.forEachChild(node, (child) => hasHookThatSkips(child) || undefined) === true;
}

/** The first lines of the docstrings of Python tests, which have no titles, but for those that may not run; of files, or of a text. */
export function docstringsOf(files: readonly string[], text?: string): { file: string; title: string }[] {
  const lines = askPython(join(import.meta.dirname, "titles.py"), files, { input: text });
  return lines.map((line) => JSON.parse(line) as { file: string; title: string });
}

// The titles that count as proof of a rule: of tests that run, and of groups with one.
import { join } from "node:path";
import ts from "typescript";
import { askPython } from "../../infra/check/files.ts";

/** A test, or a group, under one of these is not run, or is expected to fail. */
const NOT_RUN: ReadonlySet<string> = new Set(["skip", "todo", "fails"]);

/** The titles of a TypeScript file's tests and of their groups, but for those that never run. */
export function titlesOf(file: string, text: string): string[] {
  const titlesIn = (node: ts.Node): string[] => {
    const inner = (): string[] => {
      const found: string[] = [];
      ts.forEachChild(node, (child) => {
        found.push(...titlesIn(child));
      });
      return found;
    };
    if (!ts.isCallExpression(node)) return inner();
    const [title, ...rest] = node.arguments;
    const { root, modifiers } = wayTo(node.expression);
    if (!/^(test|it|describe)$/.test(root) || !title || !(ts.isStringLiteralLike(title) || ts.isTemplateExpression(title))) return inner();
    if (modifiers.some((modifier) => NOT_RUN.has(modifier)) || rest.some(saysNotRun)) return [];
    if (root !== "describe" && rest.some(skipsItself)) return [];
    if (!rest.some((part) => !ts.isObjectLiteralExpression(part) && !ts.isNumericLiteral(part))) return []; // Vitest takes it for one to be written
    const own = title.getText().slice(1, -1);
    const within = inner();
    return root === "describe" && within.length === 0 ? [] : [own, ...within];
  };
  return titlesIn(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
}

/** What `describe.skip.each(...)` begins with and what follows; a condition that is written out is followed as well. */
function wayTo(callee: ts.Expression): { root: string; modifiers: readonly string[] } {
  if (ts.isIdentifier(callee)) return { root: callee.text, modifiers: [] };
  if (ts.isPropertyAccessExpression(callee)) {
    const { root, modifiers } = wayTo(callee.expression);
    return { root, modifiers: [...modifiers, callee.name.text] };
  }
  if (ts.isTaggedTemplateExpression(callee)) return wayTo(callee.tag);
  if (!ts.isCallExpression(callee)) return { root: "", modifiers: [] };
  const { root, modifiers } = wayTo(callee.expression);
  const never = { skipIf: "true", runIf: "false", each: "[]", for: "[]" }[modifiers.at(-1) ?? ""];
  return { root, modifiers: never !== undefined && callee.arguments[0]?.getText() === never ? [...modifiers, "skip"] : modifiers };
}

const saysNotRun = (options: ts.Expression): boolean =>
  ts.isObjectLiteralExpression(options) &&
  options.properties.some(
    (property) =>
      ts.isPropertyAssignment(property) && NOT_RUN.has(property.name.getText()) && property.initializer.kind !== ts.SyntaxKind.FalseKeyword,
  );

/** Whether a test asks what it is given to skip it, be it on a condition: `skipIf` says that where everybody sees it. */
function skipsItself(test: ts.Expression): boolean {
  if (!ts.isArrowFunction(test) && !ts.isFunctionExpression(test)) return false;
  const given = new Set(test.parameters.map(({ name }) => name.getText()));
  const skips = (node: ts.Node): boolean =>
    (ts.isPropertyAccessExpression(node) && node.name.text === "skip" && given.has(node.expression.getText())) ||
    (ts.isBindingElement(node) && (node.propertyName ?? node.name).getText() === "skip") ||
    ts.forEachChild(node, (child) => skips(child) || undefined) === true;
  return skips(test);
}

/** The first lines of the docstrings of Python tests, which have no titles, but for those that never run; of files, or of a text. */
export function docstringsOf(files: readonly string[], text?: string): { file: string; title: string }[] {
  const lines = askPython(join(import.meta.dirname, "titles.py"), files, { input: text });
  return lines.map((line) => JSON.parse(line) as { file: string; title: string });
}

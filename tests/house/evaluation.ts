// Where code evaluates a text as code or as a command, or puts one into a page as markup (DESIGN S4), in the spellings of engineers who do
// not hide it. It reads one file without types, so it does not see what comes there by way of a variable: the name of a program or of a
// module, options, the document, a text given to a timer.
import { join } from "node:path";
import ts from "typescript";
import { askPython } from "../../infra/check/files.ts";

const EVALUATING: ReadonlySet<string> = new Set(["eval", "Function"]);
/** A program that takes a text as commands; evaluation.py has the same. */
const A_SHELL = /^(sh|bash|dash|ash|zsh|ksh|fish|cmd|powershell|pwsh)$/i;
const PATH_OF_A_SHELL = /^(\S*[/\\]bin[/\\](sh|bash|dash|ash|zsh|ksh|fish|pwsh)|(.*[/\\])?(bash|cmd|powershell|pwsh)\.exe)$/i;
/** A program that is no shell, and takes the text of a program. */
const AN_INTERPRETER = /(^|[/\\])(node|deno|bun|tsx|python[\d.]*|perl|ruby|php)(\.exe)?$/i;
const STARTERS = /^(spawn|spawnSync|execFile|execFileSync|fork|execute)$/;
/** After it comes the text of a program, to an interpreter or to a shell. */
const PROGRAM_TEXT: ReadonlySet<string> = new Set(["-c", "-e", "--eval", "-p", "--print"]);
const SHELL_TEXT = /^(-[a-z]*c|\/[ck])$/i;
/** Members of pages, elements and their descriptions in JSX that take markup. */
const MARKUP: ReadonlySet<string> = new Set([
  ...["innerHTML", "outerHTML", "insertAdjacentHTML", "setHTMLUnsafe", "dangerouslySetInnerHTML", "srcdoc", "srcDoc"],
  ...["createContextualFragment", "parseHTMLUnsafe"],
]);
const TIMERS: ReadonlySet<string> = new Set(["setTimeout", "setInterval", "setImmediate"]);

/** Each line once, as `file:line: what is used`. */
export function evaluationsIn(file: string, text: string): string[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found = new Map<number, string>();
  const visit = (node: ts.Node): void => {
    if (ts.isTypeNode(node)) return;
    const what = evaluationOf(node);
    const line = source.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    if (what && !found.has(line)) found.set(line, `${file}:${line}: ${what}`);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return [...found.values()];
}

function evaluationOf(node: ts.Node): string | undefined {
  if (ts.isIdentifier(node) || ts.isStringLiteralLike(node)) return ofName(node);
  if (isShellOption(node)) return "shell";
  if (ts.isPropertyAccessExpression(node)) return ofMember(node);
  if (ts.isNewExpression(node) && /Worker$/.test(nameOf(node.expression)) && isInline(node.arguments?.[0])) return "a worker of a text";
  return ts.isCallExpression(node) ? ofCall(node) : undefined;
}

function ofName(node: ts.Identifier | ts.StringLiteralLike): string | undefined {
  const { parent, text } = node;
  const isMember = ts.isElementAccessExpression(parent) || (ts.isPropertyAccessExpression(parent) && parent.name === node);
  const isKey =
    isMember ||
    ts.isPropertyAssignment(parent) ||
    ts.isJsxAttribute(parent) ||
    ts.isBindingElement(parent) ||
    ts.isShorthandPropertyAssignment(parent);
  if (isKey && MARKUP.has(text)) return text;
  if (isMember && /^(SHELL|COMSPEC)$/i.test(text) && /(^|\.)env$/.test(parent.expression.getText())) return "a shell";
  if (EVALUATING.has(text) && (isKey || (ts.isIdentifier(node) && !isInstanceCheck(node)))) return text;
  if (ts.isBindingElement(parent) && parent.propertyName === node && text === "constructor") return "constructor of a function";
  if (!ts.isStringLiteralLike(node)) return undefined;
  if (PATH_OF_A_SHELL.test(text) || (A_SHELL.test(text) && isGivenToStarter(node))) return "a shell";
  if (ts.isCallExpression(parent) && parent.expression.getText().startsWith("vi.")) return undefined;
  if (/^(node:)?child_process$/.test(text)) return isOfNames(parent) ? undefined : "exec, or all of child_process";
  const isModule = ts.isImportDeclaration(parent) || ts.isExportDeclaration(parent) || ts.isExternalModuleReference(parent);
  return /^(node:)?vm$/.test(text) && (isModule || (ts.isCallExpression(parent) && parent.arguments[0] === node)) ? "vm" : undefined;
}

function ofMember({ name, expression, parent }: ts.PropertyAccessExpression): string | undefined {
  const isMade =
    (ts.isCallExpression(parent) || ts.isNewExpression(parent)) && /\.constructor\??\.constructor$/.test(parent.expression.getText());
  const isOfFunction = isFunction(expression) || /getPrototypeOf\(/.test(expression.getText());
  return name.text === "constructor" && (isMade || isOfFunction) ? "constructor of a function" : undefined;
}

const isFunction = (node: ts.Expression): boolean =>
  ts.isParenthesizedExpression(node) ? isFunction(node.expression) : ts.isArrowFunction(node) || ts.isFunctionExpression(node);

function ofCall(call: ts.CallExpression): string | undefined {
  const { expression: callee, arguments: given } = call;
  const name = nameOf(callee);
  if (TIMERS.has(name) && given[0] && isText(given[0])) return `${name} of a text`;
  if (callee.kind === ts.SyntaxKind.ImportKeyword && isInline(given[0])) return "import of a text";
  if (STARTERS.test(name) && mayInterpret(given[0]) && given.some(hasProgramText)) return "the text of a program";
  if (!ts.isPropertyAccessExpression(callee)) return undefined;
  const attribute = name === "setAttribute" && given[0] && ts.isStringLiteralLike(given[0]) ? given[0].text : "";
  if (MARKUP.has(attribute) || /^on[a-z]+$/i.test(attribute)) return `the attribute ${attribute}`;
  return /^write(ln)?$/.test(name) && /(^|\.)(document|ownerDocument|contentDocument)!?( as \w+\))?$/.test(callee.expression.getText())
    ? `document.${name}`
    : undefined;
}

/** Whether an address holds what stands at it. */
const isInline = (address: ts.Expression | undefined): boolean => /^["'`](data|blob):/.test(address?.getText() ?? "");

const nameOf = (callee: ts.Expression): string =>
  ts.isIdentifier(callee) ? callee.text : ts.isPropertyAccessExpression(callee) ? callee.name.text : "";

/** Whether a list of arguments has one that says a program's text follows, and that text is made. */
const hasProgramText = (list: ts.Expression): boolean =>
  ts.isArrayLiteralExpression(list) &&
  list.elements.some((element, at) => {
    const next = list.elements[at + 1];
    return ts.isStringLiteralLike(element) && PROGRAM_TEXT.has(element.text) && next !== undefined && !ts.isStringLiteralLike(next);
  });

/** Whether a program may be an interpreter: what is named by a variable may be any. */
const mayInterpret = (program: ts.Expression | undefined): boolean =>
  program === undefined || !ts.isStringLiteralLike(program) || AN_INTERPRETER.test(program.text) || A_SHELL.test(program.text);

/** Whether it is in what starts a process, itself or in the list of arguments; or beside a list in which a shell's text follows, whatever takes both. */
function isGivenToStarter(node: ts.Node): boolean {
  let at = node.parent;
  while (isPartOfValue(at)) at = at.parent;
  if (ts.isPropertyAssignment(at) && ts.isObjectLiteralExpression(at.parent))
    return at.parent.properties.some((other) => ts.isPropertyAssignment(other) && hasShellText(other.initializer));
  return ts.isCallExpression(at) && (STARTERS.test(nameOf(at.expression)) || at.arguments.some(hasShellText));
}

const isPartOfValue = (node: ts.Node): boolean =>
  ts.isArrayLiteralExpression(node) ||
  ts.isConditionalExpression(node) ||
  ts.isAsExpression(node) ||
  ts.isParenthesizedExpression(node) ||
  (ts.isBinaryExpression(node) && /^(\?\?|\|\|)$/.test(node.operatorToken.getText()));

const hasShellText = (list: ts.Expression): boolean =>
  ts.isArrayLiteralExpression(list) && list.elements.some((element) => ts.isStringLiteralLike(element) && SHELL_TEXT.test(element.text));

/** Whether a module is imported by the names of what is used of it, without `exec`, which is a shell. */
function isOfNames(declaration: ts.Node): boolean {
  const clause = ts.isImportDeclaration(declaration) ? declaration.importClause : undefined;
  if (!clause || clause.isTypeOnly) return clause !== undefined;
  if (clause.name || !clause.namedBindings || !ts.isNamedImports(clause.namedBindings)) return false;
  return clause.namedBindings.elements.every(({ propertyName, name }) => !/^(exec(Sync)?|default)$/.test((propertyName ?? name).text));
}

/** Whether `shell` is given as an option to what starts a process, or set to true or as a member anywhere, and not as `false`. */
function isShellOption(node: ts.Node): boolean {
  const isShell = (name: ts.Node | undefined) => name !== undefined && /^["'`]?shell["'`]?$/.test(name.getText());
  if (ts.isBinaryExpression(node)) {
    const { left, operatorToken, right } = node;
    const member = ts.isPropertyAccessExpression(left)
      ? left.name
      : ts.isElementAccessExpression(left)
        ? left.argumentExpression
        : undefined;
    const isSet = operatorToken.kind >= ts.SyntaxKind.FirstAssignment && operatorToken.kind <= ts.SyntaxKind.LastAssignment;
    return isSet && isShell(member) && right.kind !== ts.SyntaxKind.FalseKeyword;
  }
  if (ts.isShorthandPropertyAssignment(node)) return isShell(node.name) && isGivenToStarter(node.parent);
  if (!ts.isPropertyAssignment(node) || !isShell(node.name)) return false;
  const { kind } = node.initializer;
  return kind === ts.SyntaxKind.TrueKeyword || (kind !== ts.SyntaxKind.FalseKeyword && isGivenToStarter(node.parent));
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

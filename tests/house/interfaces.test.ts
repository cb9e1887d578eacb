// An engineer can hold an interface of a dozen members in mind, and a test can stand in for it. What needs more is composed of parts,
// and each module asks for the parts that it uses.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";
import { ROOT } from "../../infra/launch/paths.ts";

const MOST_MEMBERS = 12;
const ROOMS = ["engine", "record", "tasks"].map((room) => `apps/runtime/src/${room}`);

interface Face {
  file: string;
  members: Set<string>;
  /** The names of the interfaces and classes that it extends. */
  bases: string[];
}

const isHidden = (node: ts.Node): boolean =>
  (ts.getCombinedModifierFlags(node as ts.Declaration) & (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) !== 0;
const nameOf = (member: ts.Node & { name?: ts.Node }): string => member.name?.getText() ?? member.getText();

/** What a class shows: its own members, and the parameters of its constructor that are properties. */
function publicMembers(declaration: ts.ClassDeclaration): string[] {
  const parameters = declaration.members.filter(ts.isConstructorDeclaration).flatMap(({ parameters }) => [...parameters]);
  const properties = parameters.filter((parameter) => ts.isParameterPropertyDeclaration(parameter, parameter.parent));
  const members = declaration.members.filter(
    (member) => !ts.isConstructorDeclaration(member) && !ts.isPrivateIdentifier(member.name ?? member),
  );
  return [...members, ...properties].filter((member) => !isHidden(member)).map(nameOf);
}

/** The interfaces, classes and object types that the files declare, by name. */
function facesOf(files: readonly string[], read: (file: string) => string): Map<string, Face> {
  const faces = new Map<string, Face>();
  for (const file of files) {
    const add = (name: string, members: readonly string[], heritage: readonly ts.HeritageClause[] = []) => {
      const clauses = heritage.filter(({ token }) => token === ts.SyntaxKind.ExtendsKeyword);
      const bases = clauses.flatMap(({ types }) => types.map(({ expression }) => expression.getText()));
      faces.set(name, { file, members: new Set(members), bases });
    };
    const addParts = (name: string, type: ts.TypeNode): void => {
      if (ts.isTypeLiteralNode(type)) add(name, type.members.map(nameOf));
      else if (ts.isParenthesizedTypeNode(type)) addParts(name, type.type);
      else if (ts.isUnionTypeNode(type) || ts.isIntersectionTypeNode(type))
        for (const [index, part] of type.types.entries()) addParts(`${name} ${index}`, part);
    };
    ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true).forEachChild((node) => {
      if (ts.isInterfaceDeclaration(node)) add(node.name.text, node.members.map(nameOf), node.heritageClauses);
      else if (ts.isClassDeclaration(node)) add(node.name?.text ?? file, publicMembers(node), node.heritageClauses);
      else if (ts.isTypeAliasDeclaration(node)) addParts(node.name.text, node.type);
    });
  }
  return faces;
}

function membersOf(name: string, faces: ReadonlyMap<string, Face>): Set<string> {
  const { members = [], bases = [] } = faces.get(name) ?? {};
  return new Set([...members, ...bases.flatMap((base) => [...membersOf(base, faces)])]);
}

const tooWide = (faces: ReadonlyMap<string, Face>): string[] =>
  [...faces].flatMap(([name, { file }]) => {
    const { size } = membersOf(name, faces);
    return size > MOST_MEMBERS ? [`${file}: ${name} has ${size} members`] : [];
  });

test("no interface, object type or class in the run engine, the record and the tasks declares or inherits over twelve members to call or to hand in", () => {
  const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard", ...ROOMS], { cwd: ROOT, encoding: "utf8" })
    .trim()
    .split("\n");
  const faces = facesOf(
    files.filter((file) => file.endsWith(".ts") && !/\.(test|testing)\.ts$/.test(file)),
    (file) => readFileSync(join(ROOT, file), "utf8"),
  );
  expect(faces.size).toBeGreaterThan(60);
  expect(tooWide(faces)).toEqual([]);
});

test("members that are inherited, or come from a constructor, count; those that are private do not", () => {
  const six = (first: string) => Array.from({ length: 6 }, (_, index) => `${first}${index}: string;`).join(" ");
  const text = `interface Base { ${six("a")} }
    interface Wide extends Base { ${six("b")} more(): void }
    class Closed { constructor(readonly x: string, private readonly y: string) {} private z = 1; #w = 2; ${six("c")} ${six("d")} }
    class Open { constructor(readonly x: string) {} ${six("c")} ${six("d")} static make() {} }`;
  expect(tooWide(facesOf(["text.ts"], () => text))).toEqual([
    "text.ts: Wide has 13 members",
    "text.ts: Closed has 13 members",
    "text.ts: Open has 14 members",
  ]);
});

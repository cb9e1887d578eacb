// An engineer can hold an interface of a dozen members in mind, and a test can stand in for it. What needs more is composed of parts,
// and each module asks for the parts that it uses.
import ts from "typescript";
import { expect, test } from "vitest";
import { readSource } from "../../infra/check/files.ts";
import { codeFiles } from "./files.ts";

const MOST_MEMBERS = 12;
const ROOMS = ["apps/runtime/src", "apps/editor/app", "packages", "workers/comfy-bridge/src"];

const ROW = "a row of the database, or what is read with one";
/** What is wider, with the reason: facts and calls of which whoever has them takes a few. None is what the engine's modules ask of each other. */
const WIDER: Readonly<Record<string, string>> = {
  AnyChange: "a change of a row, for the records that write changes down; whoever makes one names a NodeMove, which is narrow",
  "Callee 0": "a Level",
  DocumentState: "what a page shows of its document and of the connection; each part of the page takes what it needs",
  DueRow: ROW,
  FrozenDefinition: "a capability as a run froze it",
  GraphService: "what the API offers for graphs; each route calls one of it",
  Level: "facts about a graph that cannot be changed, each worked out once somebody asks",
  LibraryService: "what is offered and by whom, for the API, the runs and /health, each of which takes what it needs",
  NewRun: ROW,
  NodeCapability: "a capability as its file describes it",
  NodeDefinition: "a capability as the library describes it",
  NodeInfo: "a class as ComfyUI describes it",
  NodeRunRow: ROW,
  RawNodeRun: ROW,
  NodeRunView: "a node run in an answer of the API",
  RunView: "an answer of the API",
  Scene: "what the editor shows now, for its commands, each of which takes what it needs",
  Services: "what main.ts has made, for the routes, each of which takes what it needs",
  TaskRow: ROW,
  WaitingRow: ROW,
};

interface Face {
  file: string;
  name: string;
  members: Set<string>;
  /** What it extends or is an intersection of, as members that each adds. */
  bases: ((faces: Faces) => Set<string>)[];
}

class Faces {
  private readonly all: Face[] = [];

  add(face: Face): void {
    this.all.push(face);
  }

  get size(): number {
    return this.all.length;
  }

  /** The members of the type that a name stands for in a file: the file's own, else another file's. */
  membersOf(name: string, file: string): Set<string> {
    const named = this.all.filter((face) => face.name === name);
    const found = named.find((face) => face.file === file) ?? named[0];
    return found ? this.everythingOf(found) : new Set();
  }

  get tooWide(): string[] {
    return this.all.flatMap((face) => {
      const { size } = this.everythingOf(face);
      return size > MOST_MEMBERS ? [`${face.file}: ${face.name} has ${size} members`] : [];
    });
  }

  private everythingOf({ members, bases }: Face): Set<string> {
    return new Set([...members, ...bases.flatMap((base) => [...base(this)])]);
  }
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

const literals = (type: ts.Node | undefined): string[] =>
  type === undefined ? [] : ts.isUnionTypeNode(type) ? type.types.flatMap(literals) : [type.getText().replaceAll('"', "")];

/** The members of a type as it is written in a file: of object types, names, intersections, and what is picked or left out of them. */
function membersIn(type: ts.Node, file: string, faces: Faces): Set<string> {
  if (ts.isParenthesizedTypeNode(type)) return membersIn(type.type, file, faces);
  if (ts.isTypeLiteralNode(type)) return new Set(type.members.map(nameOf));
  if (ts.isIntersectionTypeNode(type)) return new Set(type.types.flatMap((part) => [...membersIn(part, file, faces)]));
  if (!ts.isTypeReferenceNode(type) && !ts.isExpressionWithTypeArguments(type)) return new Set();
  const name = (ts.isTypeReferenceNode(type) ? type.typeName : type.expression).getText();
  const [of, keys] = type.typeArguments ?? [];
  if (name === "Pick") return new Set(literals(keys));
  if (of && ["Omit", "Partial", "Readonly", "Required"].includes(name))
    return new Set([...membersIn(of, file, faces)].filter((member) => !literals(keys).includes(member)));
  return faces.membersOf(name, file);
}

/** The interfaces, classes and object types that the files declare. */
function facesOf(files: readonly string[], read: (file: string) => string): Faces {
  const faces = new Faces();
  for (const file of files) {
    const add = (name: string, members: readonly string[], bases: readonly ts.Node[] = []) =>
      faces.add({ file, name, members: new Set(members), bases: bases.map((base) => (all) => membersIn(base, file, all)) });
    const extended = (heritage: readonly ts.HeritageClause[] = []) =>
      heritage.filter(({ token }) => token === ts.SyntaxKind.ExtendsKeyword).flatMap(({ types }) => [...types]);
    const addParts = (name: string, type: ts.TypeNode): void => {
      if (ts.isParenthesizedTypeNode(type)) addParts(name, type.type);
      else if (ts.isUnionTypeNode(type)) for (const [index, part] of type.types.entries()) addParts(`${name} ${index}`, part);
      else add(name, [], [type]);
    };
    ts.createSourceFile(file, read(file), ts.ScriptTarget.Latest, true).forEachChild((node) => {
      if (ts.isInterfaceDeclaration(node)) add(node.name.text, node.members.map(nameOf), extended(node.heritageClauses));
      else if (ts.isClassDeclaration(node)) add(node.name?.text ?? file, publicMembers(node), extended(node.heritageClauses));
      else if (ts.isTypeAliasDeclaration(node)) addParts(node.name.text, node.type);
    });
  }
  return faces;
}

test("no interface, object type or class has over twelve members, however it is composed, unless it is named here with a reason", () => {
  const own = codeFiles.filter((file) => ROOMS.some((room) => file.startsWith(`${room}/`)));
  const faces = facesOf(
    own.filter((file) => /\.tsx?$/.test(file) && !/\.(test|testing)\.tsx?$/.test(file)),
    readSource,
  );
  expect(faces.size).toBeGreaterThan(60);
  const isKnown = (line: string) => Object.keys(WIDER).some((name) => line.includes(`: ${name} has `));
  expect(faces.tooWide.filter((line) => !isKnown(line))).toEqual([]);
  expect(Object.keys(WIDER).filter((name) => !faces.tooWide.some((line) => line.includes(`: ${name} has `)))).toEqual([]);
});

test("members that are inherited, intersected or picked, or come from a constructor, count; those that are private or left out do not", () => {
  const six = (first: string) => Array.from({ length: 6 }, (_, index) => `${first}${index}: string;`).join(" ");
  const text = `interface Base { ${six("a")} }
    interface Wide extends Base { ${six("b")} more(): void }
    class Closed { constructor(readonly x: string, private readonly y: string) {} private z = 1; #w = 2; ${six("c")} ${six("d")} }
    class Open { constructor(readonly x: string) {} ${six("c")} ${six("d")} static make() {} }
    type Both = Base & { ${six("b")} } & Pick<Open, "x" | "c1">;
    interface Less extends Omit<Wide, "more" | "a0"> {}
    interface More extends Omit<Wide, "more">, Partial<Pick<Open, "x">> {}`;
  expect(facesOf(["text.ts"], () => text).tooWide).toEqual([
    "text.ts: Wide has 13 members",
    "text.ts: Closed has 13 members",
    "text.ts: Open has 14 members",
    "text.ts: Both has 14 members",
    "text.ts: More has 13 members",
  ]);
});

// docs/adding-a-node.md names whatever a definition may say: what is not on the page is found by reading code alone.
import ts from "typescript";
import { expect, test } from "vitest";
import { readSource as read } from "../../infra/check/files.ts";
import { HINTS } from "../../packages/node-library/src/faults.ts";

const page = read("docs/adding-a-node.md");
/** The names in the first column of the table under a heading. */
const rowsUnder = (heading: string): string[] => {
  const section = page.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? "";
  const cells = [...section.matchAll(/^\|([^|]+)\|/gm)].map(([, cell = ""]) => cell);
  return cells.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name));
};

function membersOf(name: string): string[] {
  const file = ts.createSourceFile("capability.ts", read("apps/runtime/src/nodes/capability.ts"), ts.ScriptTarget.ESNext);
  const found = file.statements.find((one): one is ts.InterfaceDeclaration => ts.isInterfaceDeclaration(one) && one.name.text === name);
  return (found?.members ?? []).map((member) => (member.name as ts.Identifier).text);
}

function fieldsOf(name: string): string[] {
  const [, rest = ""] = read("workers/python-gpu/spindle_worker/capability.py").split(`class ${name}:\n`);
  const [own = ""] = rest.split(/^\S/m);
  return [...own.matchAll(/^ {4}([a-z_]+):/gm)].map(([, field = ""]) => field);
}

test("the page lists each hint that a schema may have, and no other", () => {
  expect(rowsUnder("Hints").toSorted()).toEqual([...Object.keys(HINTS), "x-parameter"].toSorted());
});

test("the page lists whatever a node may say of itself on either plane, and nothing else", () => {
  const [typescript, python] = [membersOf("NodeCapability"), fieldsOf("Capability")];
  expect([typescript.length, python.length].every((count) => count > 10)).toBe(true);
  expect(rowsUnder("What a node says of itself").toSorted()).toEqual([...new Set([...typescript, ...python])].toSorted());
});

test("the page names whatever a handler is given on the node plane, and what an engine says", () => {
  const names = [...membersOf("NodeContext"), ...membersOf("NodeEngine"), ...fieldsOf("Engine")];
  expect(names.filter((name) => !page.includes(`\`${name}\``) && !page.includes(`\`context.${name}`))).toEqual([]);
});

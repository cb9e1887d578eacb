import { expect, test } from "vitest";
import { ambiguousNames, emptyNames, emptyWords, exportedNames } from "./names.ts";

const found = (text: string): string[] => emptyNames("some/file.ts", text);

test.each([
  ["a variable", "const one = 1;"],
  ["a part that is taken out of a value", "const { a: told } = all;"],
  ["a function", "function look() {}"],
  ["a method", "class A { take() {} }"],
  ["a field", "class A { private here = 1; }"],
  ["a type", "type go = string;"],
  ["a type as types are written", "interface Look {}"],
  ["a type parameter", "type A<One> = One[];"],
  ["a constant", "const TAKE = 1;"],
  ["a private field", "class A { #here = 1; }"],
  ["a member in quotes", "class A { 'one'() {} }"],
  ["an unused variable", "const [_one] = all;"],
  ["a property of an interface", "interface A { one: string }"],
  ["a parameter of a function that has a name", "function f(one: string) {}"],
  ["a parameter of an arrow function over several lines", "list.map((one) => {\n  return one;\n});"],
])("an empty name of %s is found", (_, text) => {
  expect(found(text)).toEqual([expect.stringMatching(/^some\/file\.ts:1: _?(one|told|look|take|here|#here|go)$/i)]);
});

test("a name counts as exported however that is written, and not where it comes from another file", () => {
  const text = `
    import { passed } from "./other.ts";
    const a = 1, own = 2;
    export { a, own as b, passed, passed as other };
    import fallback from "./third.ts";
    export { fallback };
    export { elsewhere, elsewhere as renamed } from "./other.ts";
    export * as all from "./other.ts";
    export const { c, d: [e], ...f } = make();
    export default function g() {}
  `;
  expect(exportedNames("some.ts", text).sort()).toEqual(["a", "all", "b", "c", "e", "f", "other", "renamed"]);
});

test("an empty name in SQL or Lua is found, and not the same word in a text or a comment", () => {
  expect(emptyWords("a.sql", "DECLARE\n  one JSONB; -- one by one\n  b TEXT := 'look here';")).toEqual(["a.sql:2: one"]);
  expect(emptyWords("b.lua", "for _, one in ipairs(groups) do\n  local name = 'take' -- go\nend")).toEqual(["b.lua:1: one"]);
});

test("an arrow function on one line may have it as its parameter, or as a part of that", () => {
  expect(found("list.filter((one) => one > 1);\nlist.map(({ one }) => one);\nlist.map(([one]) => one);")).toEqual([]);
});

test("what reads something of that name, or gives it to somebody else, declares nothing", () => {
  expect(found("find({ take: 1 }); console.log(hand.take);\nimport { go } from 'elsewhere';")).toEqual([]);
});

test("a name that two files export is found with both, whatever it names there", () => {
  const files = new Map([
    ["a.ts", "export interface Place {}\nexport function mend() {}\nexport default function run() {}"],
    ["b.ts", "export const Place = 1, other = 2;\nexport default function run() {}"],
    ["c.ts", "const other = 3;\nexport class Mended {}"],
  ]);
  expect(ambiguousNames(files)).toEqual(["Place: a.ts, b.ts"]);
});

import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { ambiguousNames, emptyNames, emptyWords, exportedNames, filesWithEmptyNames } from "./names.ts";

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
  ["a member in brackets and quotes", "class A { ['one']() {} }"],
  ["a label", "one: for (;;) break one;"],
  ["a field that is given a value", "class A { constructor() { this.one = 1; } }"],
  ["a variable with an underscore behind it", "const one_ = 1;"],
  ["an unused variable", "const [_one] = all;"],
  ["a property of an interface", "interface A { one: string }"],
  ["a parameter of a function that has a name", "function f(one: string) {}"],
  ["a parameter of an arrow function over several lines", "list.map((one) => {\n  return one;\n});"],
])("an empty name of %s is found", (_, text) => {
  expect(found(text)).toEqual([expect.stringMatching(/^some\/file\.ts:1: _?(one|told|look|take|here|#here|go)_?$/i)]);
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

test.each([
  ["a.sql", "DECLARE ONE JSONB;", "ONE"],
  ["a.sql", "DECLARE _one JSONB;", "_one"],
  ["a.sql", 'SELECT 1 AS "take";', "take"],
  ["a.lua", "local _go = 1", "_go"],
  ["a.css", ".look { color: red }", "look"],
  ["a.css", "a > .b.look:focus { color: red }", "look"],
  ["a.css", "#here { color: red }", "here"],
  ["a.css", "a { --take: 1 }", "take"],
  ["a.css", "@keyframes go { }", "go"],
])("in %s, %s is found", (file, text, name) => {
  expect(emptyWords(file, `\n${text}`)).toEqual([`${file}:2: ${name}`]);
});

test.each([
  ["a.sql", "/* one\n and one */ SELECT 'it''s one'; -- one"],
  ["a.sql", "SELECT one_step, someone"],
  ["a.lua", "local name = \"take\" -- one\n--[[ one\n look ]] local text = [[ go ]] .. 'a\\' one'"],
  ["a.css", '/* .look */ .look-up::before { content: ".look"; animation: here }'],
])("in %s, nothing is found in %s", (file, text) => {
  expect(emptyWords(file, text)).toEqual([]);
});

const PYTHON_NAMES = [
  "def take(): ...",
  "class Take: ...",
  "ONE = 1",
  "_one = 1",
  "self._one = 1",
  "__go = 1",
  "import one",
  "import one.part",
  "import other as look",
  "def f(here): ...",
  "[\n  one\n  for one in all]",
  "match a:\n  case one: ...",
  "match a:\n  case [*one]: ...",
  "match a:\n  case {**one}: ...",
  "match a:\n  case str() as one: ...",
];

test("every kind of file is searched, but for what is generated or applied", async () => {
  const folder = await mkdtemp(join(tmpdir(), "spindle-names-"));
  const texts: Record<string, string> = {
    "a.ts": "const one = 1;",
    "b.tsx": "const one = 1;",
    "c.mjs": "const one = 1;",
    "d.sql": "SELECT 1 AS one;",
    "e.lua": "local one = 1",
    "f.css": ".one {}",
    "look.md": "",
    "_Take.ts": "",
    "generated/a.ts": "const one = 1;",
    "app/prisma/migrations/a.sql": "SELECT 1 AS one;",
    "app/prisma/functions/a.sql": "SELECT 1 AS one;",
    "clean.py": "from other import one\n[one for one in all]\nprint(hand.take, one=1)\n",
    ...Object.fromEntries(PYTHON_NAMES.map((text, at) => [`python${at}.py`, text])),
  };
  try {
    for (const [name, text] of Object.entries(texts)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), text);
    }
    const places = filesWithEmptyNames(Object.keys(texts), folder).map((place) => place.split(":")[0]);
    expect(places).toEqual([
      ...["look.md", "_Take.ts", "a.ts", "b.tsx", "c.mjs", "d.sql", "e.lua", "f.css", "app/prisma/functions/a.sql"],
      ...PYTHON_NAMES.map((_, at) => `python${at}.py`),
    ]);
  } finally {
    await rm(folder, { recursive: true });
  }
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

test.each<[string, Record<string, string>, string[]]>([
  ["a class that is a default is", { "a.ts": "export default class A {}", "b.ts": "export class A {}" }, ["A: b.ts, a.ts"]],
  [
    "two defaults of one name are not",
    { "a.ts": "class A {}\nexport { A as default };", "b.ts": "class A {}\nexport { A as default };" },
    [],
  ],
  [
    "an import that is renamed and exported is",
    { "a.ts": "import { b as A } from './c.ts';\nexport { A };", "b.ts": "export class A {}" },
    ["A: a.ts, b.ts"],
  ],
  [
    "an import that is renamed and gets its name back is not",
    { "a.ts": "import { A as b } from './b.ts';\nexport { b as A };", "b.ts": "export class A {}" },
    [],
  ],
])("%s found", (_, files, expected) => {
  expect(ambiguousNames(new Map(Object.entries(files)))).toEqual(expected);
});

// The environment's variables: each that the code reads is on the page for operators, and the page names none that nothing reads.
import { expect, test } from "vitest";
import { readSource } from "../../infra/check/files.ts";
import { files } from "./files.ts";

const own = files.filter((file) => /^((apps|packages|workers|infra)\/|compose\.yaml$)/.test(file));
const isProduct = (file: string): boolean => !/\.test\.tsx?$|\.testing\.tsx?$|(^|\/)tests?\/|^infra\/(bench|check)\//.test(file);

const NAME = "[A-Z][A-Z0-9_]{3,}";
/** How each language names a variable of the environment; in the runtime's settings it is the key of a schema. */
const READS: readonly (readonly [kind: RegExp, read: RegExp])[] = [
  [/\.(ts|tsx|mjs)$/, new RegExp(`\\benv\\.(${NAME})\\b|\\b(?:need|folder)\\((?:environment, )?"(${NAME})"\\)`, "g")],
  [/^apps\/runtime\/src\/config\.ts$/, new RegExp(`^ {2}(${NAME}): `, "gm")],
  [/\.py$/, new RegExp(`\\benviron(?:\\.get\\(|\\[)"(${NAME})"`, "g")],
  [/^(compose\.yaml|infra\/compose\/.*\.ya?ml)$/, new RegExp(`\\$\\{(${NAME})`, "g")],
];
/** What the system, CUDA, Node and Docker give, and no operator sets for Spindle. */
const GENERAL = ["COMPOSE_PROFILES", "CUDA_VISIBLE_DEVICES", "HOME", "NODE_ENV", "PATH"];

function variablesRead(): Set<string> {
  const found = new Set<string>();
  for (const file of own.filter(isProduct))
    for (const [kind, read] of READS)
      if (kind.test(file)) for (const match of readSource(file).matchAll(read)) found.add((match[1] ?? match[2]) as string);
  for (const name of GENERAL) found.delete(name);
  return found;
}

/** The names in the first column of the page's tables. */
function variablesNamed(): Set<string> {
  const rows = readSource("docs/operations.md").matchAll(/^\| ([^|]*`[^|]*)\|/gm);
  return new Set([...rows].flatMap(([, cell = ""]) => [...cell.matchAll(new RegExp(`\`(${NAME})\``, "g"))].map(([, name = ""]) => name)));
}

test("every variable of the environment that the code reads is on the page for operators, and no other is", () => {
  const [read, named] = [variablesRead(), variablesNamed()];
  expect(read.size).toBeGreaterThan(25);
  expect(
    {
      missing: [...read].filter((name) => !named.has(name)).sort(),
      unread: [...named].filter((name) => !read.has(name)).sort(),
    },
    "`missing` lack a row in docs/operations.md, and nothing reads what is `unread` of its rows",
  ).toEqual({
    missing: [],
    unread: [],
  });
});

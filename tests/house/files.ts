import { isGenerated, repositoryFiles } from "../../infra/check/files.ts";
import config from "../../vitest.config.ts";

export const files = repositoryFiles();

export const codeFiles = files.filter((file) => /\.(ts|tsx|mts|mjs|cjs|js|py|lua|css)$/.test(file) && !isGenerated(file));

interface Projects {
  test: { projects: { test: { name: string; include: string[]; exclude?: string[] } }[] };
}

/** Each project of vitest.config.ts, with the files that it runs. */
export function testFiles(all: readonly string[] = files): Map<string, string[]> {
  return new Map(
    (config as unknown as Projects).test.projects.map(({ test: { name, include, exclude = [] } }) => [
      name,
      all.filter((file) => include.some((glob) => fits(file, glob)) && !exclude.some((glob) => fits(file, glob))),
    ]),
  );
}

const PARTS: Readonly<Record<string, string>> = { "**/": "(?:.*/)?", "*": "[^/]*", "{": "(?:", "}": ")", ",": "|" };

/** As Vitest reads a glob of that file, which has nothing else in it than these. */
const fits = (file: string, glob: string): boolean =>
  new RegExp(`^${glob.replace(/\*\*\/|[*{},]|[^\w/]/g, (part) => PARTS[part] ?? `\\${part}`)}$`).test(file);

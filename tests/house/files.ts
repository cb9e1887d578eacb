import { isGenerated, repositoryFiles } from "../../infra/check/files.ts";
import config from "../../vitest.config.ts";

export const files = repositoryFiles();

export const codeFiles = files.filter((file) => /\.(ts|tsx|mts|mjs|cjs|js|py|lua|css)$/.test(file) && !isGenerated(file));

/** Each project of vitest.config.ts, with the files that it runs. */
export function testFiles(all: readonly string[] = files): Map<string, string[]> {
  const projects = (config as { test: { projects: { test: { name: string; include: string[] } }[] } }).test.projects;
  return new Map(projects.map(({ test: { name, include } }) => [name, all.filter((file) => include.some((glob) => fits(file, glob)))]));
}

const PARTS: Readonly<Record<string, string>> = { "**/": "(?:.*/)?", "*": "[^/]*", "{": "(?:", "}": ")", ",": "|" };

/** As Vitest reads a glob of that file, which has nothing else in it than these. */
const fits = (file: string, glob: string): boolean =>
  new RegExp(`^${glob.replace(/\*\*\/|[*{},]|[^\w/]/g, (part) => PARTS[part] ?? `\\${part}`)}$`).test(file);

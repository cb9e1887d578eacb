import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PYTHON } from "../../infra/launch/build.ts";
import { ROOT } from "../../infra/launch/paths.ts";

/** Those that git has or would take, as paths from the root. */
export const repositoryFiles = execFileSync("git", ["ls-files", "-co", "--exclude-standard"], { cwd: ROOT, encoding: "utf8" })
  .trim()
  .split("\n")
  .filter((file) => existsSync(join(ROOT, file)));

export const codeFiles = repositoryFiles.filter(
  (file) => /\.(ts|tsx|mts|mjs|cjs|js|py|lua|css)$/.test(file) && !/(^|\/)generated\//.test(file),
);

export const readSource = (file: string): string => readFileSync(join(ROOT, file), "utf8");

/** The lines that a program of this folder prints about Python files, of which the paths are from the root, or about a text. */
export function askPython(program: string, files: readonly string[], text?: string): string[] {
  const printed = execFileSync(PYTHON, [join(import.meta.dirname, program), ...files], { cwd: ROOT, encoding: "utf8", input: text });
  return printed.split("\n").filter(Boolean);
}

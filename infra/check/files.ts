// The repository's files, for whatever judges all of them.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PYTHON } from "../launch/build.ts";
import { ROOT } from "../launch/paths.ts";

/** Those that git has or would take, as paths from the root. */
export const repositoryFiles = (): string[] =>
  execFileSync("git", ["ls-files", "-coz", "--exclude-standard"], { cwd: ROOT, encoding: "utf8" })
    .split("\0") // with lines, git writes a name that is not ASCII in quotes
    .filter((file) => file && existsSync(join(ROOT, file)));

export const isGenerated = (file: string): boolean => /(^|\/)generated\//.test(file);

export const readSource = (file: string): string => readFileSync(join(ROOT, file), "utf8");

/**
 * The lines that a program in Python prints.
 * @param cwd what the paths of files in `args` begin from
 */
export function askPython(
  program: string,
  args: readonly string[],
  { cwd = ROOT, input }: { cwd?: string; input?: string } = {},
): string[] {
  const printed = execFileSync(PYTHON, [program, ...args], { cwd, encoding: "utf8", ...(input === undefined ? {} : { input }) });
  return printed.split("\n").filter(Boolean);
}

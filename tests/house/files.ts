import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
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

// Builds that are broken on purpose. Each changes the line below a comment `broken-build: NAME` in the sources, by a pattern that
// holds whatever the names in that line are.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../../infra/launch/paths.ts";

export interface BrokenBuild {
  /** What the comment says. */
  name: string;
  /** Changes the marked line, or moves it up to a second comment, `broken-build: NAME (moved up to this line)`. */
  change: { pattern: RegExp; to: string } | "move up";
  /** The cell of the fault matrix that finds it, or a test of its own. */
  found: { cell: string } | { project: string; file: string; test: string };
  says: RegExp;
}

export const BROKEN_BUILDS: readonly BrokenBuild[] = [
  {
    name: "a result is taken under any fence",
    change: { pattern: /= .*;/, to: "= false;" },
    found: { cell: "afterNode zombie" },
    says: /I5 /,
  },
  {
    name: "acknowledged before it is committed",
    change: "move up",
    found: { cell: "beforeCommit runtime" },
    says: /W6 /,
  },
  {
    name: "a runtime that died keeps its runs",
    change: { pattern: /\((.*? IS NULL) OR .*\)/, to: "$1" },
    found: { cell: "afterStart runtime" },
    says: /I2 /,
  },
  {
    name: "leases never end",
    change: { pattern: /if \(.*\) return;/, to: "return;" },
    found: { cell: "beforeNode supervisor" },
    says: /I2 /,
  },
  {
    name: "numbers with a gap",
    change: { pattern: /row_number\(\)/, to: "1 + row_number()" },
    found: { cell: "afterAcknowledge store" },
    says: /I6 /,
  },
  {
    name: "artifacts without rows",
    change: { pattern: /IF .* THEN/, to: "IF false THEN" },
    found: { cell: "afterAcknowledge store" },
    says: /I4 /,
  },
  {
    name: "a Redis that evicts is good enough",
    change: { pattern: /if \(.*\)/, to: "if (false)" },
    found: { project: "integration", file: "tests/integration/start.test.ts", test: "evicts" },
    says: /noeviction/,
  },
];

const MARK = /^\s*(?:\/\/|--|#) broken-build: (.+)$/;
const MOVED_UP = " (moved up to this line)";

/** Every marked file of the sources, with its marks' texts. */
export function markedFiles(): Map<string, string[]> {
  const files = execFileSync("git", ["ls-files", "-co", "--exclude-standard", "apps", "packages", "workers", "schemas"], {
    cwd: ROOT,
    encoding: "utf8",
  });
  const marked = files
    .trim()
    .split("\n")
    .filter((file) => /\.(ts|sql|lua|py)$/.test(file) && existsSync(join(ROOT, file)))
    .map(
      (file) =>
        [
          file,
          readFileSync(join(ROOT, file), "utf8")
            .split("\n")
            .flatMap((line) => MARK.exec(line)?.[1] ?? []),
        ] as const,
    );
  return new Map(marked.flatMap(([file, marks]) => (marks.length > 0 ? [[file, [...marks]] as const] : [])));
}

/** @returns the file with the build's mark, and its text as the build has it. @throws Error if there is no such mark, or two, or it does nothing */
export function breakBuild({ name, change }: BrokenBuild): { file: string; text: string } {
  const wanted = change === "move up" ? [name, name + MOVED_UP] : [name];
  const places = [...markedFiles()].flatMap(([file, marks]) => marks.filter((mark) => wanted.includes(mark)).map(() => file));
  const [file] = places;
  if (file === undefined || places.length !== wanted.length)
    throw new Error(`"broken-build: ${name}" has to mark ${wanted.length} line in the sources; it marks ${places.length}.`);
  const lines = readFileSync(join(ROOT, file), "utf8").split("\n");
  const below = (mark: string): number => lines.findIndex((line) => MARK.exec(line)?.[1] === mark) + 1;
  const at = below(name);
  const marked = lines[at] as string;
  if (change === "move up") {
    const to = below(name + MOVED_UP);
    if (to >= at) throw new Error(`"broken-build: ${name}" is not below the line that it moves up to.`);
    lines.splice(at, 1);
    lines.splice(to, 0, marked);
  } else {
    lines[at] = marked.replace(change.pattern, change.to);
    if (lines[at] === marked) throw new Error(`"broken-build: ${name}" marks a line that the build does not change: ${marked.trim()}`);
  }
  return { file, text: lines.join("\n") };
}

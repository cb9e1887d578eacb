// `npm run check`: everything that needs no running service. `npm run fix` and `npm run gen` mend what can be mended.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { generate, verify } from "../codegen/gen.ts";
import { buildDatabaseClient, buildPython, PYTHON } from "../launch/build.ts";
import { ROOT } from "../launch/paths.ts";
import { Advice, say } from "../launch/say.ts";
import { unfitPackages } from "./engines.ts";
import { filesWithAmbiguousNames, filesWithEmptyNames } from "./names.ts";

const bin = (name: string): string => join(ROOT, "node_modules/.bin", name);
const WORKER = join(ROOT, "workers/python-gpu");
/** import-linter is no module that `-m` could run. */
const LINT_IMPORTS = "from importlinter.cli import lint_imports_command; lint_imports_command()";

/** Runs a tool with its output shown only if it fails. */
export function runTool(name: string, command: string, args: string[], cwd = ROOT): Promise<boolean> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => (text += chunk));
    child.on("close", (code) => {
      say(`${name}: ${code === 0 ? "ok" : "FAILED"}`);
      if (code !== 0) process.stderr.write(`${text}\n`);
      resolve(code === 0);
    });
  });
}

export async function prepare(): Promise<void> {
  await Promise.all([buildDatabaseClient(), buildPython("requirements-dev.txt")]);
}

export async function gen(): Promise<number> {
  const python = async () => {
    await prepare();
    return PYTHON;
  };
  const written = await generate({ prepare: python, say });
  say(written.length === 0 ? "everything generated is up to date" : `wrote ${written.join(", ")}`);
  return 0;
}

/** Says what is wrong, or that nothing is. Returns whether nothing is. */
function judge(name: string, wrong: readonly string[], next = ""): boolean {
  say(wrong.length === 0 ? `${name}: ok` : `${name}: FAILED${next}\n${wrong.join("\n")}`);
  return wrong.length === 0;
}

export async function generatedFiles(made: ReturnType<typeof verify>): Promise<boolean> {
  try {
    const { stale, problems } = await made;
    const results = [judge("generated files", stale, ", stale. Run: npm run gen"), judge("migrations", problems)];
    return results.every(Boolean);
  } catch (error) {
    if (error instanceof Advice) return judge("generated files", [error.message]);
    throw error;
  }
}

async function engines(): Promise<boolean> {
  const { node, unfit } = await unfitPackages();
  return judge("engines of the packages", unfit, ` on Node ${node}`);
}

export function fitNames(empty: readonly string[], ambiguous: readonly string[]): boolean {
  return judge("names", [
    ...empty.map((line) => `${line} says nothing`),
    ...ambiguous.map((line) => `several things are exported as ${line}`),
  ]);
}

export async function check(): Promise<number> {
  await prepare();
  const results = [
    await generatedFiles(verify(PYTHON)),
    await engines(),
    fitNames(filesWithEmptyNames(), filesWithAmbiguousNames()),
    ...(await Promise.all([
      runTool("format and lint", bin("biome"), ["ci", "."]),
      runTool("import directions", bin("depcruise"), [
        "schemas",
        "packages",
        "apps/runtime/src",
        "apps/editor/app",
        "workers/comfy-bridge/src",
        "infra",
        "--config",
        ".dependency-cruiser.cjs",
      ]),
      runTool("dead code", bin("knip"), ["--no-config-hints"]),
      runTool("rules of the house", bin("vitest"), ["run", "--project", "unit", "tests/house/house.test.ts"]),
    ])),
    ...(await Promise.all([
      runTool("types", bin("tsc"), ["-p", "tsconfig.json"]),
      runTool("types of the editor", bin("tsc"), ["-p", "apps/editor/tsconfig.json"]),
    ])),
    ...(await Promise.all([
      runTool("Python lint", PYTHON, ["-m", "ruff", "check", "."], WORKER),
      runTool("Python format", PYTHON, ["-m", "ruff", "format", "--check", "."], WORKER),
      runTool("Python import directions", PYTHON, ["-c", LINT_IMPORTS, "--no-cache", "--no-logo"], WORKER),
      runTool("Python types", PYTHON, ["-m", "mypy"], WORKER),
    ])),
  ];
  return results.every(Boolean) ? 0 : 1;
}

export async function fix(): Promise<number> {
  await prepare();
  const results = [
    await runTool("format and lint", bin("biome"), ["check", "--write", "."]),
    await runTool("Python lint", PYTHON, ["-m", "ruff", "check", "--fix", "."], WORKER),
    await runTool("Python format", PYTHON, ["-m", "ruff", "format", "."], WORKER),
  ];
  return results.every(Boolean) ? 0 : 1;
}

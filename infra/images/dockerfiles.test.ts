// Rules for our Dockerfiles that need no Docker: what an image is made from, who runs in it, and that a plain builder can build it.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT } from "../launch/paths.ts";

const FOLDER = "infra/images";
const read = (file: string): string => readFileSync(join(ROOT, file), "utf8");
const files = readdirSync(join(ROOT, FOLDER)).filter((file) => file.endsWith(".Dockerfile"));

interface Stage {
  base: string;
  name: string;
  instructions: { name: string; argument: string }[];
}

function parse(text: string): Stage[] {
  const logical = text
    .split("\n")
    .filter((line) => line.trim() && !line.trimStart().startsWith("#"))
    .join("\n")
    .replaceAll("\\\n", " ")
    .split("\n");
  const stages: Stage[] = [];
  for (const line of logical) {
    const [, name = "", argument = ""] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
    const [, base = "", as = ""] = (name === "FROM" && /^(\S+)(?: AS (\S+))?$/.exec(argument)) || [];
    if (base) stages.push({ base, name: as, instructions: [] });
    else stages.at(-1)?.instructions.push({ name, argument });
  }
  return stages;
}

/** The stages an image of `stage` is made of, outermost base first; not those it only copies from. */
function lineage(stages: Stage[], stage: Stage): Stage[] {
  const base = stages.find((one) => one.name === stage.base);
  return [...(base ? lineage(stages, base) : []), stage];
}

/** The stages that Compose names as targets; the whole file where it names none. */
const TARGETS: Record<string, string[]> = {
  "node.Dockerfile": ["comfy-bridge", "runtime"],
  "python.Dockerfile": ["cpu", "gpu"],
  "comfyui.Dockerfile": ["cpu", "gpu"],
  "dev.Dockerfile": [""],
};

test("every Dockerfile is known here, and every one that Compose names is there", () => {
  expect(files.sort()).toEqual(Object.keys(TARGETS).sort());
  const compose = readdirSync(join(ROOT, "infra/compose")).filter((file) => file.endsWith(".yaml"));
  const named = compose.flatMap((file) => [...read(`infra/compose/${file}`).matchAll(/dockerfile: ([\w./-]+)/g)].map(([, name]) => name));
  expect([...new Set(named)].sort()).toEqual(files.map((file) => `${FOLDER}/${file}`).sort());
});

describe.each(files)("%s", (file) => {
  const text = read(`${FOLDER}/${file}`);
  const stages = parse(text);
  const development = file === "dev.Dockerfile";

  test("bases are pinned to a full version, and none is built on by accident", () => {
    for (const { base } of stages)
      if (!stages.some((stage) => stage.name === base)) expect(base).toMatch(/^[a-z/]+:\d+\.\d+\.\d+-[a-z-]+$/);
  });

  test("nothing in it needs BuildKit, and nothing is fetched by ADD", () => {
    expect(text).not.toMatch(/^# syntax=|--mount=|--link|--parents|--exclude|<<-?\s*['"]?[A-Z]+/m);
    expect(stages.flatMap((one) => one.instructions).map((one) => one.name)).not.toContain("ADD");
    expect(text).not.toMatch(/^COPY .*--chmod/m);
  });

  test("every source that is copied lies in the build context", () => {
    const ignore = read(".dockerignore")
      .split("\n")
      .filter((line) => line && !line.startsWith("#"));
    for (const { name, argument } of stages.flatMap((stage) => stage.instructions)) {
      if (name !== "COPY" || argument.startsWith("--from=")) continue;
      for (const source of argument.split(/\s+/).slice(0, -1)) {
        expect(existsSync(join(ROOT, source)), source).toBe(true);
        const allowed = ignore.some((rule) => rule.startsWith("!") && (source === rule.slice(1) || source.startsWith(`${rule.slice(1)}/`)));
        expect(allowed || ignore.includes("!tsconfig*.json"), `${source} is excluded by .dockerignore`).toBe(true);
      }
    }
  });

  test.each(TARGETS[file] ?? [])("target %j: a user that is not root, one command, no compiler", (target) => {
    const stage = target ? stages.find((one) => one.name === target) : stages.at(-1);
    const instructions = lineage(stages, stage as Stage).flatMap((one) => one.instructions);
    expect(instructions.findLast((instruction) => instruction.name === "USER")?.argument).toMatch(/^(node|spindle)$/);
    const commands = instructions.filter((instruction) => instruction.name === "CMD");
    expect(commands).toHaveLength(1);
    expect(commands[0]?.argument, "a list, so that signals arrive").toMatch(/^\["/);
    if (development) return;
    expect(stages.length, "more than one stage").toBeGreaterThan(2);
    const run = instructions.filter((instruction) => instruction.name === "RUN").map((instruction) => instruction.argument);
    for (const line of run) expect(line).not.toMatch(/build-essential|gcc|g\+\+|\bmake\b|\bgit\b|pip install|npm install|pnpm install/);
    for (const line of run.filter((one) => one.includes("apt-get")))
      expect(line).toMatch(/--no-install-recommends .*rm -rf \/var\/lib\/apt\/lists/);
  });
});

test("what they pin is what the workspace pins", () => {
  const { packageManager, version } = JSON.parse(read("package.json")) as { packageManager: string; version: string };
  expect(read(`${FOLDER}/node.Dockerfile`)).toContain(` ${packageManager}`);
  const compose = read("infra/compose/core.yaml");
  for (const [, tag] of compose.matchAll(/image: spindle\/[\w-]+:([\d.]+)/g)) expect(tag).toBe(version);
  expect(read(`${FOLDER}/comfyui.Dockerfile`)).toContain("--branch v0.3.64 ");
  expect(read("infra/compose/engines.yaml")).toContain("spindle/comfyui:0.3.64-");
  const bases = new Set(
    files.flatMap((file) => parse(read(`${FOLDER}/${file}`)).map((one) => one.base)).filter((one) => one.includes(":")),
  );
  expect([...bases].length, "one Node and one Python").toBe(2);
  for (const base of bases) if (base.startsWith("python")) expect(read("infra/provision/provision.ps1")).toContain(base);
});

test("the manifests of every package of the workspace are copied before the packages are installed", () => {
  const text = read(`${FOLDER}/node.Dockerfile`);
  for (const folder of ["schemas", "workers/comfy-bridge", ...["packages", "apps"].flatMap(foldersIn)])
    expect(text).toContain(`COPY ${folder}/package.json ${folder}/`);
});

const foldersIn = (folder: string): string[] => readdirSync(join(ROOT, folder)).map((name) => `${folder}/${name}`);

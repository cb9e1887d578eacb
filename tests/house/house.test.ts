// The rules of the house that no tool checks: file sizes, names in the wrong place, links, words that do not belong.
import { existsSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { committedManifests } from "@spindle/node-library/manifests";
import * as contract from "@spindle/schemas";
import { describe, expect, test } from "vitest";
import { RELEASE } from "../../apps/runtime/src/store/release.ts";
import { readSource as read } from "../../infra/check/files.ts";
import { ROOT } from "../../infra/launch/paths.ts";
import { BROKEN_BUILDS, breakBuild, markedFiles } from "../support/broken-builds.ts";
import { codeFiles as code, files, testFiles } from "./files.ts";
import { docstringsOf, titlesOf } from "./titles.ts";

test("no file is over 400 lines, and half of them are near 100 or under", () => {
  const sizes = code.map((file) => ({ file, lines: read(file).trimEnd().split("\n").length })).sort((a, b) => b.lines - a.lines);
  expect(sizes.filter((size) => size.lines > 400)).toEqual([]);
  expect(sizes[sizes.length >> 1]?.lines).toBeLessThan(130);
});

test("engine, canvas and validator name no capability", () => {
  const services = [...committedManifests.node.capabilities, ...committedManifests.python.capabilities].map((capability) => capability.id);
  const core = code.filter(
    (file) =>
      /^(packages\/graph-model\/src|apps\/runtime\/src\/(engine|record|tasks|collab)|apps\/editor\/app\/(canvas|inspector|library))\//.test(
        file,
      ) && !file.endsWith(".test.ts"),
  );
  expect(core.length).toBeGreaterThan(40);
  for (const file of core) for (const service of services) expect(read(file).includes(service), `${file} names ${service}`).toBe(false);
});

test("every error code is given somewhere", () => {
  const sources = code
    .filter((file) => !/\.test\.ts$|^tests\//.test(file))
    .map(read)
    .join("\n");
  const { codes } = JSON.parse(read("schemas/errors.json"));
  const unused = Object.keys(codes).filter((name) => !sources.includes(`"${name}"`));
  expect(unused, "These codes of schemas/errors.json are given nowhere: use them or take them out").toEqual([]);
});

describe("every link in the documentation leads somewhere", () => {
  const pages = files.filter((file) => file.endsWith(".md"));
  test.each(pages)("%s", (page) => {
    for (const [, target = ""] of read(page).matchAll(/\]\(([^)#\s]+)[^)]*\)/g)) {
      if (/^https?:/.test(target)) continue;
      expect(existsSync(join(ROOT, dirname(page), target)), `${page} -> ${target}`).toBe(true);
    }
  });
});

test("file names in the path of a run exist", () => {
  const names = [...read("docs/path-of-a-run.md").matchAll(/`([\w./-]+\.(?:ts|tsx|py|lua|sql))`/g)].map(([, name]) => name as string);
  expect(names.length).toBeGreaterThan(60);
  const isThere = (name: string) =>
    /^(apps|packages|workers)\//.test(name) ? files.includes(name) : files.some((file) => file.endsWith(`/${name}`));
  expect(names.filter((name) => !isThere(name))).toEqual([]);
});

test("a node run is read from ready to committed in five files at most, and no other of the engine and the tasks changes its row on the way", () => {
  const way =
    read("docs/path-of-a-run.md")
      .split(/^## /m)
      .find((part) => part.startsWith("A node run, from ready to committed")) ?? "";
  const tables = way.split(/^\| # .*$/m).slice(1);
  const walks = tables.map((table) => [...table.matchAll(/^\| \d +\| `([^`]+)`/gm)].map(([, file = ""]) => file));
  expect(walks.map((walk) => walk.length)).toEqual([4, 4, 5]); // on the node plane, over a worker, and in a region of the Comfy plane
  const changing = code.filter(
    (file) =>
      /^apps\/runtime\/src\/(engine|tasks)\//.test(file) &&
      !/\.(test|testing)\.ts$/.test(file) &&
      /\b(nodes|steps|this)\s*\.change\(/.test(read(file)),
  );
  // A call and a map have rows of their own, beside those of what runs inside. The run driver ends what a run leaves behind, and answers for
  // a person whose time is up. Cancels end what no worker does.
  const others = ["engine/call.ts", "engine/fan-out.ts", "engine/run-driver.ts", "tasks/cancels.ts"].map(
    (file) => `apps/runtime/src/${file}`,
  );
  expect(changing.filter((file) => !walks.flat().includes(file))).toEqual(others);
});

describe("a build that is broken on purpose", () => {
  test.each(BROKEN_BUILDS)("$name: its mark is there, and what it marks changes", (build) => {
    const { file, text } = breakBuild(build);
    expect(text).not.toBe(read(file));
  });
  test("has a test for each mark", () => {
    const marks = [...markedFiles().values()].flat().map((mark) => mark.replace(/ \(.*\)$/, ""));
    expect([...new Set(marks)].sort()).toEqual(BROKEN_BUILDS.map((build) => build.name).sort());
  });
});

test("the release is the one that the packages name", () => {
  for (const file of files.filter((one) => one.endsWith("package.json")))
    expect((JSON.parse(read(file)) as { version?: string }).version ?? RELEASE, file).toBe(RELEASE);
  expect(read("workers/python-gpu/pyproject.toml")).toContain(`version = "${RELEASE}"`);
  expect(read("workers/python-gpu/spindle_worker/__init__.py")).toContain(`RELEASE = "${RELEASE}"`);
});

test("every test belongs to one suite, and no file is in one that is no test", () => {
  const suites = [...testFiles()];
  expect(suites.every(([, list]) => list.length > 0)).toBe(true);
  const run = suites.flatMap(([, list]) => list);
  // All that a person or another runner would take for a test of TypeScript or JavaScript.
  const tests = files.filter((file) => /\.(test|spec)\.[cm]?[jt]sx?$/.test(file) || /(^|\/)__tests__\//.test(file));
  expect(run.toSorted()).toEqual(tests.toSorted());
  const python = files.filter((file) => /(^|\/)(test_[^/]*|[^/]*_test)\.py$/.test(file));
  expect(python.filter((file) => !/^workers\/python-gpu\/(engine_)?tests\/test_\w+\.py$/.test(file))).toEqual([]);
  expect(
    testFiles(["tests/support/a.test.ts", "tests/house/deep/a.test.ts", "templates/a.test.ts", "infra/a/b.test.ts", "infra/atest.ts"]),
  ).toEqual(new Map(suites.map(([name]) => [name, name === "unit" ? ["infra/a/b.test.ts"] : []])));
});

describe("each rule of the design and of the run engine's specification", () => {
  const ids = ["docs/design.md", "apps/runtime/src/engine/SPEC.md"].flatMap((page) =>
    [...read(page).matchAll(/^- ([A-Z]{1,2}\d+) /gm)].map(([, id = ""]) => id),
  );
  const run = new Set([...testFiles().values()].flat());
  const texts = [...run].map((file) => read(file));
  /** By a test that a suite runs, of which it may hold the cases. */
  const isImported = (file: string) => texts.some((text) => text.includes(`/${basename(file)}"`));
  /** The ids at the front of a title, as in "[E9, RM2] what is promised"; of a docstring in Python, whose tests have no titles. */
  const titles = [
    ...code
      .filter((file) => run.has(file) || (file.endsWith(".testing.ts") && isImported(file)))
      .flatMap((file) => titlesOf(file, read(file)).map((title) => ({ file, title }))),
    ...docstringsOf(code.filter((file) => /^workers\/python-gpu\/tests\/test_\w+\.py$/.test(file))),
  ];
  const named = titles.flatMap(({ file, title }) => {
    const list = /^\[([A-Z]{1,2}\d+(?:, [A-Z]{1,2}\d+)*)\] /.exec(title)?.[1];
    return list === undefined ? [] : list.split(", ").map((id) => ({ id, file }));
  });

  test("has an id of its own, and the roadmap adds to no other", () => {
    expect(ids.length).toBeGreaterThan(80);
    expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([]);
    const planned = [...read("docs/roadmap.md").matchAll(/^- ([A-Z]{1,2}\d+) /gm)].map(([, id = ""]) => id);
    expect(planned.length).toBeGreaterThan(0);
    expect(planned.filter((id) => !ids.includes(id))).toEqual([]);
  });
  test("is named by the title of a test", () => {
    const known = new Set(named.map(({ id }) => id));
    expect(ids.filter((id) => !known.has(id))).toEqual([]);
  });
  test("is what an id in a title means", () => {
    expect(named.filter(({ id }) => !ids.includes(id))).toEqual([]);
  });
});

test("no code writes a shape that is sent or stored: all of them are schemas", () => {
  const usingZod = code.filter((file) => /^import .* from "zod"/m.test(read(file)));
  expect(usingZod).toEqual(["apps/runtime/src/config.ts"]); // the environment's variables, which are texts and become settings there
  expect(read("apps/runtime/src/api/router.ts")).not.toMatch(/\.input\((?!requestReader\(validate\w+\)\))/);
});

test("every request refuses what it does not know and what lacks a part, so that a wrong letter is never an absent wish", () => {
  const { $defs } = JSON.parse(read("schemas/requests/requests.schema.json")) as {
    $defs: Record<string, { additionalProperties?: unknown; required?: string[] }>;
  };
  const requests = Object.entries($defs).filter(([name]) => /(Request|Options)$/.test(name));
  expect(requests.length).toBeGreaterThan(10);
  for (const [name, { additionalProperties, required = [] }] of requests) {
    const validate = (contract as unknown as Record<string, contract.Validator<unknown>>)[`validate${name}`];
    expect([name, additionalProperties]).toEqual([name, false]);
    expect([name, validate?.({ nobodyKnows: 1 })]).toEqual([name, false]);
    expect([name, validate?.({})]).toEqual([name, required.length === 0]);
  }
});

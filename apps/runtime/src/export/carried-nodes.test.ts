// Nodes whose text a program carries: they need no service, and keep the limits of a run.
import { execFileSync } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { makeLibrary, mergeManifests } from "@spindle/node-library";
import { committedManifests } from "@spindle/node-library/manifests";
import { afterAll, beforeAll, expect, test } from "vitest";
import template from "../nodes/text-template.node.ts";
import { programGraph as graphOf, programNode as node, ProgramFolder, wire } from "./exported.testing.ts";
import { exportTypeScript } from "./typescript.ts";

let folder: ProgramFolder;
beforeAll(async () => {
  folder = await ProgramFolder.make();
});
afterAll(() => folder.remove());

const { node: ofNode, python } = committedManifests;
const merged = mergeManifests({ node: { manifest: ofNode, live: true }, python: { manifest: python, live: true } }, new Date(0));
const library = makeLibrary(merged.capabilities);
const filled = (text: string, values: object) =>
  graphOf(
    [node("values", "constant.object", { value: values }), node("fill", "text.template", { template: text }), node("end", "json.merge")],
    [wire("values", "value", "fill", "values"), wire("values", "value", "end", "first")],
  );

test("[G8] a template is filled without a service, and a service of its name stands before it", async () => {
  const graph = filled("Hello {{name}}", { name: "Ada" });
  expect(exportTypeScript(graph, library)).toContain("// It needs @cfworker/json-schema, @langchain/langgraph, mustache.\nimport ");
  const { run } = await folder.load(graph, library);
  expect((await run({})).outputs).toEqual({ "fill.text": "Hello Ada", "end.merged": { name: "Ada" } });
  const own = await run({ "text.template": () => ({ text: "mine" }) });
  expect(own.outputs).toMatchObject({ "fill.text": "mine" });
});

test("[G8] a template has the limits of a run outside, too", async () => {
  const text = `${"{{#a}}".repeat(9)}x${"{{/a}}".repeat(9)}`;
  const values = { a: Array(10).fill(1) };
  const why = await template
    .run?.({ input: { template: text, values }, progress: () => {} } as never)
    .catch((error: Error) => error.message);
  expect(why).toMatch(/^The template takes more than 200,000 steps/);
  const { run } = await folder.load(filled(text, values), library);
  expect(await run({})).toMatchObject({ status: "failed", failed: [{ node: "fill", message: why }] });
});

test("[G8] with every node that it can carry a program is strict TypeScript", async () => {
  const portable = [
    "text.template",
    "json.merge",
    "json.pick",
    ...library.all().flatMap(({ service }) => (service.startsWith("constant.") ? [service] : [])),
  ];
  const graph = graphOf(
    portable.map((service, at) => node(`n${at}`, service)),
    [],
  );
  const file = await folder.write(graph, library);
  const tsc = fileURLToPath(new URL("../../../../node_modules/typescript/lib/tsc.js", import.meta.url));
  const flags = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext", "--types", "node"];
  expect(() => execFileSync(process.execPath, [tsc, ...flags, file], { encoding: "utf8" })).not.toThrow();
});

test("a node that does not say it can be carried stays a function that the program asks for", async () => {
  const file = await folder.write(
    graphOf([node("a", "control.delay"), node("b", "info.get_capabilities"), node("c", "json.merge")], []),
    library,
  );
  const asked = [...(await readFile(file, "utf8")).matchAll(/^\/\/ {3}(\S+)$/gm)].map(([, service]) => service);
  expect(asked).toEqual(["control.delay", "info.get_capabilities"]);
});

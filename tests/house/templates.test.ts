// Each template that ships, against the library of a Spindle with a ComfyUI (recorded).
import { access, readFile } from "node:fs/promises";
import { join } from "node:path";
import { declaredInterface, validate } from "@spindle/graph-model";
import { makeLibrary } from "@spindle/node-library";
import { committedManifests } from "@spindle/node-library/manifests";
import type { Capability } from "@spindle/schemas";
import { describe, expect, test } from "vitest";
import { TemplateService } from "../../apps/runtime/src/services/template-service.ts";
import { ROOT } from "../../infra/launch/paths.ts";
import { readObjectInfo } from "../../workers/comfy-bridge/src/library/merge.ts";

const { node, python } = committedManifests;
const live = (capability: Capability) => ({
  ...capability,
  live: true,
  engines: capability.engines?.map((one) => ({ ...one, live: true })),
});
const own = [...node.capabilities, ...python.capabilities].map(live) as Capability[];
const recorded = readObjectInfo(await readFile(join(ROOT, "workers/comfy-bridge/test/recordings/object_info.json"), "utf8"));
const whole = makeLibrary([...own, ...recorded.nodes.values()]);
const bare = makeLibrary(own);

const templates = await TemplateService.load(join(ROOT, "templates"));
const ON_COMFY = ["painted-speaker", "text-to-image"];

test("eight templates ship, and those that need a ComfyUI say how to start it", () => {
  const names = templates.list().map(({ name }) => name);
  expect(names).toHaveLength(8);
  expect(names.filter((name) => templates.readiness(name, bare).notHere !== undefined).sort()).toEqual(ON_COMFY);
  for (const name of ON_COMFY) expect(templates.readiness(name, bare).notHere).toMatch(/COMFY_URL=/);
});

describe.each(templates.list().map((one) => [one.name, one] as const))("%s", (name, { graph, samples, picture, title, description }) => {
  test("has nothing wrong with it, and no key that nothing reads", () => {
    const wrong = validate(graph, whole).filter(({ severity }) => severity !== "info");
    expect(wrong.map(({ code, message }) => `${code}: ${message}`)).toEqual([]);
  });
  test("asks for what its graph needs, and for nothing else", () => {
    const inputs = templates.inputs(name, whole);
    const declared = declaredInterface(graph).inputs.map((input) => input.name);
    expect(inputs.map((input) => input.name)).toEqual(declared);
    for (const input of Object.keys(samples)) expect(declared).toContain(input);
  });
  test("has a title, a sentence, and the files that it names", async () => {
    expect([title.length > 0 && title.length < 60, description.endsWith(".")]).toEqual([true, true]);
    const files = Object.values(samples).flatMap((sample) => ("file" in sample ? [sample.file] : []));
    for (const file of [...files, ...(picture ? [picture] : [])]) await access(join(ROOT, "templates/samples", file));
  });
});

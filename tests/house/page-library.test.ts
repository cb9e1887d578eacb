// The library of a page against the whole one, with the classes of a real ComfyUI.
import { readFileSync } from "node:fs";
import { brotliCompressSync, constants } from "node:zlib";
import { type NodeDefinition, type Port, wayOf } from "@spindle/graph-model";
import {
  type LibraryCore,
  type LibraryIndex,
  makeCore,
  makeIndex,
  makeLibrary,
  mergeManifests,
  pageLibrary,
  searchOf,
  withoutOffer,
} from "@spindle/node-library";
import { committedManifests } from "@spindle/node-library/manifests";
import type { Capability } from "@spindle/schemas";
import { describe, expect, test } from "vitest";
import { manyClasses } from "../../infra/bench/many-classes.ts";
import { mergeLibraries, readObjectInfo } from "../../workers/comfy-bridge/src/library/index.ts";

const info = JSON.parse(
  readFileSync(new URL("../../workers/comfy-bridge/test/recordings/object_info.json", import.meta.url), "utf8"),
) as Record<string, object>;
const { node, python } = committedManifests;

const server = (id: string, classes: object, live = true) => ({
  id,
  url: `http://${id}:1`,
  ...readObjectInfo(JSON.stringify(classes)),
  live,
});

function merged(capabilities: Capability[]) {
  const now = new Date();
  return mergeManifests(
    {
      node: { manifest: node, live: true },
      python: { manifest: python, live: true, reportedAt: now },
      comfy: { manifest: { generatedAt: now.toISOString(), capabilities }, live: true, reportedAt: now },
    },
    now,
  );
}

/** As they come over the wire. */
function parts(capabilities: Capability[]) {
  const manifest = merged(capabilities);
  const [core, index] = [makeCore(manifest), makeIndex(capabilities)].map((part) => JSON.stringify(part)) as [string, string];
  const page = pageLibrary(JSON.parse(core) as LibraryCore, JSON.parse(index) as LibraryIndex);
  return { core, index, page, whole: makeLibrary(manifest.capabilities) };
}

const two = mergeLibraries([
  server("a", { ...info, Unreadable: JSON.parse('{"input": {"required": {"__proto__": ["INT"]}}}') as object }),
  server("b", { KSampler: info.KSampler, OnlyThere: info.KSampler }, false),
]);
const { page, whole } = parts(two);
const bare = page([]);

describe("[M3] a page without one definition", () => {
  test("lists what the whole library has, in its order, with where each can run", () => {
    const listed = ({ plane, service, label, category, keywords, live, engines, mark }: NodeDefinition) => ({
      plane,
      service,
      label,
      category,
      keywords,
      live,
      engines,
      mark,
    });
    expect(bare.all().length).toBeGreaterThan(400);
    expect(bare.all().map(listed)).toEqual(whole.all().map(listed));
  });
  test.each(["ksampler", "upscle", "load image", "remove noise", "latent", "flux"])("finds the same for %s", (asked) => {
    const found = searchOf(whole)(asked).map(({ service }) => service);
    expect(found.length).toBeGreaterThan(0);
    expect(searchOf(bare)(asked).map(({ service }) => service)).toEqual(found);
  });
  test("knows what each class fits", () => {
    const probes = whole
      .all()
      .filter(({ service }) => ["LoadImage", "KSampler", "CLIPTextEncode", "SaveImage", "constant.string"].includes(service));
    const fits = (ports: readonly Port[], others: readonly Port[]) =>
      ports.map(({ name, label, required, type, schema }) => [
        name,
        label,
        required,
        type,
        schema["x-inline"],
        others.map((other) => [
          wayOf({ name, label, required, type, schema }, other),
          wayOf(other, { name, label, required, type, schema }),
        ]),
      ]);
    for (const definition of whole.all()) {
      const known = bare.find(definition.plane, definition.service);
      for (const probe of probes) {
        expect(fits(known?.outputs ?? [], probe.inputs), definition.service).toEqual(fits(definition.outputs, probe.inputs));
        expect(fits(known?.inputs ?? [], probe.outputs), definition.service).toEqual(fits(definition.inputs, probe.outputs));
      }
    }
  });
});

test("[M3] with a definition a page has of that class what the whole library has, in its place", () => {
  const sampler = two.find(({ id }) => id === "KSampler") as Capability;
  const library = page([JSON.parse(JSON.stringify(withoutOffer(sampler))) as Capability]);
  const plain = (definition: NodeDefinition | undefined) =>
    definition && JSON.parse(JSON.stringify({ ...definition, inputs: definition.inputs, outputs: definition.outputs }));
  expect(plain(library.find("comfy", "KSampler"))).toEqual(plain(whole.find("comfy", "KSampler")));
  expect(library.all().map(({ service }) => service)).toEqual(bare.all().map(({ service }) => service));
  expect(searchOf(library)("ksampler")[0]).toBe(library.find("comfy", "KSampler"));
});

test("[M3] 12,000 classes cost a page less than a megabyte", () => {
  const { core, index } = parts(mergeLibraries([server("a", manyClasses(info, 12_000))]));
  const sent = (text: string) => brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 6 } }).length;
  expect(sent(core) + sent(index)).toBeLessThan(1_000_000);
});

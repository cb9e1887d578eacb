import { existsSync } from "node:fs";
import { autoEngine } from "@spindle/graph-model";
import { type Capability, validateCapability } from "@spindle/schemas";
import { describe, expect, test } from "vitest";
import { committedManifests } from "../manifests/index.ts";
import { joinManifests, joinReports, makeLibrary, mergeManifests, searchOf, withoutNonCommercial } from "./index.ts";

const { node, python } = committedManifests;
const now = new Date(0);

describe("the library", () => {
  test("[M2] keeps a plane whose workers are gone, marked offline", () => {
    const merged = mergeManifests({ node: { manifest: node, live: true }, python: { manifest: python, live: false } }, now);
    const library = makeLibrary(merged.capabilities);
    const offline = library.all().filter((definition) => definition.plane === "python");
    expect(offline.length).toBe(python.capabilities.length);
    expect(offline.every((definition) => !definition.live && definition.engines.every((engine) => !engine.live && engine.reason))).toBe(
      true,
    );
  });
  test.each([...node.capabilities, ...python.capabilities].map((entry) => [`${entry.plane} ${entry.id}`, entry] as const))(
    "[M1] the entry of %s is the contract's, with what the library shows",
    (_, entry) => {
      expect(validateCapability(entry), JSON.stringify(validateCapability.errors)).toBe(true);
      const { category, keywords, docs, engines = [] } = entry;
      expect([category, docs].map((text) => typeof text === "string" && text !== "")).toEqual([true, true]);
      expect(keywords).toEqual(expect.any(Array));
      expect(engines.length).toBeGreaterThan(0);
    },
  );
  test("every committed capability has typed ports and says which engines are drafts", () => {
    for (const definition of makeLibrary([...node.capabilities, ...python.capabilities]).all()) {
      expect(definition.engines.length, definition.service).toBeGreaterThan(0);
      for (const port of [...definition.inputs, ...definition.outputs])
        expect(port.label, `${definition.service}.${port.name}`).not.toBe("");
    }
  });
  test("an example has values to try; an entry of another shape is none", () => {
    const examples = [{ input: { template: "Hello" }, output: { text: "Hello" } }, { input: {} }, "hello", null, { input: [1], output: 2 }];
    const [definition] = makeLibrary([{ ...(node.capabilities[0] as Capability), examples }]).all();
    expect(definition?.examples).toEqual([{ input: { template: "Hello" }, output: { text: "Hello" } }]);
  });
  test("is searched by label, keyword and with a typo", () => {
    const search = searchOf(makeLibrary([...node.capabilities, ...python.capabilities]));
    const [first] = search("templat");
    expect(first?.label).toBe("Fill template");
    expect(search("upscle")[0]?.label).toBe("Upscale video");
    expect(search("")).toHaveLength(node.capabilities.length + python.capabilities.length);
  });
  test("gives what is called so first, then what begins so, then what has the word; of each what is old last", () => {
    const labels = ["Large mask", "Mask of a face", "Mask", "Mask to image"];
    const capabilities = labels.map((label, index) => ({
      ...(node.capabilities[0] as Capability),
      id: `n${index}`,
      label,
      keywords: [],
      docs: "",
      description: "",
    }));
    const old = { ...(capabilities[1] as Capability), deprecated: true };
    const search = searchOf(makeLibrary(capabilities.map((one) => (one.label === old.label ? old : one))));
    expect(search("mask").map(({ label }) => label)).toEqual(["Mask", "Mask to image", "Mask of a face", "Large mask"]);
  });
});

test("[M2] workers of one plane that offer different things are joined, whoever reports first", () => {
  const engine = (id: string, live: boolean) => ({ id, label: id, plane: "python" as const, draft: false, live });
  const worker = (entries: [id: string, version: string, engines: ReturnType<typeof engine>[]][]) => ({
    generatedAt: "2026-01-01T00:00:00.000Z",
    capabilities: entries.map(([id, version, engines]) => ({ ...(python.capabilities[0] as Capability), id, version, engines })),
  });
  const small = worker([["speak", "2", [engine("draft", true), engine("real", false)]]]);
  const large = worker([
    ["speak", "1", [engine("real", true), engine("old", true)]],
    ["paint", "1", [engine("real", true)]],
  ]);
  for (const both of [joinManifests([small, large]), joinManifests([large, small])]) {
    const speak = both.capabilities.find(({ id }) => id === "speak");
    expect(speak?.version).toBe("2");
    expect(speak?.engines?.map(({ id, live }) => [id, live])).toEqual([
      ["draft", true],
      ["real", false],
      ["old", false],
    ]);
    expect(both.capabilities.map(({ id }) => id).sort()).toEqual(["paint", "speak"]);
  }
});

test("[E13] of two versions of a ComfyUI class stands the one that a server has which answers", () => {
  const engine = (id: string, live: boolean) => ({ id, label: id, plane: "comfy" as const, draft: false, live });
  const bridge = (version: string, server: string, live: boolean) => ({
    generatedAt: "2026-01-01T00:00:00.000Z",
    capabilities: [
      { ...(python.capabilities[0] as Capability), id: "Load", plane: "comfy" as const, version, engines: [engine(server, live)] },
    ],
  });
  const joined = (first: boolean, second: boolean) => {
    const [load] = joinManifests([bridge("2", "new", first), bridge("1", "old", second)]).capabilities;
    return [load?.version, load?.engines?.map(({ id, live }) => `${id} ${live}`)];
  };
  expect(joined(false, true)).toEqual(["1", ["old true", "new false"]]);
  expect(joined(true, true)).toEqual(["2", ["new true", "old false"]]);
  expect(joined(false, false)).toEqual(["2", ["new false", "old false"]]);
});

describe("[M2] what one that does not answer offered", () => {
  const engine = (id: string, plane: "python" | "comfy" = "python") => ({ id, label: id, plane, draft: false, live: true });
  const entry = (id: string, version: string, engines: ReturnType<typeof engine>[], more: Partial<Capability> = {}): Capability => ({
    ...(python.capabilities[0] as Capability),
    id,
    version,
    engines,
    ...more,
  });
  const report = (worker: string, seconds: number | undefined, ...capabilities: Capability[]) => ({
    worker,
    manifest: { generatedAt: now.toISOString(), capabilities },
    answers: seconds === undefined,
    reportedAt: new Date(now.getTime() - 1000 * (seconds ?? 0)),
  });
  const entriesOf = (...reports: ReturnType<typeof report>[]) =>
    joinReports(reports, now).capabilities.map(
      ({ id, version, live, engines = [] }) =>
        `${id}@${version} ${live !== false} ${engines.map((each) => `${each.id} ${each.live}`).join(", ")}`,
    );

  test("stays offline; its engines hold for a minute, and then say who had them", () => {
    const own = report("near", undefined, entry("speak", "1", [engine("small")]));
    expect(entriesOf(own, report("gone", 59, entry("paint", "1", [engine("big")])))).toEqual([
      "speak@1 true small true",
      "paint@1 false big true",
    ]);
    const old = joinReports([own, report("gone", 61, entry("paint", "1", [engine("big")]))], now).capabilities[1];
    expect(old).toMatchObject({
      live: false,
      engines: [{ live: false, reason: expect.stringContaining("npx spindle workers forget gone") }],
    });
  });
  test("gives engines to the same version, and never another version than those have that answer", () => {
    const own = report("near", undefined, entry("speak", "1", [engine("small")]));
    expect(entriesOf(own, report("gone", 5, entry("speak", "1", [engine("big")])))).toEqual(["speak@1 true small true, big true"]);
    expect(entriesOf(own, report("gone", 5, entry("speak", "2", [engine("big")])))).toEqual(["speak@1 true small true"]);
  });
  test("of a ComfyUI class joins the files, each with the servers that have it", () => {
    const loads = (server: string, files: string[]) => ({
      ...entry("Load", "1", [engine(server, "comfy")], { plane: "comfy" }),
      io: {
        input: {
          type: "object",
          properties: { file: { enum: files }, image: { anyOf: [{ enum: files }, { type: "object" }] }, size: { type: "integer" } },
        },
        output: { type: "object" },
      },
    });
    const both = [report("a", undefined, loads("left", ["x", "y"])), report("b", undefined, loads("right", ["y", "z"]))];
    const [joined] = joinReports(both, now).capabilities;
    expect(joined?.engines?.map(({ id }) => id)).toEqual(["left", "right"]);
    expect(joined?.io.input.properties).toEqual({
      file: { enum: ["x", "y", "z"], "x-on": { x: ["left"], z: ["right"] } },
      image: { anyOf: [{ enum: ["x", "y", "z"] }, { type: "object" }], "x-on": { x: ["left"], z: ["right"] } },
      size: { type: "integer" },
    });
  });
});

test("[M2] a plane that is silent keeps its engines for a minute, and is never called less installed than it said", () => {
  const engine = (id: string, live: boolean) => ({
    id,
    label: id,
    plane: "python" as const,
    draft: false,
    live,
    ...(live ? {} : { reason: "No GPU." }),
  });
  const manifest = {
    generatedAt: now.toISOString(),
    capabilities: [{ ...(python.capabilities[0] as Capability), engines: [engine("big", false), engine("small", true)] }],
  };
  const after = (seconds: number) => {
    const report = { manifest, live: false, reportedAt: now };
    const { capabilities } = mergeManifests({ node: { manifest: node, live: true }, python: report }, new Date(seconds * 1000));
    const found = makeLibrary(capabilities)
      .all()
      .find((definition) => definition.plane === "python");
    return [found?.live, ...(found?.engines.map(({ id, live, reason }) => `${id} ${live} ${reason ?? ""}`) ?? [])];
  };
  expect(after(60)).toEqual([false, "big false No GPU.", "small true "]);
  expect(after(61)).toEqual([false, "big false No GPU.", "small false No worker has reported since 1970-01-01T00:00:00.000Z."]);
});

test("[M2] an engine that was live a moment ago is held where no other can run the capability", () => {
  const { capabilities } = committedManifests.node;
  const server = (id: string, live: boolean) => ({ id, label: id, plane: "comfy" as const, draft: false, live });
  const comfy = (id: string, ...engines: ReturnType<typeof server>[]) => ({
    ...(capabilities[0] as Capability),
    id,
    plane: "comfy" as const,
    engines,
  });
  const manifest = {
    generatedAt: now.toISOString(),
    capabilities: [comfy("one", server("a", false)), comfy("two", server("a", false), server("b", true))],
  };
  const merged = mergeManifests(
    {
      node: { manifest: node, live: true },
      python: { manifest: python, live: true },
      comfy: { manifest, live: true, held: new Set(["a"]) },
    },
    now,
  );
  const live = (id: string) => merged.capabilities.find((one) => one.id === id && one.plane === "comfy")?.engines?.map((one) => one.live);
  expect([live("one"), live("two")]).toEqual([[true], [false, true]]);
});

test("every capability of the node plane names the file that it is in", () => {
  const root = new URL("../../../", import.meta.url);
  for (const { id, handler } of node.capabilities) expect(existsSync(new URL(handler.module, root)), `${id}: ${handler.module}`).toBe(true);
});

test("[M4] where the use is commercial, automatic choice leaves out what the licence forbids, and a name still chooses it", () => {
  const engine = (id: string, commercial?: boolean) => ({
    id,
    label: id,
    plane: "python" as const,
    draft: false,
    live: true,
    ...(commercial === undefined ? {} : { licence: `licence of ${id}`, commercial }),
  });
  const entry = {
    ...(python.capabilities[0] as Capability),
    id: "speak",
    engines: [engine("clone", false), engine("voice", true), engine("draft")],
  };
  const free = makeLibrary([entry]).find("python", "speak");
  const bound = makeLibrary(withoutNonCommercial([entry])).find("python", "speak");
  expect([free && autoEngine(free)?.id, bound && autoEngine(bound)?.id]).toEqual(["clone", "voice"]);
  expect(bound?.engines.find(({ id }) => id === "clone")).toMatchObject({
    live: true,
    reason: expect.stringContaining("licence of clone"),
  });
});

test.each([
  ["text", "Text"],
  ["audio", "Audio"],
  ["json", "JSON"],
  ["show", "Show result"],
  ["mustache", "Fill template"],
])("a search for %s gives %s first", (asked, first) => {
  const library = makeLibrary([...committedManifests.node.capabilities, ...committedManifests.python.capabilities]);
  expect(searchOf(library)(asked)[0]?.label).toBe(first);
});

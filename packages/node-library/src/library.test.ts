import { describe, expect, test } from "vitest";
import { committedManifests } from "../manifests/index.ts";
import { makeLibrary, makeSearch, mergeManifests } from "./index.ts";

const { node, python } = committedManifests;
const now = new Date(0);

describe("the library", () => {
  test("keeps a plane whose workers are gone, marked offline", () => {
    const merged = mergeManifests({ node: { manifest: node, live: true }, python: { manifest: python, live: false } }, now);
    const library = makeLibrary(merged.capabilities);
    const offline = library.all().filter((one) => one.plane === "python");
    expect(offline.length).toBe(python.capabilities.length);
    expect(offline.every((one) => !one.live && one.engines.every((engine) => !engine.live && engine.reason))).toBe(true);
  });
  test("every committed capability has typed ports and says which engines are drafts", () => {
    for (const one of makeLibrary([...node.capabilities, ...python.capabilities]).all()) {
      expect(one.engines.length, one.service).toBeGreaterThan(0);
      for (const port of [...one.inputs, ...one.outputs]) expect(port.label, `${one.service}.${port.name}`).not.toBe("");
    }
  });
  test("is searched by label, keyword and with a typo", () => {
    const search = makeSearch(makeLibrary([...node.capabilities, ...python.capabilities]));
    const [first] = search("templat");
    expect(first?.label).toBe("Fill template");
    expect(search("upscle")[0]?.label).toBe("Upscale video");
    expect(search("")).toHaveLength(node.capabilities.length + python.capabilities.length);
  });
});

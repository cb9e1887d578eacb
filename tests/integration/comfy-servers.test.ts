// Several ComfyUI servers, and servers that are no use: what the library and the regions of a graph make of them.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FakeComfy } from "../../workers/comfy-bridge/test/fake/fake-comfy.ts";
import { ended, getSystem, graphOf, node, startSpindle, submit, until, wire } from "../support/spindle.ts";

let fake: FakeComfy;
beforeAll(async () => {
  fake = await FakeComfy.start();
});
afterAll(() => fake?.stop());

const comfy = (id: string, service: string, params?: Record<string, unknown>) => node(id, service, params, "comfy");

describe("two servers", () => {
  test("[W3, L6] are one library; regions of one graph go to both, and a region only to where its nodes are; each says how it is", async () => {
    const other = await FakeComfy.start();
    other.offer({ "1": { class_type: "OnlyThere", inputs: { image: ["0", 0] } } });
    const both = await startSpindle({ worker: false, env: { COMFY_URL: `${fake.url}, ${other.url}`, SPINDLE_COMFY_LIBRARY_MS: "1000" } });
    try {
      await until(
        async () => (await (await fetch(`${both.url}/api/capabilities`)).text()).includes("OnlyThere"),
        60_000,
        "the second server's node is there",
      );
      const before = [fake.prompts.length, other.prompts.length];
      const pair = graphOf([comfy("a", "EmptyImage", { width: 8, color: 1 }), comfy("b", "EmptyImage", { width: 16, color: 2 })]);
      const started = await submit(both.url, pair);
      expect((await ended(both.url, started.body.run)).error).toBeNull();
      expect([fake.prompts.length, other.prompts.length]).toEqual(before.map((count) => count + 1));
      const there = await submit(
        both.url,
        graphOf(
          [comfy("a", "EmptyImage", { width: 8, color: 3 }), comfy("b", "OnlyThere"), comfy("c", "PreviewAny")],
          [wire("a", "IMAGE", "b", "image"), wire("b", "*", "c", "source")],
        ),
      );
      expect((await ended(both.url, there.body.run)).error).toBeNull();
      expect(other.prompts.length).toBe((before[1] as number) + 2);
      const servers = await until(
        async () => {
          const found = (await getSystem(both.url)).servers;
          return found.length === 2 && found.every(({ queue }) => queue === 0) && found;
        },
        60_000,
        "both are reported",
      );
      for (const { url, objectInfo } of [fake, other])
        expect(servers.find(({ address }) => address === url)).toMatchObject({
          live: true,
          reason: null,
          version: "0.3.64",
          classes: Object.keys(JSON.parse(objectInfo)).length,
          models: expect.any(Number),
          memory: [{ name: "cuda:0 NVIDIA RTX 4090 : native", total: 25386352640 }, { name: "RAM" }],
          busy: null,
        });
      const { devices, workers } = await getSystem(both.url);
      const known = devices?.map(({ id }) => id).filter((id) => id.startsWith("comfy/"));
      expect(known?.sort()).toEqual(servers.map(({ device }) => device).sort());
      expect(workers).toMatchObject([{ plane: "comfy", state: "live", version: "0.2.0", slots: [{ ready: true }, { ready: true }] }]);
      other.faults = { login: true };
      await until(
        async () => (await getSystem(both.url)).servers.some(({ live, reason }) => !live && /needs a login/.test(reason ?? "")),
        60_000,
        "it says why it is no use",
      );
    } finally {
      await both.stop();
      await other.stop();
    }
  });
});

describe("a server that is no use", () => {
  test.each([
    ["is not there", "http://127.0.0.1:9", undefined, /127\.0\.0\.1:9 does not answer\. Start ComfyUI there, or change COMFY_URL/],
    ["needs a login", undefined, { login: true }, /needs a login \(401\)/],
  ])("because it %s is told, with what to do", async (_, url, faults, words) => {
    const other = await FakeComfy.start();
    other.faults = faults ?? {};
    const lone = await startSpindle({ worker: false, env: { COMFY_URL: url ?? other.url } });
    try {
      const reason = await until(
        async () =>
          ((await (await fetch(`${lone.url}/api/capabilities`)).json()) as { sources: { comfy?: { reason?: string } } }).sources.comfy
            ?.reason,
        60_000,
        "the reason is told",
      );
      expect(reason).toMatch(words);
      expect(((await (await fetch(`${lone.url}/health`)).json()) as { parts: { comfy: string } }).parts.comfy).toMatch(/^down: /);
    } finally {
      await lone.stop();
      await other.stop();
    }
  });
});

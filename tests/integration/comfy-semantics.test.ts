// Rules of ComfyUI's own execution tests, restated for graphs that run on two planes (names in brackets: test_execution.py and
// test_async_nodes.py there). What holds inside ComfyUI must hold where ComfyUI is one half.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ComfySpindle, comfy, logOf, startComfySpindle } from "../support/comfy.ts";
import { createGraph, ended, getRun, graphOf, node, startRun, submit, until, wait, wire } from "../support/spindle.ts";

let spindle: ComfySpindle;
beforeAll(async () => {
  spindle = await startComfySpindle({ offers: "EmptyImage" });
});
afterAll(() => spindle?.stop());

const start = (graph: unknown): Promise<string> => startRun(spindle.url, graph);
const run = async (graph: unknown) => ended(spindle.url, await start(graph));
const states = (view: { nodes: { node: string; state: string }[] }) => Object.fromEntries(view.nodes.map((one) => [one.node, one.state]));
let shade = Math.floor(Math.random() * 1000) * 1000;
/** Another picture each time, so that nobody's cache has it. */
const fresh = () => ++shade;
const sent = () => spindle.fake.prompts.length;

/** Steps of 30 ms each. */
const sampling = (steps: number, more: ReturnType<typeof node>[] = [], metadata?: object) =>
  graphOf(
    [
      comfy("load", "CheckpointLoaderSimple", { ckpt_name: "a.safetensors" }),
      comfy("text", "CLIPTextEncode", { text: "x" }),
      comfy("empty", "EmptyLatentImage"),
      comfy("sample", "KSampler", { steps, seed: fresh() }),
      comfy("decode", "VAEDecode"),
      ...more,
    ],
    [
      wire("load", "MODEL", "sample", "model"),
      wire("load", "CLIP", "text", "clip"),
      wire("text", "CONDITIONING", "sample", "positive"),
      wire("text", "CONDITIONING", "sample", "negative"),
      wire("empty", "LATENT", "sample", "latent_image"),
      wire("sample", "LATENT", "decode", "samples"),
      wire("load", "VAE", "decode", "vae"),
    ],
    metadata,
  );

/** A picture from ComfyUI, waited for in Python, and on in ComfyUI. */
const across = (color: number, seconds = 0.05) =>
  graphOf(
    [
      comfy("make", "EmptyImage", { width: 16, height: 16, color }),
      wait("think", { seconds }),
      comfy("turn", "ImageInvert"),
      comfy("show", "PreviewImage"),
    ],
    [wire("make", "IMAGE", "think", "value"), wire("think", "value", "turn", "image"), wire("turn", "IMAGE", "show", "images")],
  );

describe("what runs again", () => {
  test("[E11] nothing of ComfyUI, if no signature changed [test_full_cache]", async () => {
    const color = fresh();
    await run(across(color));
    const before = sent();
    const again = await run(across(color));
    expect(again.state).toBe("succeeded");
    expect(sent()).toBe(before);
  });
  test("[E12] is said before it does: a plan knows regions as the run does", async () => {
    const color = fresh();
    const plan = async (graph: unknown) => {
      const form = new FormData();
      form.set("graph", JSON.stringify(graph));
      const answer = await fetch(`${spindle.url}/api/runs?dry=1`, { method: "POST", body: form });
      const { plan: made } = (await answer.json()) as { plan: { nodes: { node: string; does: string; why: string }[] } };
      return Object.fromEntries(made.nodes.map((one) => [one.node, `${one.does}: ${one.why}`]));
    };
    expect(await plan(across(color))).toMatchObject({
      make: "runs: It has not run in this graph before.",
      turn: expect.stringContaining("It depends on"),
    });
    const show = graphOf(
      [comfy("make", "EmptyImage", { color }), comfy("show", "PreviewImage")],
      [wire("make", "IMAGE", "show", "images")],
    );
    await run(show);
    expect(await plan(show)).toMatchObject({ make: "reuses: Nothing changed.", show: "reuses: Nothing changed." });
  });
  test("[E11] only what depends on a changed value [test_partial_cache]", async () => {
    const graph = (color: number, width: number) =>
      graphOf(
        [
          comfy("one", "EmptyImage", { width: 8, height: 8, color }),
          comfy("two", "EmptyImage", { width, height: 8, color }),
          node("a", "output.preview"),
          node("b", "output.preview"),
        ],
        [wire("one", "IMAGE", "a", "value"), wire("two", "IMAGE", "b", "value")],
      );
    const color = fresh();
    await run(graph(color, 8));
    const before = sent();
    await run(graph(color, 16));
    expect(sent() - before).toBe(1);
  });
  test("what reads a file of the server's, always [test_custom_is_changed]", async () => {
    const graph = graphOf(
      [comfy("load", "LoadImage", { image: "example.png" }), comfy("show", "PreviewImage")],
      [wire("load", "IMAGE", "show", "images")],
    );
    spindle.fake.put("example.png", 16, 16);
    await run(graph);
    const before = sent();
    await run(graph);
    expect(sent() - before).toBe(1);
  });
});

describe("what fails", () => {
  test("[RG4] is named, and only what depends on it is left out [test_error, test_failure_drops_only_dependents]", async () => {
    const color = fresh();
    const view = await run(
      graphOf(
        [comfy("a", "EmptyImage", { color }), comfy("b", "ProbeFail"), wait("after", { seconds: 0.01 }), wait("aside", { seconds: 0.01 })],
        [wire("a", "IMAGE", "b", "image"), wire("b", "IMAGE", "after", "value")],
      ),
    );
    expect(states(view)).toMatchObject({ a: "succeeded", b: "failed", after: "skipped", aside: "succeeded" });
    expect(view.error).toMatchObject({ node: "b" });
  });
  test("[G6] is refused before any task where it can be known: a wrong value, a wrong type, a missing node [test_validation_error, test_missing_node_error]", async () => {
    const before = sent();
    for (const [graph, code] of [
      [graphOf([comfy("a", "EmptyImage", { width: "wide" })]), "param.invalid"],
      [graphOf([comfy("a", "EmptyLatentImage"), comfy("b", "ImageInvert")], [wire("a", "LATENT", "b", "image")]), "edge.type_mismatch"],
      [graphOf([comfy("a", "NobodyHasThis")]), "node.unknown_capability"],
      [
        graphOf(
          [comfy("a", "ImageInvert"), comfy("b", "ImageInvert")],
          [wire("a", "IMAGE", "b", "image"), wire("b", "IMAGE", "a", "image")],
        ),
        "graph.cycle",
      ],
    ] as const) {
      const { status, body } = await submit(spindle.url, graph);
      expect(status).toBe(422);
      expect(body.error?.issues?.map((issue) => issue.code)).toContain(code);
    }
    expect(sent()).toBe(before);
  });
  test("[RG4] found too late, as a cycle of expansions, fails the visible node [test_dynamic_cycle_error]", async () => {
    spindle.fake.faults = { liesAboutSuccess: true };
    const view = await run(graphOf([comfy("a", "EmptyImage", { color: fresh() })]));
    spindle.fake.faults = {};
    expect(view.error).toMatchObject({ node: "a" });
  });
  test("beside something that works does not stop it, and nothing is published late [concurrent_error_recovery, sync_error_during_async]", async () => {
    const view = await run(
      graphOf(
        [comfy("a", "EmptyImage", { color: fresh() }), comfy("b", "ProbeFail"), wait("slow", { seconds: 0.6 })],
        [wire("a", "IMAGE", "b", "image")],
      ),
    );
    expect(states(view)).toMatchObject({ b: "failed", slow: "succeeded" });
    expect(view.state).toBe("failed");
  });
});

describe("what runs at all", () => {
  test("[RG2] a branch that is not chosen does not, on either plane [test_lazy_input]", async () => {
    const before = sent();
    const view = await run(
      graphOf(
        [
          node("choose", "constant.boolean", { value: false }),
          comfy("make", "EmptyImage", { color: fresh() }),
          wait("think", { seconds: 0.01 }),
        ],
        [
          { from: "choose", to: "make", metadata: { when: "output.value" } },
          { from: "choose", to: "think", metadata: { when: "output.value" } },
        ],
      ),
    );
    expect(states(view)).toMatchObject({ make: "skipped", think: "skipped" });
    expect(sent()).toBe(before);
  });
  test("one output that two take is made once [test_output_reuse]", async () => {
    const before = sent();
    const view = await run(
      graphOf(
        [
          comfy("make", "EmptyImage", { color: fresh() }),
          wait("a", { seconds: 0.01 }),
          wait("b", { seconds: 0.01 }),
          comfy("show", "PreviewImage"),
        ],
        [wire("make", "IMAGE", "a", "value"), wire("make", "IMAGE", "b", "value"), wire("make", "IMAGE", "show", "images")],
      ),
    );
    expect(view.state).toBe("succeeded");
    expect(sent() - before).toBe(1);
  });
  test("[E12] a part, with what it needs and nothing else [test_partial_execution_*]", async () => {
    const color = fresh();
    const graph = graphOf(
      [
        comfy("a", "EmptyImage", { color }),
        comfy("b", "ImageInvert"),
        comfy("left", "PreviewImage"),
        comfy("right", "PreviewImage"),
        wait("after", { seconds: 0.01 }),
      ],
      [
        wire("a", "IMAGE", "b", "image"),
        wire("b", "IMAGE", "left", "images"),
        wire("a", "IMAGE", "right", "images"),
        wire("left", "image", "after", "value"),
      ],
    );
    const id = await createGraph(spindle.url, graph);
    const body = JSON.stringify({ graphId: id, inputs: {}, options: { part: { of: "to", node: "left" } } });
    const answer = await fetch(`${spindle.url}/trpc/runs.start`, { method: "POST", headers: { "content-type": "application/json" }, body });
    const started = ((await answer.json()) as { result: { data: string } }).result.data;
    const view = await ended(spindle.url, started);
    expect(states(view)).toMatchObject({ a: "succeeded", b: "succeeded", left: "succeeded", right: "skipped", after: "skipped" });
    expect(Object.keys(spindle.fake.prompts.at(-1)?.prompt as object).sort()).toEqual(["a", "b", "left"]);
  });
  test("[E6] a loop around a region, each visit as one prompt [test_for_loop]", async () => {
    const before = sent();
    const graph = graphOf(
      [comfy("start", "EmptyImage", { width: 8, height: 8, color: fresh() }), comfy("turn", "ImageInvert"), node("look", "output.preview")],
      [
        wire("start", "IMAGE", "turn", "image"),
        wire("turn", "IMAGE", "look", "value"),
        { from: "look", to: "turn", metadata: { sourcePort: "value", targetPort: "image", loop: { maxIterations: 3 } } },
      ],
    );
    const view = await run(graph);
    expect(view.error).toBeNull();
    expect(view.counts.turn).toMatchObject({ total: 3, done: 3 });
    expect(sent() - before).toBe(1 + 2); // the third visit's picture is the first one's again
  });
});

describe("at the same time", () => {
  test("[E8] independent work of both planes overlaps [test_parallel_sleep_nodes]", async () => {
    const graph = sampling(20, [wait("think", { seconds: 3 }) as never]);
    const view = await run(graph);
    const at = (id: string) => view.nodes.find((nodeRun) => nodeRun.node === id);
    const region = view.nodes.find((nodeRun) => nodeRun.node.startsWith("group:"));
    const span = (nodeRun: { startedAt: string | null; finishedAt: string | null } | undefined) =>
      [Date.parse(nodeRun?.startedAt ?? ""), Date.parse(nodeRun?.finishedAt ?? "")] as const;
    const [[a, b], [c, d]] = [span(region), span(at("think"))];
    expect(Math.max(a, c)).toBeLessThan(Math.min(b, d));
  });
  test("[E15] one run's progress reaches only that run [test_progress_isolation]", async () => {
    const [first, second] = [await start(sampling(40)), await start(sampling(40))];
    await until(async () => (await getRun(spindle.url, first)).live.some((progress) => progress.steps === 40), 60_000, "the first samples");
    expect((await getRun(spindle.url, second)).live).toEqual([]);
    await Promise.all([ended(spindle.url, first), ended(spindle.url, second)]);
  });
  test("[E10] a time-out ends the prompt, and the server is free for the next [timeout_handling, resource_cleanup]", async () => {
    const graph = sampling(1000, [], { nodes: { sample: { timeoutSeconds: 3 } } });
    const view = await run(graph);
    expect(view.error).toMatchObject({ code: "task.timeout" });
    expect(await logOf(spindle.url, view.id, "sample"), "what ComfyUI wrote until then").toMatch(/^ *\d+%\|.*\/1000$/);
    await until(async () => spindle.fake.queue.running + spindle.fake.queue.pending === 0, 5000, "the server is free");
    expect((await run(graphOf([comfy("a", "EmptyImage", { color: fresh() })]))).state).toBe("succeeded");
  });
});

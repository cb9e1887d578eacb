// A ComfyUI workflow that a person offers as an engine: in the list of engines, chosen, run, shared by all runtimes, and removed again.
import { readFileSync } from "node:fs";
import { type NodeDefinition, offeredBlueprint, suggestedOffer, workflowOf } from "@spindle/graph-model";
import { makeLibrary } from "@spindle/node-library";
import type { Blueprint, CombinedManifest } from "@spindle/schemas";
import { afterAll, beforeAll, expect, test } from "vitest";
import { solidPng } from "../../workers/comfy-bridge/test/fake/png.ts";
import { type ComfySpindle, comfy, startComfySpindle } from "../support/comfy.ts";
import { VOICE } from "../support/samples.ts";
import { startRuntime } from "../support/second-runtime.ts";
import { createGraph, ended, getRun, graphOf, named, node, submit, until, wire } from "../support/spindle.ts";

let spindle: ComfySpindle;
beforeAll(async () => {
  spindle = await startComfySpindle();
});
afterAll(() => spindle?.stop());

const TALK = "generate.infinite_talk";
/** A film of the portrait, which is what the fake ComfyUI can make of it. */
const workflow = graphOf(
  [
    named("Portrait", comfy("load", "LoadImage")),
    named("Film", comfy("film", "CreateVideo", { fps: 8 })),
    named("Save", comfy("save", "SaveVideo", { filename_prefix: "x", format: "auto", codec: "auto" })),
  ],
  [wire("load", "IMAGE", "film", "images"), wire("film", "VIDEO", "save", "video")],
);

async function blueprintOf(name: string): Promise<Blueprint> {
  const library = makeLibrary(((await (await fetch(`${spindle.url}/api/capabilities`)).json()) as CombinedManifest).capabilities);
  const found = workflowOf(workflow as never, library);
  if ("why" in found) throw new Error(found.why);
  const talk = library.find("python", TALK) as NodeDefinition;
  return offeredBlueprint(found, talk, { name, label: "My film", description: "Made of one picture.", ...suggestedOffer(found, talk) });
}

async function call<T>(
  procedure: string,
  input?: unknown,
  url = spindle.url,
): Promise<{ status: number; message?: string; refused?: Record<string, unknown>; data?: T }> {
  const isQuery = ["engines.list", "engines.uses"].includes(procedure);
  const query = isQuery && input !== undefined ? `?input=${encodeURIComponent(JSON.stringify(input))}` : "";
  const answer = await fetch(`${url}/trpc/${procedure}${query}`, {
    method: isQuery ? "GET" : "POST",
    headers: { "content-type": "application/json" },
    ...(isQuery ? {} : { body: JSON.stringify(input) }),
  });
  const { result, error } = (await answer.json()) as {
    result?: { data: T };
    error?: { message: string; data: { refused?: Record<string, unknown> } };
  };
  return {
    status: answer.status,
    ...(error ? { message: error.message, refused: error.data.refused } : {}),
    ...(result ? { data: result.data } : {}),
  } as never;
}
const offer = (blueprint: unknown, url = spindle.url) => call("engines.offer", { blueprint }, url);
const engineIds = async (url = spindle.url) =>
  ((await (await fetch(`${url}/api/capabilities`)).json()) as CombinedManifest).capabilities
    .find(({ id }) => id === TALK)
    ?.engines?.filter(({ live }) => live)
    .map(({ id }) => id) ?? [];
const idOf = (name: string) => `${name}@127.0.0.1-${spindle.fake.port}`;

const talking = (engine?: string, more: Parameters<typeof graphOf>[0] = []) =>
  graphOf([node("talk", TALK, { seed: 7 }, "python"), ...more], [], engine ? { nodes: { talk: { engine } } } : {});
const portrait = () => new Blob([new Uint8Array(solidPng(32, 32, 0x336699))], { type: "image/png" });
const sound = () => new Blob([new Uint8Array(readFileSync(VOICE))], { type: "audio/wav" });
const run = (graph: unknown) =>
  submit(spindle.url, graph, { portrait: portrait(), audioArtifact: sound() }, { portrait: "image", audioArtifact: "audio" });

test("[M4] a workflow that is offered is an engine at once, for every server, and `auto` runs on it before it runs on a draft", async () => {
  expect(await offer(await blueprintOf("my-film"))).toMatchObject({ status: 200 });
  expect(await engineIds()).toContain(idOf("my-film"));
  const list = (await call<object[]>("engines.list")).data;
  expect(list).toEqual([
    expect.objectContaining({ name: "my-film", label: "My film", engines: [expect.objectContaining({ id: idOf("my-film"), live: true })] }),
  ]);
  const { status, body } = await run(talking());
  expect(status, JSON.stringify(body)).toBe(202);
  const view = await ended(spindle.url, body.run);
  expect(view.error).toBeNull();
  expect(view.outputs).toMatchObject({ videoArtifact: { mime: "video/mp4" } });
  const nodes = (await getRun(spindle.url, body.run)).nodes as { node: string; engine: string }[];
  expect(nodes.map(({ engine }) => engine)).toEqual([idOf("my-film")]);
  const sent = Object.values(
    spindle.fake.prompts.at(-1)?.prompt as Record<string, { class_type: string; inputs: Record<string, unknown> }>,
  );
  expect(sent.find(({ class_type }) => class_type === "LoadImage")?.inputs.image).toMatch(/^spindle\/[0-9a-f]{64}\.png$/);
});

test("[M4] it is chosen by its name, and another runtime of the database has it", async () => {
  const { body } = await run(talking(idOf("my-film")));
  expect((await ended(spindle.url, body.run)).error).toBeNull();
  const other = await startRuntime(spindle);
  try {
    await until(async () => (await engineIds(other.url)).includes(idOf("my-film")), 30_000, "the other runtime has the engine");
    expect(await offer(await blueprintOf("other-film"), other.url)).toMatchObject({ status: 200 });
    await until(async () => (await engineIds()).includes(idOf("other-film")), 30_000, "this runtime has the other's engine");
    expect(await call("engines.remove", { name: "other-film" })).toMatchObject({ status: 200 });
    await until(async () => !(await engineIds(other.url)).includes(idOf("other-film")), 30_000, "it is gone there, too");
  } finally {
    await other.process.stop();
  }
});

test("[M4] what is no engine is refused with the place, and changes nothing", async () => {
  const blueprint = await blueprintOf("bad-film");
  const cases: [unknown, number, RegExp][] = [
    [await blueprintOf("my-film"), 409, /called my-film already/],
    [{ ...blueprint, name: "infinitetalk" }, 409, /comes with Spindle/],
    [{ ...blueprint, name: "Über mich" }, 422, /blueprint.name/],
    [{ ...blueprint, label: "" }, 422, /blueprint.label/],
    [{ ...blueprint, models: [{ file: "../../etc/passwd", folder: "x", licence: "x" }] }, 422, /blueprint.models/],
    [{ ...blueprint, prompt: "rm -rf" }, 422, /blueprint.prompt/],
    [{ ...blueprint, shell: "rm -rf" }, 422, /blueprint.shell/],
    [{ ...blueprint, capability: "generate.nothing" }, 422, /There is no capability/],
    [{ ...blueprint, gives: {} }, 422, /Nothing gives/],
    [{ ...blueprint, set: { "9.image": "inputs.portrait" } }, 422, /has no node 9/],
    [{ ...blueprint, set: { "1.image": "process.exit()" } }, 422, /no function exit/],
    [{ ...blueprint, description: "x".repeat(3000) }, 422, /blueprint.description/],
    [
      { ...blueprint, prompt: { ...blueprint.prompt, "9": { class_type: "X", inputs: { a: "x".repeat(1_100_000) } } } },
      422,
      /at most 1 MiB/,
    ],
    [
      {
        ...blueprint,
        prompt: { ...blueprint.prompt, "9": { class_type: "X", inputs: JSON.parse(`${'{"a":'.repeat(500)}1${"}".repeat(500)}`) } },
      },
      422,
      /deeper/,
    ],
  ];
  for (const [sent, status, message] of cases) {
    const answer = await offer(sent);
    expect([answer.status, answer.message], String(message)).toEqual([status, expect.stringMatching(message)]);
  }
  expect((await call<object[]>("engines.list")).data).toHaveLength(1);
  expect(await call("engines.remove", { name: "infinitetalk" })).toMatchObject({
    status: 409,
    message: expect.stringContaining("templates/comfy"),
  });
  expect(await call("engines.remove", { name: "nobody" })).toMatchObject({ status: 404 });
});

test("[M4] a part that is repeated too often is refused when it is offered, and where that depends on the run, at its node", async () => {
  const repeat = (count: string) => ({ nodes: ["1"], count, carry: {} });
  const blueprint = await blueprintOf("often");
  expect(await offer({ ...blueprint, repeat: repeat("1000000000") })).toMatchObject({
    status: 422,
    message: expect.stringContaining("repeats a node 1,000,000,000 times, which makes 1,000,000,002 nodes; the limit is 5,000."),
  });
  expect(await offer({ ...blueprint, repeat: repeat("1.0 / 0.0") })).toMatchObject({ status: 422 });
  expect(await offer({ ...blueprint, repeat: repeat("1000000000.0 + double(inputs.seed)") })).toMatchObject({ status: 200 });
  // An earlier release took what this one refuses.
  const stored = { ...blueprint, name: "stored", repeat: repeat("1000000000") };
  await spindle.db.query("INSERT INTO workflow_engine (name, blueprint) VALUES ('stored', $1)", [JSON.stringify(stored)]);
  await until(async () => (await engineIds()).includes(idOf("stored")), 30_000, "the stored engine is there");
  for (const name of ["often", "stored"]) {
    const { status, body } = await run(talking(idOf(name)));
    expect(status, JSON.stringify(body)).toBe(202);
    const view = await ended(spindle.url, body.run);
    expect(view.nodes).toMatchObject([
      { node: "talk", state: "failed", error: { code: "node.user_error", message: expect.stringContaining("the limit is 5,000. Change") } },
    ]);
    expect(await call("engines.remove", { name })).toMatchObject({ status: 200 });
  }
});

test("[M4] a removal says what it breaks, waits for runs that are not over, and leaves graphs that name the engine with an issue", async () => {
  const graph = await createGraph(spindle.url, talking(idOf("my-film")));
  const asking = talking(idOf("my-film"), [node("ask", "human.ask_person", { message: "Go on?" })]);
  const { body } = await run(asking);
  await until(async () => (await getRun(spindle.url, body.run)).state === "waiting", 60_000, "the run waits for a person");
  const uses = (
    await call<{ graphs: { id: string }[]; runs: { id: string }[]; automatic?: { now: string; after?: string } }>("engines.uses", {
      name: "my-film",
    })
  ).data;
  expect(uses?.graphs.map(({ id }) => id)).toContain(graph);
  expect(uses?.runs.map(({ id }) => id)).toEqual([body.run]);
  expect(uses?.automatic?.now).toContain("My film");
  expect(await call("engines.remove", { name: "my-film" })).toMatchObject({
    status: 409,
    refused: { code: "engine.in_use", run: body.run },
  });
  expect(await engineIds()).toContain(idOf("my-film"));
  await fetch(`${spindle.url}/api/runs/${body.run}/cancel`, { method: "POST" });
  await ended(spindle.url, body.run);
  expect(await call("engines.remove", { name: "my-film" })).toMatchObject({ status: 200 });
  expect(await engineIds()).not.toContain(idOf("my-film"));
  expect((await call<object[]>("engines.list")).data).toEqual([]);
  const refused = await run(talking(idOf("my-film")));
  expect(JSON.stringify(refused.body)).toContain(idOf("my-film"));
});

// Runs on real processes: what a run means, what is refused, what its files are.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { extractGraph } from "@spindle/graph-model";
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "../../infra/launch/paths.ts";
import { solidPng } from "../../workers/comfy-bridge/test/fake/png.ts";
import { bmp, PROMPT, talkForm } from "../support/samples.ts";
import {
  ended,
  getRun,
  graphOf,
  health,
  node,
  type Spindle,
  startRun,
  startSpindle,
  submit,
  until,
  wait,
  wire,
} from "../support/spindle.ts";

let spindle: Spindle;
beforeAll(async () => {
  spindle = await startSpindle({ ownPostgres: true });
});
afterAll(() => spindle?.stop());

const start = (graph: unknown, inputs = {}): Promise<string> => startRun(spindle.url, graph, inputs);
const states = async (graph: unknown) =>
  Object.fromEntries((await ended(spindle.url, await start(graph))).nodes.map((nodeRun) => [nodeRun.node, nodeRun.state]));
const fails = (id: string) => node(id, "json.pick", { json: {}, path: "missing" });
const shows = (id: string, value: unknown = 1) => node(id, "output.preview", { value });

describe("[E19] a request with a key of its own", () => {
  const send = async (path: string, body: FormData | string, key: string) => {
    const headers = { "idempotency-key": key, ...(typeof body === "string" ? { "content-type": "application/json" } : {}) };
    const answer = await fetch(`${spindle.url}${path}`, { method: "POST", body, headers });
    return { status: answer.status, ...((await answer.json()) as { run?: string; error?: { code: string; field: string } }) };
  };
  const form = (value: number, picture = solidPng(4, 4, 1)) => {
    const made = new FormData();
    made.set("graph", JSON.stringify(graphOf([shows("a", value)], [], { interface: { inputs: [], outputs: [] } })));
    made.set("picture", new Blob([new Uint8Array(picture)]), "p.png");
    return made;
  };

  test("starts one run, however often and in whatever company it is sent", async () => {
    const answers = await Promise.all(Array.from({ length: 6 }, () => send("/api/runs", form(1), "once")));
    const run = answers[0]?.run as string;
    expect(answers).toEqual(answers.map(() => ({ status: 202, run })));
    await ended(spindle.url, run);
    expect(await send("/api/runs", form(1), "once"), "after its end, too").toEqual({ status: 202, run });
    expect((await send("/api/runs", form(1), "another")).run).not.toBe(run);
    const forks = await Promise.all([1, 2].map(() => send(`/api/runs/${run}/fork`, JSON.stringify({ node: "a" }), "fork")));
    expect(forks[0]).toEqual(forks[1]);
    expect(forks[0]?.run).not.toBe(run);
  });
  test("is refused where the key was another request's, or is none", async () => {
    await send("/api/runs", form(1), "mine");
    expect(await send("/api/runs", form(2), "mine")).toMatchObject({ status: 422, error: { code: "request.key_reused" } });
    expect(await send("/api/runs", form(1, solidPng(4, 4, 9)), "mine"), "another file").toMatchObject({ status: 422 });
    expect(await send("/api/runs", form(1), "a b")).toMatchObject({ status: 422, error: { field: "Idempotency-Key" } });
  });
});

describe("a run", () => {
  test("[W1] carries values along wires, between planes, and numbers its events without a gap", async () => {
    const graph = graphOf(
      [
        node("a", "text.template", { template: "Hello {{name}}", values: { name: "Ada" } }),
        wait("b", { seconds: 0 }),
        node("c", "output.preview"),
      ],
      [wire("a", "text", "b", "value"), wire("b", "value", "c", "value")],
    );
    const run = await ended(spindle.url, await start(graph));
    expect(run.outputs).toEqual({ value: "Hello Ada" });
    const { rows } = await spindle.db.query("SELECT seq, type FROM run_event WHERE run_id = $1 ORDER BY seq", [run.id]);
    expect(rows.map((row) => row.seq)).toEqual(rows.map((_, index) => index + 1));
    expect(rows[0].type).toBe("run.queued");
    expect(rows.at(-1).type).toBe("run.succeeded");
  });
  test("[E5, RE1, RE2] a failure skips what depends on it, siblings go on, and the run fails with the place", async () => {
    const graph = graphOf(
      [fails("bad"), shows("after"), shows("last"), shows("beside")],
      [
        { from: "bad", to: "after" },
        { from: "after", to: "last" },
      ],
    );
    const run = await ended(spindle.url, await start(graph));
    expect(Object.fromEntries(run.nodes.map((nodeRun) => [nodeRun.node, nodeRun.state]))).toEqual({
      bad: "failed",
      after: "skipped",
      last: "skipped",
      beside: "succeeded",
    });
    expect(run).toMatchObject({ state: "failed", error: { node: "bad", code: "node.user_error" } });
    expect(run.nodes.find((nodeRun) => nodeRun.node === "after")?.error).toMatchObject({ message: "bad failed." });
  });
  test("[E5, RE1] a failure that an on_failure edge takes care of is no failure of the run", async () => {
    const graph = graphOf(
      [fails("bad"), shows("rescue"), shows("normal"), shows("join")],
      [
        { from: "bad", to: "rescue", kind: "on_failure" },
        { from: "bad", to: "normal" },
        { from: "rescue", to: "join" },
        { from: "normal", to: "join" },
      ],
    );
    expect(await states(graph)).toEqual({ bad: "failed", rescue: "succeeded", normal: "skipped", join: "succeeded" });
  });
  test("[E8] a branch does not wait for its slow sibling", async () => {
    const graph = graphOf(
      [wait("slow", { seconds: 2 }), shows("fast"), shows("next"), shows("after")],
      [
        { from: "fast", to: "next" },
        { from: "slow", to: "after" },
      ],
    );
    const run = await ended(spindle.url, await start(graph));
    const at = (id: string, field: "startedAt" | "finishedAt") =>
      Date.parse(run.nodes.find((nodeRun) => nodeRun.node === id)?.[field] ?? "");
    expect(at("next", "finishedAt")).toBeLessThan(at("slow", "finishedAt"));
    expect(at("after", "startedAt")).toBeGreaterThanOrEqual(at("slow", "finishedAt"));
  });
  test("[E13, RE1] is cancelled: the worker stops in the middle of the node, and takes the next task", async () => {
    const id = await start(graphOf([wait("long", { seconds: 60 }), shows("never")], [{ from: "long", to: "never" }]));
    await until(
      async () =>
        (await (await fetch(`${spindle.url}/api/runs/${id}`)).json()).nodes.some((one: { state: string }) => one.state === "running"),
      60_000,
      "it runs",
    );
    expect((await fetch(`${spindle.url}/api/runs/${id}/cancel`, { method: "POST" })).status).toBe(202);
    const run = await ended(spindle.url, id);
    expect(run.state).toBe("cancelled");
    expect(run.nodes.map((nodeRun) => nodeRun.state)).toEqual(["cancelled", "cancelled"]);
    expect((await ended(spindle.url, await start(graphOf([wait("next", { seconds: 0 })])))).state).toBe("succeeded");
  });
  test("what a node wrote is kept, for each of its tries", async () => {
    const run = await start(graphOf([wait("loud", { seconds: 0.1 }), node("quiet", "output.preview", { value: "x" })]));
    await ended(spindle.url, run);
    const logs = async (path: string) => (await fetch(`${spindle.url}/api/runs/${run}/logs?path=${path}`)).json();
    expect(await logs("loud")).toEqual([{ attempt: 1, text: expect.stringMatching(/^Waited \d+\.\d{3} s\.$/) }]);
    expect(await logs("quiet")).toEqual([]);
    expect((await fetch(`${spindle.url}/api/runs/${run}/logs`)).status, "without a path").toBe(422);
  });

  test("[E10] a node over its time-out fails and says so", async () => {
    const run = await ended(
      spindle.url,
      await start(graphOf([wait("long", { seconds: 30 })], [], { nodes: { long: { timeoutSeconds: 1 } } })),
    );
    expect(run.nodes[0]).toMatchObject({ state: "failed", attempt: 1, error: { code: "task.timeout" } });
  });
  test("[G9] its graph comes back with its state in the seed's words", async () => {
    const id = await start(graphOf([shows("a"), fails("b")]));
    await ended(spindle.url, id);
    const graph = await (await fetch(`${spindle.url}/api/runs/${id}/graph`)).json();
    expect(graph.nodes).toMatchObject([
      { status: "completed", output: { value: 1 } },
      { status: "failed", error: { code: "node.user_error" } },
    ]);
    expect(seedSchema(graph), JSON.stringify(seedSchema.errors)).toBe(true);
  });
});

const seedSchema = new Ajv2020({ strict: false }).compile(JSON.parse(readFileSync(join(ROOT, "schemas/seed/graph.schema.json"), "utf8")));

describe("the predecessor's graphs", () => {
  const portrait = talkForm().get("image_file") as File;
  const voice = talkForm().get("audio_file") as File;
  test.each(["capabilities", "f5tts_infinitetalk", "sadtalker", "svd_wav2lip"])(
    "[G1] %s loads unchanged, runs to the end, and validates there when exported",
    async (name) => {
      const text = readFileSync(join(ROOT, `schemas/samples/graph/valid/${name}.json`), "utf8");
      const inputs =
        name === "capabilities" ? {} : name.startsWith("f5") ? { prompt: PROMPT, portrait, voiceSample: voice } : { prompt: PROMPT };
      const { status, body } = await submit(spindle.url, text, inputs as never, { portrait: "image", voiceSample: "audio" });
      expect(status, JSON.stringify(body)).toBe(202);
      const run = await ended(spindle.url, body.run);
      expect(run.state, JSON.stringify(run.error)).toBe("succeeded");
      const created = await (await fetch(`${spindle.url}/api/graphs`, { method: "POST", body: text })).json();
      const exported = await (await fetch(`${spindle.url}/api/graphs/${created.id}/export`)).json();
      expect(seedSchema(exported), JSON.stringify(seedSchema.errors)).toBe(true);
      expect(exported.nodes.map((one: { id: string }) => one.id)).toEqual(JSON.parse(text).nodes.map((one: { id: string }) => one.id));
    },
  );
});

describe("the text of a voice sample", () => {
  const graph = graphOf(
    [
      node("hear", "speech.transcribe", { typedText: " Every valve. " }, "python"),
      node("say", "generate.f5_to_tts", { narration: "Good evening." }, "python"),
    ],
    [wire("hear", "text", "say", "refText")],
    {
      interface: {
        inputs: [
          {
            name: "sample",
            to: [
              { node: "hear", port: "audioArtifact" },
              { node: "say", port: "voiceSample" },
            ],
          },
        ],
        outputs: [],
      },
    },
  );
  test("[M4] is wired from the transcription to the voice; the draft gives what is typed and says that it heard nothing", async () => {
    const inputs = { sample: talkForm().get("audio_file") as File };
    const { status, body } = await submit(spindle.url, graph, inputs, { sample: "audio" });
    expect(status, JSON.stringify(body)).toBe(202);
    const { nodes } = await ended(spindle.url, body.run);
    const [hear, say] = ["hear", "say"].map((id) => nodes.find((nodeRun) => nodeRun.node === id));
    expect(hear).toMatchObject({ state: "succeeded", draft: true, output: { text: "Every valve.", duration: expect.closeTo(3.77, 1) } });
    expect(hear?.output).toMatchObject({ note: expect.stringContaining("No speech was recognised") });
    expect(say).toMatchObject({ state: "succeeded", input: { refText: "Every valve." } });
  });
});

describe("the seed's calls", () => {
  test("[G4, G8, A4] make a talking head, whose file carries its graph when downloaded and not as stored", async () => {
    const answer = await fetch(`${spindle.url}/api/infinitetalk`, { method: "POST", body: talkForm() });
    expect(answer.status).toBe(202);
    const { jobId } = await answer.json();
    const status = await until(
      async () => {
        const now = await (await fetch(`${spindle.url}/api/status/${jobId}`)).json();
        expect(["queued", "running", "completed"]).toContain(now.status);
        return now.status === "completed" ? now : undefined;
      },
      60_000,
      "the job completes",
    );
    expect(status).toEqual({ status: "completed", progress: 1 });
    const { outputs } = await (await fetch(`${spindle.url}/api/jobs/${jobId}`)).json();
    expect(outputs.video).toMatchObject({ mime: "video/mp4", width: 1024, height: 1024 });
    const stored = new Uint8Array(await (await fetch(`${spindle.url}/api/artifacts/${outputs.video.artifact}`)).arrayBuffer());
    const download = new Uint8Array(
      await (await fetch(`${spindle.url}/api/artifacts/${outputs.video.artifact}/download?run=${jobId}`)).arrayBuffer(),
    );
    expect(extractGraph(stored)).toBeUndefined();
    expect(JSON.parse(extractGraph(download) ?? "null").workflowId).toBe("infinitetalk");
    const part = await fetch(`${spindle.url}/api/artifacts/${outputs.video.artifact}`, { headers: { range: "bytes=4-7" } });
    expect([part.status, await part.text()]).toEqual([206, "ftyp"]);
    expect(part.headers.get("content-security-policy")).toContain("sandbox");
    const jobs = await (await fetch(`${spindle.url}/api/jobs`)).json();
    expect(jobs.some((job: { jobId: string; status: string }) => job.jobId === jobId && job.status === "completed")).toBe(true);
  });
  test("a portrait without a face works, and the node says where the mouth is", async () => {
    const blank = new File([bmp(64, 64) as BlobPart], "../../../etc/passwd", { type: "image/bmp" });
    const { jobId } = await (await fetch(`${spindle.url}/api/infinitetalk`, { method: "POST", body: talkForm({ image: blank }) })).json();
    const run = await ended(spindle.url, jobId);
    const head = run.nodes.find((nodeRun) => nodeRun.node === "infinite_talk");
    expect(head?.output, JSON.stringify(head?.error)).toMatchObject({ mouth: { found: false }, note: expect.stringMatching(/No face/) });
    expect(run.inputs.portrait).toMatchObject({ name: "passwd" });
  });
  test("[M3] capabilities come in the seed's shape, and no older ones when fresh ones are asked for", async () => {
    const known = await (await fetch(`${spindle.url}/api/capabilities`)).json();
    expect(known.sources).toMatchObject({ control: { plane: "node" }, worker: { plane: "python", number: 6 } });
    const fresh = await (await fetch(`${spindle.url}/api/capabilities?refresh=1`)).json();
    expect(fresh.capabilities).toHaveLength(known.capabilities.length);
    expect(fresh.generatedAt >= known.generatedAt).toBe(true);
  });
  test("[M3] fresh ones are asked of the workers by a run of its own, which waits for no device", async () => {
    const busy = await start(graphOf([wait("busy", { seconds: 60 })]));
    await until(async () => (await getRun(spindle.url, busy)).nodes[0]?.state === "running", 60_000, "the device is busy");
    const fresh = await (await fetch(`${spindle.url}/api/capabilities?refresh=1`)).json();
    const { rows } = await spindle.db.query(
      "SELECT id, state FROM run WHERE title = 'Refresh capabilities' ORDER BY created_at DESC LIMIT 1",
    );
    expect(rows).toMatchObject([{ state: "succeeded" }]);
    const { nodes } = await getRun(spindle.url, rows[0].id);
    expect(Object.fromEntries(nodes.map((nodeRun) => [nodeRun.node, nodeRun.state]))).toEqual({
      worker_caps: "succeeded",
      merge: "succeeded",
    });
    expect(nodes.find((nodeRun) => nodeRun.node === "merge")?.output).toMatchObject({ generatedAt: fresh.generatedAt });
    await fetch(`${spindle.url}/api/runs/${busy}/cancel`, { method: "POST" });
    expect((await ended(spindle.url, busy)).state).toBe("cancelled");
  });
});

test("a template whose sections multiply ends its node with the bound, and nobody waits for it", async () => {
  const template = `${"{{#a}}".repeat(9)}x${"{{/a}}".repeat(9)}`;
  const run = await ended(spindle.url, await start(graphOf([node("t", "text.template", { template, values: { a: Array(10).fill(1) } })])));
  expect(run.error).toMatchObject({ node: "t", message: expect.stringMatching(/more than 200,000 steps/) });
});

test("characters that PostgreSQL does not know are replaced, wherever they come from", async () => {
  const text = "nul \u0000, half a pair \ud800, a backslash \\u0000";
  const run = await ended(spindle.url, await start(graphOf([node("a", "output.preview", { value: text })]), { title: "nul \u0000" }));
  expect(run.state).toBe("succeeded");
  expect(run.outputs).toEqual({ value: "nul \ufffd, half a pair \ufffd, a backslash \\u0000" });
});

test("/health names each part, /metrics is Prometheus' text", async () => {
  expect(await health(spindle.url)).toEqual({ status: "up", parts: { postgres: "up", redis: "up", store: "up", python: "up" } });
  const metrics = await (await fetch(`${spindle.url}/metrics`)).text();
  expect(metrics).toMatch(/spindle_stale_results_total \d/);
  expect(metrics).toMatch(/process_cpu_seconds_total/);
});

test("[M2, M4] a worker that is away for a moment keeps its engines: what is started then runs as it would have", async () => {
  const engines = async (id: string) => (await ended(spindle.url, id)).nodes.map(({ node: one, engine }) => [one, engine]);
  const talk = async () =>
    (await (await fetch(`${spindle.url}/api/infinitetalk?force=1`, { method: "POST", body: talkForm() })).json()).jobId;
  const expected = await engines(await talk());
  const worker = spindle.processes.worker?.pid as number;
  process.kill(worker, "SIGSTOP");
  let id: string;
  try {
    await until(
      async () => /^down: no worker has reported since /.test((await health(spindle.url)).parts.python ?? ""),
      60_000,
      "it is away",
    );
    id = await talk();
    expect(id).toBeTruthy();
  } finally {
    process.kill(worker, "SIGCONT");
  }
  expect(await engines(id)).toEqual(expected);
});

test("[W6] a picture that a worker stored without its size is committed with it", async () => {
  const portrait = new Blob([new Uint8Array(solidPng(24, 16, 0x336699))], { type: "image/png" });
  const { body } = await submit(spindle.url, graphOf([wait("keep", { seconds: 0 })]), { image: portrait }, { image: "image" });
  const { outputs, error } = await ended(spindle.url, body.run);
  expect(error).toBeNull();
  expect(outputs?.image).toMatchObject({ mime: "image/png", width: 24, height: 16 });
});

describe("[E9] a run goes on", () => {
  const slow = (id: string, milliseconds: number) => node(id, "control.delay", { milliseconds, value: id });
  test("after its runtime was asked to end in the middle of a node", async () => {
    const id = await start(graphOf([slow("calm", 2000)]));
    await until(async () => (await getRun(spindle.url, id)).nodes[0]?.state === "running", 60_000, "it runs");
    process.kill(spindle.processes.runtime?.pid as number, "SIGTERM");
    expect((await ended(spindle.url, id)).state).toBe("succeeded");
  });
  test("after PostgreSQL was killed between the visits of a loop", async () => {
    const graph = graphOf(
      [slow("head", 60), slow("tail", 60)],
      [
        { from: "head", to: "tail" },
        { from: "tail", to: "head", metadata: { loop: { maxIterations: 30 } } },
      ],
    );
    const { body } = await submit(`${spindle.url}`, graph);
    const passed = async () => (await getRun(spindle.url, body.run)).counts.tail?.done ?? 0;
    await until(async () => (await passed()) >= 3, 60_000, "some visits are over");
    process.kill(spindle.processes.postgres?.pid as number, "SIGKILL");
    const run = await ended(spindle.url, body.run, 45_000);
    expect([run.state, run.counts.tail?.done]).toEqual(["succeeded", 30]);
  });
});

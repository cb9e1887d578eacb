// Runs on real processes: what a run means, what is refused, what its files are.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { extractGraph } from "@spindle/graph-model";
import { Ajv2020 } from "ajv/dist/2020.js";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ROOT } from "../../infra/launch/paths.ts";
import { PROMPT, talkForm } from "../support/samples.ts";
import { ended, getRun, graphOf, health, node, type Spindle, startSpindle, submit, until, wait, wire } from "../support/spindle.ts";

let spindle: Spindle;
let db: pg.Client;
beforeAll(async () => {
  spindle = await startSpindle();
  db = new pg.Client({ connectionString: spindle.env.DATABASE_URL as string });
  await db.connect();
});
afterAll(async () => {
  await db?.end();
  await spindle?.stop();
});

const start = async (graph: unknown, inputs = {}): Promise<string> => {
  const { status, body } = await submit(spindle.url, graph, inputs);
  expect(status, JSON.stringify(body)).toBe(202);
  return body.run;
};
const states = async (graph: unknown) =>
  Object.fromEntries((await ended(spindle.url, await start(graph))).nodes.map((one) => [one.node, one.state]));
const fails = (id: string) => node(id, "json.pick", { json: {}, path: "missing" });
const shows = (id: string, value: unknown = 1) => node(id, "output.preview", { value });

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
    const { rows } = await db.query("SELECT seq, type FROM run_event WHERE run_id = $1 ORDER BY seq", [run.id]);
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
    expect(Object.fromEntries(run.nodes.map((one) => [one.node, one.state]))).toEqual({
      bad: "failed",
      after: "skipped",
      last: "skipped",
      beside: "succeeded",
    });
    expect(run).toMatchObject({ state: "failed", error: { node: "bad", code: "node.user_error" } });
    expect(run.nodes.find((one) => one.node === "after")?.error).toMatchObject({ message: "bad failed." });
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
    const at = (id: string, field: "startedAt" | "finishedAt") => Date.parse(run.nodes.find((one) => one.node === id)?.[field] ?? "");
    expect(at("next", "finishedAt")).toBeLessThan(at("slow", "finishedAt"));
    expect(at("after", "startedAt")).toBeGreaterThanOrEqual(at("slow", "finishedAt"));
  });
  test("[E13, RE1] is cancelled: the worker stops in the middle of the node, and takes the next task", async () => {
    const id = await start(graphOf([wait("long", { seconds: 60 }), shows("never")], [{ from: "long", to: "never" }]));
    await until(
      async () =>
        (await (await fetch(`${spindle.url}/api/runs/${id}`)).json()).nodes.some((one: { state: string }) => one.state === "running"),
      10_000,
      "it runs",
    );
    expect((await fetch(`${spindle.url}/api/runs/${id}/cancel`, { method: "POST" })).status).toBe(202);
    const run = await ended(spindle.url, id);
    expect(run.state).toBe("cancelled");
    expect(run.nodes.map((one) => one.state)).toEqual(["cancelled", "cancelled"]);
    expect((await ended(spindle.url, await start(graphOf([wait("next", { seconds: 0 })])))).state).toBe("succeeded");
  });
  test("what a node wrote is kept, for each of its tries", async () => {
    const run = await start(graphOf([wait("loud", { seconds: 0.1 }), node("quiet", "output.preview", { value: "x" })]));
    await ended(spindle.url, run);
    const logs = async (path: string) => (await fetch(`${spindle.url}/api/runs/${run}/logs?path=${path}`)).json();
    expect(await logs("loud")).toEqual([{ attempt: 1, text: expect.stringMatching(/^Waited 0\.1\d* s\.$/) }]);
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
    expect(jobs.some((one: { jobId: string; status: string }) => one.jobId === jobId && one.status === "completed")).toBe(true);
  });
  test("[A1] a portrait without a face works, and the node says where the mouth is", async () => {
    const blank = new File([bmp(64, 64) as BlobPart], "../../../etc/passwd", { type: "image/bmp" });
    const { jobId } = await (await fetch(`${spindle.url}/api/infinitetalk`, { method: "POST", body: talkForm({ image: blank }) })).json();
    const run = await ended(spindle.url, jobId);
    const head = run.nodes.find((one) => one.node === "infinite_talk");
    expect(head?.output, JSON.stringify(head?.error)).toMatchObject({ mouth: { found: false }, note: expect.stringMatching(/No face/) });
    expect(run.inputs.portrait).toMatchObject({ name: "passwd" });
  });
  test("[M3] capabilities come in the seed's shape, and no older ones when fresh ones are asked for", async () => {
    const known = await (await fetch(`${spindle.url}/api/capabilities`)).json();
    expect(known.sources).toMatchObject({ control: { plane: "node" }, worker: { plane: "python", number: 5 } });
    const fresh = await (await fetch(`${spindle.url}/api/capabilities?refresh=1`)).json();
    expect(fresh.capabilities).toHaveLength(known.capabilities.length);
    expect(fresh.generatedAt >= known.generatedAt).toBe(true);
  });
  test("[M3] fresh ones are asked of the workers by a run of its own, which waits for no device", async () => {
    const busy = await start(graphOf([wait("busy", { seconds: 60 })]));
    await until(async () => (await getRun(spindle.url, busy)).nodes[0]?.state === "running", 10_000, "the device is busy");
    const fresh = await (await fetch(`${spindle.url}/api/capabilities?refresh=1`)).json();
    const { rows } = await db.query("SELECT id, state FROM run WHERE title = 'Refresh capabilities' ORDER BY created_at DESC LIMIT 1");
    expect(rows).toMatchObject([{ state: "succeeded" }]);
    const { nodes } = await getRun(spindle.url, rows[0].id);
    expect(Object.fromEntries(nodes.map((one) => [one.node, one.state]))).toEqual({ worker_caps: "succeeded", merge: "succeeded" });
    expect(nodes.find((one) => one.node === "merge")?.output).toMatchObject({ generatedAt: fresh.generatedAt });
    await fetch(`${spindle.url}/api/runs/${busy}/cancel`, { method: "POST" });
    expect((await ended(spindle.url, busy)).state).toBe("cancelled");
  });
});

/** An uncompressed grey picture, or only the header of one. */
function bmp(width: number, height: number, pixels = width * height * 3): Uint8Array {
  const out = Buffer.alloc(54 + pixels, 127);
  out.write("BM", 0, "latin1");
  [
    [out.length, 2],
    [0, 6],
    [54, 10],
    [40, 14],
    [width, 18],
    [height, 22],
  ].forEach(([value, at]) => out.writeInt32LE(value as number, at as number));
  out.writeInt16LE(1, 26);
  out.writeInt16LE(24, 28);
  out.fill(0, 30, 54);
  return new Uint8Array(out);
}

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

describe("what is refused before a run, with the field, the reason and the limit", () => {
  const text = (body: string, name: string) => new File([body], name);
  test.each<[string, Parameters<typeof talkForm>[0], RegExp]>([
    ["a portrait that is no picture", { image: text("hello", "p.jpg") }, /image_file: .*not a picture/],
    ["a portrait of 0 bytes", { image: text("", "p.jpg") }, /image_file: .*0 bytes/],
    [
      "a portrait of over 50 megapixels",
      { image: new File([bmp(10_000, 6000, 100) as BlobPart], "p.bmp") },
      /image_file: .*60 megapixels.*50/,
    ],
    ["a voice sample that is no sound", { audio: text("hello", "v.wav") }, /audio_file: .*not sound/],
    ["an empty prompt", { data: { prompt: "" } }, /prompt: .*empty/],
    ["a prompt of spaces", { data: { prompt: "  " } }, /prompt: .*empty/],
    ["a prompt that is too long", { data: { prompt: "x".repeat(10_001) } }, /prompt: .*10001.*10000/],
    ["a prompt that is missing", { data: {} }, /prompt: .*needed/],
    ["data that is no object", { data: "[1" }, /data: .*JSON/],
  ])("%s", async (_, change, message) => {
    const answer = await fetch(`${spindle.url}/api/infinitetalk`, { method: "POST", body: talkForm(change) });
    const { error } = await answer.json();
    expect([413, 422], JSON.stringify(error)).toContain(answer.status);
    expect(error.message).toMatch(message);
    expect(error.field).toBeTruthy();
  });
  test("[M4] an engine that is unknown or not live", async () => {
    for (const [engine, code] of [
      ["nope", "node.unknown_engine"],
      ["f5-tts", "node.engine_not_live"],
    ] as const) {
      const graph = graphOf([node("v", "generate.f5_to_tts", { narration: "x" }, "python")], [], { nodes: { v: { engine } } });
      const { status, body } = await submit(spindle.url, graph);
      expect(status).toBe(422);
      expect(body.error?.issues).toContainEqual(expect.objectContaining({ code, place: { node: "v" } }));
    }
  });
  test.each([
    ["not JSON", "{"],
    ["the wrong shape", "{}"],
    [
      "a cycle",
      JSON.stringify(
        graphOf(
          [shows("a"), shows("b")],
          [
            { from: "a", to: "b" },
            { from: "b", to: "a" },
          ],
        ),
      ),
    ],
    ["a forbidden key", '{"schema":"langgraph.v1","constructor":1}'],
    ["nothing", ""],
  ])("[G6] a graph that is %s", async (_, graph) => {
    const { status, body } = await submit(spindle.url, graph);
    expect(status).toBe(422);
    expect(body.error?.issues?.length).toBeGreaterThan(0);
  });
  test("[G7, RM3] calls that multiply over what a run may hold, at every door, before anything is accepted", async () => {
    const call = (id: string, definition: string) => node(id, "graph.call", { definition });
    const level = (index: number) =>
      index === 21 ? { nodes: [shows("end")] } : { nodes: [call("a", `d${index + 1}`), call("b", `d${index + 1}`)], edges: [] };
    const definitions = Object.fromEntries(Array.from({ length: 22 }, (_, index) => [`d${index}`, level(index)]));
    const graph = graphOf([call("all", "d0")], [], { definitions });
    const issue = {
      code: "run.too_large",
      severity: "error",
      message: expect.stringMatching(/at least 6,291,455 node runs; the limit is 100,000\. Most of them are made by all, which calls d0/),
      place: { node: "all", pointer: "/metadata/definitions" },
    };
    const form = () => {
      const body = new FormData();
      body.set("graph", JSON.stringify(graph));
      return body;
    };
    for (const query of ["", "?dry=1"]) {
      const answer = await fetch(`${spindle.url}/api/runs${query}`, { method: "POST", body: form() });
      expect(answer.status).toBe(422);
      expect((await answer.json()).error.issues).toContainEqual(expect.objectContaining(issue));
    }
    const { id } = await (await fetch(`${spindle.url}/api/graphs`, { method: "POST", body: JSON.stringify(graph) })).json();
    const started = await fetch(`${spindle.url}/trpc/runs.start`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ graphId: id, inputs: {} }),
    });
    expect(started.status).toBe(422);
    expect(await started.text()).toContain("run.too_large");
    const { rows } = await db.query("SELECT 1 FROM run WHERE graph_id = $1", [id]);
    expect(rows).toEqual([]);
  });
  test.each<[string, unknown]>([
    ["a node that is null", { d: { nodes: [null] } }],
    ["an edge that is null", { d: { nodes: [{ ...shows("a"), status: "pending" }], edges: [null] } }],
    ["a text", "d"],
    ["a list", ["d"]],
    [
      "a chain of 800",
      Object.fromEntries(
        Array.from({ length: 800 }, (_, index) => [
          index === 0 ? "d" : `d${index}`,
          { nodes: [index === 799 ? shows("end") : node("next", "graph.call", { definition: `d${index + 1}` })] },
        ]),
      ),
    ],
  ])("[G6] definitions that hold %s", async (_, definitions) => {
    const graph = graphOf([node("all", "graph.call", { definition: "d" })], [], { definitions });
    const form = new FormData();
    form.set("graph", JSON.stringify(graph));
    const dry = await fetch(`${spindle.url}/api/runs?dry=1`, { method: "POST", body: form });
    expect([dry.status, (await submit(spindle.url, graph)).status]).toEqual([422, 422]);
    const { body } = await submit(spindle.url, graph);
    expect(body.error?.issues?.length).toBeGreaterThan(0);
  });
  test("conditions that would hold up everybody", async () => {
    const when = `[[1]]${".map(x, x + x)".repeat(60)}[0].all(y, y == 1)`;
    const graph = graphOf([shows("a"), shows("b")], [{ from: "a", to: "b", metadata: { when } }]);
    const { status, body } = await submit(spindle.url, graph);
    expect([status, body.error?.issues?.[0]?.code]).toEqual([422, "edge.bad_condition"]);
  });
  test("bodies that are no forms, ids that are none, and other sites", async () => {
    const post = (path: string, init: RequestInit) =>
      fetch(spindle.url + path, { method: "POST", ...init }).then((answer) => answer.status);
    expect(await post("/api/infinitetalk", { body: "x" })).toBe(415);
    expect(await post("/api/infinitetalk", { body: "x", headers: { "content-type": "multipart/form-data" } })).toBe(400);
    expect(await post("/api/infinitetalk", { body: "x", headers: { "content-type": "multipart/form-data; boundary=b" } })).toBe(400);
    expect(await post("/api/graphs", { body: "x".repeat(3 * 1024 * 1024) })).toBe(413);
    expect(await post("/api/templates/none/runs", { body: talkForm() })).toBe(404);
    expect(await post("/api/infinitetalk", { body: talkForm(), headers: { origin: "https://evil.example" } })).toBe(403);
    for (const path of [
      "/api/status/x",
      "/api/jobs/00000000-0000-0000-0000-000000000000",
      "/api/artifacts/..%2f..%2fetc%2fpasswd",
      "/api/templates/infinitetalk/files/..%2fgraph.json",
      "/api/nothing",
    ])
      expect((await fetch(spindle.url + path)).status, path).toBe(404);
  });
});

test("/health names each part, /metrics is Prometheus' text", async () => {
  expect(await health(spindle.url)).toEqual({ status: "up", parts: { postgres: "up", redis: "up", store: "up", python: "up" } });
  const metrics = await (await fetch(`${spindle.url}/metrics`)).text();
  expect(metrics).toMatch(/spindle_stale_results_total \d/);
  expect(metrics).toMatch(/process_cpu_seconds_total/);
});

test("what is not there is a 404 that says which kind of thing is not", async () => {
  const none = "00000000-0000-4000-8000-000000000000";
  const run = await start(graphOf([shows("a")]));
  const ask = async (path: string, method: string, body?: object) => {
    const answer = await fetch(`${spindle.url}/api${path}`, {
      method,
      ...(body ? { headers: { "content-type": "application/json" }, body: JSON.stringify(body) } : {}),
    });
    return [answer.status, ((await answer.json()) as { error?: { code: string } }).error?.code];
  };
  const cases: [code: string, path: string, method?: string, body?: object][] = [
    ["run.not_found", `/runs/${none}`],
    ["run.not_found", "/runs/nonsense"],
    ["run.not_found", `/jobs/${none}`],
    ["run.not_found", `/status/${none}`],
    ["run.not_found", `/runs/${none}/graph`],
    ["run.not_found", `/runs/${none}/nodes`],
    ["run.not_found", `/runs/${none}/questions`],
    ["run.not_found", `/runs/${none}/logs?path=a`],
    ["run.not_found", `/runs/${none}/cancel`, "POST"],
    ["run.not_found", `/runs/${none}/fork`, "POST", {}],
    ["run.not_found", `/runs/${none}/answers`, "POST", { path: "a" }],
    ["run.not_found", `/runs/${none}/resume`, "POST", { path: "a" }],
    ["run.not_found", `/runs/${none}/cancel-node`, "POST", { path: "a" }],
    ["node.not_found", `/runs/${run}/cancel-node`, "POST", { path: "nobody" }],
    ["node.not_found", `/runs/${run}/answers`, "POST", { path: "nobody" }],
    ["node.not_found", `/runs/${run}/logs?path=nobody`],
    ["graph.not_found", `/graphs/${none}/export`],
    ["graph.not_found", "/graphs/nonsense/export"],
    ["template.not_found", "/templates/none/files/picture.jpg"],
    ["artifact.not_found", "/templates/infinitetalk/files/none.jpg"],
    ["artifact.not_found", `/artifacts/${none}`],
    ["artifact.not_found", "/artifacts/nonsense"],
    ["request.not_found", "/nonsense"],
  ];
  for (const [code, path, method = "GET", body] of cases) expect(await ask(path, method, body), `${method} ${path}`).toEqual([404, code]);
  expect((await ended(spindle.url, run)).state).toBe("succeeded");
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
      20_000,
      "it is away",
    );
    id = await talk();
    expect(id).toBeTruthy();
  } finally {
    process.kill(worker, "SIGCONT");
  }
  expect(await engines(id)).toEqual(expected);
});

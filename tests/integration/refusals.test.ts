// What is refused before a run, and what is not there: each with the place, the reason and the limit.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bmp, talkForm } from "../support/samples.ts";
import { ended, graphOf, node, type Spindle, startRun, startSpindle, submit } from "../support/spindle.ts";

let spindle: Spindle;
beforeAll(async () => {
  spindle = await startSpindle();
});
afterAll(() => spindle?.stop());

const start = (graph: unknown, inputs = {}): Promise<string> => startRun(spindle.url, graph, inputs);
const shows = (id: string, value: unknown = 1) => node(id, "output.preview", { value });

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
  test("[M4] an engine that is unknown, or of the runtime itself and not live", async () => {
    for (const [service, plane, engine, code] of [
      ["generate.f5_to_tts", "python", "nope", "node.unknown_engine"],
      ["llm.generate_script", "node", "ollama", "node.engine_not_live"],
    ] as const) {
      const graph = graphOf([node("v", service, { narration: "x", prompt: "x" }, plane)], [], { nodes: { v: { engine } } });
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
    const { rows } = await spindle.db.query("SELECT 1 FROM run WHERE graph_id = $1", [id]);
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

// Small requests that would be much work for the one thread that serves everybody: each is refused with its bound.
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { taskToken } from "@spindle/task-bus";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { NodeRunView } from "../../apps/runtime/src/services/node-run-view.ts";
import { ended, graphOf, node, type Spindle, submit, until, wait, wire } from "../support/spindle.ts";
import { WorkerHand } from "../support/worker-hand.ts";

let hand: WorkerHand;
let spindle: Spindle;
beforeAll(async () => {
  hand = await WorkerHand.start();
  spindle = hand.spindle;
}, 600_000);
afterAll(() => hand?.stop());

const deep = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
const post = async (path: string, body: unknown) => {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const answer = await fetch(spindle.url + path, { method: "POST", headers: { "content-type": "application/json" }, body: text });
  const read = await answer.text();
  return { status: answer.status, body: read ? JSON.parse(read) : undefined };
};

describe("a value nested too deep", () => {
  const pick = graphOf([node("p", "json.pick", { path: "a" })]);
  test.each([33, 5000, 100_000])("as an input of a run, of %i levels, is refused with the field", async (levels) => {
    const { status, body } = await submit(spindle.url, pick, { json: deep(levels) });
    expect([status, body.error]).toEqual([
      422,
      expect.objectContaining({ code: "run.input_invalid", field: "json", message: "json: The value is nested deeper than 32 levels." }),
    ]);
  });
  test("of as many levels as are allowed goes through", async () => {
    const { body } = await submit(spindle.url, pick, { json: `{"a":${deep(31)}}` });
    expect((await ended(spindle.url, body.run)).state).toBe("succeeded");
  });
  test("is refused in a fork's outputs, and in its parameters", async () => {
    const { body } = await submit(spindle.url, pick, { json: '{"a":1}' });
    await ended(spindle.url, body.run);
    for (const field of ["outputs", "params"]) {
      const refused = await post(`/api/runs/${body.run}/fork`, `{"${field}":{"p":{"value":${deep(100)}}}}`);
      expect([refused.status, refused.body.error]).toEqual([
        422,
        expect.objectContaining({ field, message: "p: The value is nested deeper than 32 levels." }),
      ]);
    }
  });
  test("is refused in a person's answer, as is one of too many values", async () => {
    const form = { type: "object", properties: { a: { type: "array", title: "List" } } };
    const { body } = await submit(spindle.url, graphOf([node("h", "human.ask_person", { form })]), { message: "?" });
    const asked = await until(
      async () => ((await (await fetch(`${spindle.url}/api/runs/${body.run}/questions`)).json()) as { path: string }[])[0],
      60_000,
      "the person is asked",
    );
    const answer = (values: string) =>
      post(`/api/runs/${body.run}/answers`, `{"path":"${asked.path}","button":"Continue","values":{"a":${values}}}`);
    const refused = [await answer(deep(40)), await answer(JSON.stringify(Array(10_000).fill(1)))];
    expect(refused.map(({ status, body: { error } }) => [status, error.field, error.message])).toEqual([
      [422, "a", "List: The value is nested deeper than 32 levels."],
      [422, "a", "List: The value has more than 10,000 values in it."],
    ]);
    expect((await answer("[1]")).status).toBeLessThan(300);
  });
});

test("a worker's output that is nested too deep fails its node, and the bus goes on", async () => {
  const { body } = await submit(spindle.url, graphOf([wait("w")]));
  const over = ended(spindle.url, body.run);
  for (let attempt = 0; attempt < 3; attempt++) await hand.done(await hand.claim(), JSON.parse(deep(3000)));
  expect(await over).toMatchObject({
    state: "failed",
    error: { code: "task.bad_result", message: expect.stringMatching(/nested deeper than 64 levels/) },
  });
});

test("forty edges into one node have one budget for their conditions", async () => {
  const when = "inputs.json.all(x, x >= 0.0)";
  const edges = Array.from({ length: 40 }, (_, n) => ({ from: "a", to: "b", metadata: { id: `w${n}`, when } }));
  const graph = graphOf([node("a", "json.pick", { path: "0" }), node("b", "control.delay", { milliseconds: 1 })], edges);
  const { body } = await submit(spindle.url, graph, { json: JSON.stringify(Array.from({ length: 20_000 }, (_, n) => n)) });
  expect(await ended(spindle.url, body.run)).toMatchObject({
    state: "failed",
    error: {
      code: "edge.condition_failed",
      message: expect.stringMatching(/too much work.*alone or with those judged before it for the same node/),
    },
  });
});

describe("an output of more than 8 MiB", () => {
  const text = (bytes: number) => ({ template: `${"y".repeat(bytes)}{{text}}` });
  test("is none that a map gathers: it fails, whoever gave it, and the elements after it do not run", async () => {
    const list = node("l", "constant.array", { value: Array.from({ length: 1000 }, (_, n) => `z${n}`) });
    const map = { from: "l", to: "t", metadata: { sourcePort: "value", targetPort: "text", map: {} } };
    const { body } = await submit(spindle.url, graphOf([list, node("t", "text.template", text(60_000))], [map]));
    const { state, error, counts } = await ended(spindle.url, body.run);
    expect([state, error]).toMatchObject(["failed", { code: "map.too_large", node: "t" }]);
    expect(counts.t?.total).toBe(1000);
    expect(counts.t?.done).toBeGreaterThanOrEqual(139);
    expect(counts.t?.done).toBeLessThan(1000);
  });
  test("fails a run whose ends give it together, and the nodes keep theirs", async () => {
    const list = (id: string) => node(id, "constant.array", { value: Array.from({ length: 100 }, (_, n) => `z${n}`) });
    const map = (n: number) => ({ from: `l${n}`, to: `t${n}`, metadata: { sourcePort: "value", targetPort: "text", map: {} } });
    const nodes = [1, 2].flatMap((n) => [list(`l${n}`), node(`t${n}`, "text.template", text(60_000))]);
    const { body } = await submit(spindle.url, graphOf(nodes, [map(1), map(2)]));
    const { state, error, nodes: rows, outputs } = await ended(spindle.url, body.run);
    expect([state, error, outputs]).toMatchObject(["failed", { code: "output.too_large" }, null]);
    expect(rows.map((row) => row.state)).toEqual(["succeeded", "succeeded", "succeeded", "succeeded"]);
  });
});

describe("values that are large", () => {
  const nodes = [
    node("list", "json.pick", { path: "list" }),
    node("big", "json.pick", { path: "big" }),
    node("each", "text.template", { template: "x" }),
  ];
  const map = { from: "list", to: "each", metadata: { sourcePort: "value", targetPort: "text", map: { limit: 20 } } };
  const graph = graphOf(nodes, [map, wire("big", "value", "each", "values")]);
  const run = async (elements: number, bytes: number) => {
    const json = JSON.stringify({ list: Array.from({ length: elements }, (_, n) => `e${n}`), big: { s: "x".repeat(bytes) } });
    const { body } = await submit(spindle.url, graph, { json });
    return ended(spindle.url, body.run);
  };
  test("and that each element of a map would hold again fail it before there are any", async () => {
    const { error, counts } = await run(300, 300_000);
    expect(error).toMatchObject({
      code: "map.too_large",
      message: expect.stringMatching(/Each of the 300 elements.*86 MiB; the limit is 64\. Pass the large value as a file/),
    });
    expect(counts).toEqual({});
  });
  test("are left out of an answer that has grown large, which says so, and are told for one path", async () => {
    const { id, state } = await run(40, 700_000);
    expect(state).toBe("succeeded");
    const ask = async (query: string) => (await (await fetch(`${spindle.url}/api/runs/${id}/nodes?${query}`)).json()) as NodeRunView[];
    const all = await ask("node=each");
    const [whole, left] = [all.filter((nodeRun) => nodeRun.input), all.filter((nodeRun) => nodeRun.valuesLeftOut)];
    expect([all.length, whole.length + left.length]).toEqual([41, 41]);
    expect(left.length).toBeGreaterThan(10);
    expect(JSON.stringify(all).length).toBeLessThan(17 * 1024 * 1024);
    const [entry] = await ask(`path=${encodeURIComponent(left[0]?.path as string)}`);
    expect(entry?.input).toMatchObject({ values: { s: expect.stringMatching(/^x+$/) } });
  });
});

test("edges whose ids are no texts, or are like another's place in the list, are all taken", async () => {
  const ids = [["x"], { x: 1 }, "e0", undefined];
  const edges = ids.map((id) => ({ from: "a", to: "b", metadata: { id } }));
  const graph = graphOf([node("a", "control.delay"), node("b", "control.delay")], edges);
  const posted = await post("/api/graphs", graph);
  expect(posted.status, JSON.stringify(posted.body)).toBeLessThan(300);
  const imported = await post("/trpc/graphs.import", { text: JSON.stringify(graph) });
  expect(imported.status, JSON.stringify(imported.body)).toBe(200);
  const list = (await (await fetch(`${spindle.url}/trpc/graphs.list`)).json()) as { result: { data: { id: string }[] } };
  expect(list.result.data).toHaveLength(2);
  for (const { id } of list.result.data) {
    const read = await fetch(`${spindle.url}/api/graphs/${id}/export?to=json`);
    const text = await read.text();
    expect(read.status, text).toBe(200);
    expect((JSON.parse(text) as { edges: unknown[] }).edges).toHaveLength(4);
  }
});

test("a manifest is neither read nor inflated for somebody without the key", async () => {
  const text = "[]";
  const hash = createHash("sha256").update(text).digest("hex");
  const authorization = `Bearer ${taskToken(`manifest:${hash}`, String(spindle.env.SPINDLE_WORKER_KEY))}`;
  const put = async (body: string | Uint8Array, headers: Record<string, string>) => {
    const init = { method: "PUT", headers: { "content-type": "application/json", ...headers }, body: body as BodyInit };
    return (await fetch(`${spindle.url}/workers/comfy/manifest`, init)).status;
  };
  const named = { authorization, "x-spindle-worker": "bridge", "x-spindle-sha256": hash };
  // 65 MiB once inflated: over the limit, had it been inflated before the key was asked for.
  const large = gzipSync(Buffer.alloc(65 * 1024 * 1024, 32));
  expect(await put(large, { "content-encoding": "gzip" })).toBe(401);
  expect(await put(text, { authorization })).toBe(401);
  expect(await put(gzipSync(text), { ...named, "content-encoding": "gzip" })).toBe(415);
  expect(await put("[1]", named)).toBe(422);
  expect(await put(text, named)).toBe(204);
});

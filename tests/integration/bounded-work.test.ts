// Small requests that would be much work for the one thread that serves everybody: each is refused with its bound.
import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { taskToken } from "@spindle/task-bus";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ended, graphOf, node, type Spindle, startSpindle, submit, until } from "../support/spindle.ts";

let spindle: Spindle;
beforeAll(async () => {
  spindle = await startSpindle({ worker: false });
}, 600_000);
afterAll(() => spindle?.stop());

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
      10_000,
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

test("a manifest is neither read nor inflated for somebody without the key", async () => {
  const text = "[]";
  const hash = createHash("sha256").update(text).digest("hex");
  const authorization = `Bearer ${taskToken(`manifest:${hash}`, String(spindle.env.SPINDLE_WORKER_KEY))}`;
  const put = async (body: string | Uint8Array, headers: Record<string, string>) => {
    const init = { method: "PUT", headers: { "content-type": "application/json", ...headers }, body: body as BodyInit };
    return (await fetch(`${spindle.url}/workers/comfy/manifest`, init)).status;
  };
  const named = { authorization, "x-spindle-sha256": hash };
  // 65 MiB once inflated: over the limit, had it been inflated before the key was asked for.
  const large = gzipSync(Buffer.alloc(65 * 1024 * 1024, 32));
  expect(await put(large, { "content-encoding": "gzip" })).toBe(401);
  expect(await put(text, { authorization })).toBe(401);
  expect(await put(gzipSync(text), { ...named, "content-encoding": "gzip" })).toBe(415);
  expect(await put("[1]", named)).toBe(422);
  expect(await put(text, named)).toBe(204);
});

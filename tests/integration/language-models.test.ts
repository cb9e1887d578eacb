// The script's two model engines against servers that speak the documented protocols: Ollama's /api/chat (lines of JSON)
// and OpenAI's /v1/chat/completions (server-sent events).
import { createServer, type IncomingMessage, type Server } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ended, graphOf, node, type Spindle, startSpindle, submit, until } from "../support/spindle.ts";

const WORDS = ["Good ", "evening. ", "I am ", "Ada.\n", "---\n", "A calm ", "studio."];
const EXPECTED = { narration: "Good evening. I am Ada.", stagePrompt: "A calm studio." };

let spindle: Spindle;
let server: Server;
const asked: { path: string; key: string | undefined; body: Record<string, unknown> }[] = [];
let failures = 0;
let refusesKeys = false;
/** What the rest of an answer waits for. */
let held: Promise<void> | undefined;

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const text = Buffer.concat(await request.toArray()).toString();
  return text ? JSON.parse(text) : {};
}

beforeAll(async () => {
  server = createServer(async (request, response) => {
    const body = await bodyOf(request);
    const path = request.url ?? "";
    if (path === "/api/tags") return response.end(JSON.stringify({ models: [{ name: "llama3.1:8b" }] }));
    asked.push({ path, key: request.headers.authorization, body });
    if (refusesKeys) {
      response.writeHead(401, { "content-type": "application/json" });
      return response.end(JSON.stringify({ error: { message: `No such key: ${request.headers.authorization}` } }));
    }
    if (failures-- > 0) return response.writeHead(503).end("overloaded");
    const pause = () => new Promise((resolve) => setTimeout(resolve, 30));
    if (path === "/api/chat") {
      response.setHeader("content-type", "application/x-ndjson");
      for (const [index, content] of WORDS.entries()) {
        if (index === 4) await held;
        response.write(
          `${JSON.stringify({ model: body.model, created_at: "2026-01-01T00:00:00Z", message: { role: "assistant", content }, done: false })}\n`,
        );
        await pause();
      }
      return response.end(
        `${JSON.stringify({ model: body.model, created_at: "2026-01-01T00:00:00Z", message: { role: "assistant", content: "" }, done: true, done_reason: "stop", prompt_eval_count: 10, eval_count: 7 })}\n`,
      );
    }
    response.setHeader("content-type", "text/event-stream");
    const chunk = (delta: object, finish: string | null = null) =>
      `data: ${JSON.stringify({ id: "c", object: "chat.completion.chunk", created: 1, model: body.model, choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
    for (const content of WORDS) {
      response.write(chunk({ role: "assistant", content }));
      await pause();
    }
    response.end(`${chunk({}, "stop")}data: [DONE]\n\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  spindle = await startSpindle({
    worker: false,
    env: { OLLAMA_URL: url, OPENAI_BASE_URL: `${url}/v1`, OPENAI_API_KEY: "a-key-of-the-environment" },
  });
});
afterAll(async () => {
  await spindle?.stop();
  server?.close();
});

const script = (engine?: string) =>
  graphOf(
    [node("s", "llm.generate_script", { prompt: "Introduce yourself", tone: "formal", length: 8 })],
    [],
    engine ? { nodes: { s: { engine } } } : undefined,
  );

describe.each([
  ["Ollama, which automatic prefers while it is live", undefined, "ollama", "/api/chat"],
  ["an OpenAI-compatible server, by name", "openai", "openai", "/v1/chat/completions"],
] as const)("%s", (_, engine, used, path) => {
  test("[M4] writes the script, is no draft, and is asked with the wishes", async () => {
    const { body } = await submit(spindle.url, script(engine));
    const run = await ended(spindle.url, body.run);
    expect(run.state, JSON.stringify(run.error)).toBe("succeeded");
    expect(run.nodes[0]).toMatchObject({ engine: used, draft: false, output: EXPECTED });
    const last = asked.at(-1);
    expect(last?.path).toBe(path);
    expect(JSON.stringify(last?.body)).toMatch(/Tone: formal.*About 8 seconds.*Introduce yourself/);
    if (used === "openai") expect(last?.key).toBe("Bearer a-key-of-the-environment");
  });
});

test("[E16] text shows up while it streams", async () => {
  let release = () => {};
  held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { body } = await submit(spindle.url, script());
  const text = await until(
    async () => (await (await fetch(`${spindle.url}/api/runs/${body.run}`)).json()).live[0]?.text as string | undefined,
    60_000,
    "text streams",
  );
  release();
  expect(EXPECTED.narration.startsWith(text.trim().slice(0, 4))).toBe(true);
  await ended(spindle.url, body.run);
});

const showsNoKey = async (run: string) => {
  for (const path of [`/api/runs/${run}`, `/api/runs/${run}/graph`, "/api/capabilities", "/health", "/metrics"])
    expect(await (await fetch(spindle.url + path)).text()).not.toContain("a-key-of-the-environment");
};

test("[S5] a key is in no row, no answer and no manifest", async () => {
  const { body } = await submit(spindle.url, script("openai"));
  await ended(spindle.url, body.run);
  await showsNoKey(body.run);
});

test("[S5] a server that refuses the key, and repeats it, is asked once; the run names the setting and not the key", async () => {
  refusesKeys = true;
  const before = asked.length;
  try {
    const { body } = await submit(spindle.url, script("openai"));
    const run = await ended(spindle.url, body.run);
    expect(run.nodes[0]).toMatchObject({ state: "failed", error: { class: "user", message: expect.stringMatching(/OPENAI_API_KEY/) } });
    expect(run.nodes[0]?.error?.message).toMatch(/No such key/);
    expect(asked.length).toBe(before + 1);
    await showsNoKey(body.run);
  } finally {
    refusesKeys = false;
  }
});

test("[E10] a server that is overloaded for a moment is asked again", async () => {
  failures = 1;
  const { body } = await submit(spindle.url, script());
  const run = await ended(spindle.url, body.run);
  expect(run.state, JSON.stringify(run.error)).toBe("succeeded");
});

// The life of a prompt against every recorded conversation and every fault of the fake.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { RegionInput } from "@spindle/schemas";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeComfy } from "../../test/fake/fake-comfy.ts";
import type { Faults } from "../../test/fake/faults.ts";
import { readConversation, replayConversation } from "../../test/fake/program.ts";
import { ComfyHttp } from "../comfy/http.ts";
import { Interrupted, runPrompt } from "./prompt-run.ts";
import { type News, Report } from "./report.ts";

let fake: FakeComfy;
beforeEach(async () => {
  fake = await FakeComfy.start();
});
afterEach(() => fake.stop());

const ENDS_WELL = [
  "01_simple_ok",
  "02_cached_rerun",
  "03_preview_legacy_type1_jpeg",
  "04_preview_legacy_type1_png",
  "05_preview_metadata_type4_jpeg",
  "08_progress_text_type3",
  "14_save_image_websocket",
  "15_save_webp_video",
  "16_audio",
  "17_partial_execution_targets",
  "19_ksampler_tiny_sd3_previews",
];
const FAULTS: [string, Faults][] = [
  ["none", {}],
  ["slow", { slow: 2 }],
  ["a socket that is cut at once", { dropAfter: 1 }],
  ["a socket that is cut in the middle", { dropAfter: 6 }],
  ["a late history", { historyLag: 250 }],
  ["an old server", { old: true }],
];

let count = 0;
interface Around {
  signal?: AbortSignal;
  /** How long the server may take for an answer. */
  patienceMs?: number;
  onSilence?: (isSilent: boolean) => void;
  onLimited?: (isLimited: boolean) => void;
  onNews?: (news: News) => void;
  onPlace?: (before: number, still?: number) => void;
  stillMs?: number;
}

async function play(
  name: string,
  faults: Faults = {},
  {
    signal = new AbortController().signal,
    patienceMs,
    onSilence = () => {},
    onLimited = () => {},
    onNews = () => {},
    onPlace = () => {},
    stillMs,
  }: Around = {},
  conversation = readConversation(name),
  program = replayConversation(conversation),
) {
  fake.program = program;
  fake.played = true;
  fake.faults = faults;
  const { prompt } = conversation;
  const news: News[] = [];
  const executed: object[] = [];
  const report = new Report({ prompt, store: async () => undefined, send: async (one) => onNews(news[news.push(one) - 1] as News) });
  const id = `00000000-0000-8000-a000-${String(++count).padStart(12, "0")}`;
  const history = await runPrompt({
    comfy: new ComfyHttp(fake.url, patienceMs),
    ids: [id][Symbol.iterator](),
    region: { prompt, sinks: Object.keys(prompt) as RegionInput["sinks"], gives: [] },
    prompt,
    report,
    onExecuted: (shown) => executed.push(shown),
    onPlace,
    ...(stillMs === undefined ? {} : { stillMs }),
    onSilence,
    onLimited,
    signal,
    leaves: () => false,
  });
  return { history, executed, news, id };
}

function whenItRuns(act: () => unknown): void {
  const timer = setInterval(() => {
    if (fake.queue.running === 0) return;
    clearInterval(timer);
    act();
  }, 5);
}

describe.each(FAULTS)("with %s", (_, faults) => {
  test.each(ENDS_WELL)("%s ends well", async (name) => {
    const { history } = await play(name, faults);
    const recorded = readConversation(name).entries.filter((entry) => entry.json?.type === "executed");
    expect(Object.keys(history.outputs).sort()).toEqual([...new Set(recorded.map((one) => String(one.json?.data.node)))].sort());
  });
  test("an exception names its node, what was done before, and no value", async () => {
    const failed = play("07_execution_error", faults);
    await expect(failed).rejects.toMatchObject({
      error: { class: "user", code: "node.exception", details: { node: "2", executed: ["1"] } },
    });
    await expect(failed).rejects.toSatisfy((error: { error: object }) => !JSON.stringify(error.error).includes("tensor"));
  });
});

test("recorded refusals name the node and the reason", async () => {
  for (const [name, node] of [
    ["10_all_outputs_invalid_400", "2"],
    ["11_missing_node_type_400", "1"],
    ["12_no_outputs_400", undefined],
    ["13_type_mismatch_400", "2"],
  ]) {
    const { answer } = readConversation(name as string);
    const refused = play(name as string, { refuse: answer });
    await expect(refused, name).rejects.toMatchObject({ error: { code: "comfy.rejected", class: "user" } });
    await expect(refused, name).rejects.toSatisfy(
      (error: { error: { details?: { node?: string } } }) => error.error.details?.node === node,
    );
  }
});

test("an answer of 200 with node errors is a refusal, and what would run is taken back", async () => {
  const { answer } = readConversation("09_partly_invalid_one_output_ok");
  await expect(play("01_simple_ok", { slow: 20, nodeErrors: answer.body.node_errors as Record<string, unknown> })).rejects.toMatchObject({
    error: { details: { node: "2", nodes: { "2": expect.stringContaining("bigger than max") } } },
  });
  expect(fake.calls).toContain("POST /interrupt");
});

test("a server that gives prompts ids of its own is too old, which is said, and nothing is left with it", async () => {
  await expect(play("01_simple_ok", { ownIds: true, slow: 20 })).rejects.toMatchObject({
    error: { class: "user", message: expect.stringContaining("is older than 0.3.45 (July 2025)") },
  });
  expect(fake.calls).toContain("POST /interrupt");
});

test("a prompt that somebody interrupted in ComfyUI is tried again, and says so", async () => {
  whenItRuns(async () => {
    const { queue_running: running } = (await (await fetch(`${fake.url}/queue`)).json()) as { queue_running: [number, string][] };
    await fetch(`${fake.url}/interrupt`, { method: "POST", body: JSON.stringify({ prompt_id: running[0]?.[1] }) });
  });
  await expect(play("01_simple_ok", { slow: 20 })).rejects.toMatchObject({
    error: { class: "transient", message: "Somebody interrupted the prompt in ComfyUI." },
  });
});

test("a failure names what was done before it, what the cache had too", async () => {
  const conversation = readConversation("07_execution_error");
  const text = JSON.stringify(conversation.entries).replaceAll(/("execution_cached",\s*"data":\s*\{"nodes":\s*)\[\]/g, '$1["kept"]');
  expect(text).toContain('"kept"');
  const failed = play("07_execution_error", {}, {}, { ...conversation, entries: JSON.parse(text) });
  await expect(failed).rejects.toMatchObject({ error: { details: { executed: expect.arrayContaining(["kept"]) } } });
});

test("success that only the status claims is none", async () => {
  await expect(play("01_simple_ok", { liesAboutSuccess: true })).rejects.toMatchObject({
    error: { message: expect.stringContaining("cycle") },
  });
});

test("a blocker's words fail the node that it stops, and are said to be lost where nobody heard them", async () => {
  const { history } = await play("odd_loud", { dropAfter: 1 });
  expect(history).toMatchObject({ heard: false, outputs: {} });
  await expect(play("odd_loud")).rejects.toMatchObject({
    error: { message: expect.stringContaining("not today"), details: { node: "turn" } },
  });
  expect((await play("odd_silent")).history).toMatchObject({ heard: true, outputs: { there: {} } });
});

test("a prompt that is known already is not submitted again", async () => {
  const { id } = await play("01_simple_ok");
  const before = fake.prompts.length;
  count--;
  expect((await play("01_simple_ok")).id).toBe(id);
  expect(fake.prompts.length).toBe(before);
});

test("a prompt that was interrupted ends so, once it has left the server", async () => {
  const abort = new AbortController();
  whenItRuns(() => abort.abort());
  await expect(play("06_interrupt", { slow: 30 }, abort)).rejects.toBeInstanceOf(Interrupted);
  expect(fake.queue).toEqual({ running: 0, pending: 0 });
});

describe("a server that falls silent", () => {
  test("in the middle of a prompt is said to be, and to be back; the prompt ends as it would have", async () => {
    const said: boolean[] = [];
    const onSilence = (isSilent: boolean) => {
      said.push(isSilent);
      if (isSilent) fake.faults = {};
    };
    whenItRuns(() => {
      fake.faults = { silent: true };
      fake.cut(); // so that it is asked at once
    });
    const { history } = await play("05_preview_metadata_type4_jpeg", { slow: 20 }, { patienceMs: 300, onSilence });
    expect(said).toEqual([true, false]);
    expect(Object.keys(history.outputs)).toHaveLength(1);
    expect(fake.prompts).toHaveLength(1);
  });
  test("as the prompt is sent gets it once, whether it took it or not", async () => {
    for (const takes of [true, false]) {
      const before = fake.prompts.length;
      fake.onSubmit = () => {
        fake.onSubmit = undefined;
        fake.faults = { silent: true, ...(takes ? {} : { losesPrompts: true }) };
      };
      const onSilence = (isSilent: boolean) => {
        if (isSilent) fake.faults = {};
      };
      const { history } = await play("01_simple_ok", {}, { patienceMs: 300, onSilence });
      expect(history.messages.at(-1)?.type).toBe("success");
      expect(fake.prompts.length - before).toBe(1);
    }
  });
  test("keeps nobody who stops the task: the prompt is left, and known to hang", async () => {
    const abort = new AbortController();
    whenItRuns(() => {
      fake.faults = { silent: true };
      fake.cut();
    });
    const onSilence = (isSilent: boolean) => isSilent && abort.abort();
    const left = play("05_preview_metadata_type4_jpeg", { slow: 20 }, { patienceMs: 60_000, signal: abort.signal, onSilence });
    await expect(left).rejects.toMatchObject({ left: expect.stringMatching(/^0{8}-/), hangs: true });
  });
  test("before the prompt is sent keeps nobody either", async () => {
    const abort = new AbortController();
    const onSilence = (isSilent: boolean) => isSilent && abort.abort();
    const left = play("01_simple_ok", { silent: true }, { patienceMs: 300, signal: abort.signal, onSilence });
    await expect(left).rejects.toBeInstanceOf(Interrupted);
    expect(fake.prompts).toEqual([]);
  });
});

test("a server that was started again has lost the prompt, which may be tried again", async () => {
  whenItRuns(() => fake.restart());
  await expect(play("05_preview_metadata_type4_jpeg", { slow: 30 })).rejects.toMatchObject({
    error: { class: "transient", code: "comfy.lost" },
  });
});

test("previews and steps are told of their own nodes", async () => {
  const { news } = await play("19_ksampler_tiny_sd3_previews", { slow: 60 });
  const sampler = Object.entries(readConversation("19_ksampler_tiny_sd3_previews").prompt).find(
    ([, one]) => one.class_type === "KSampler",
  )?.[0];
  expect(news.filter((one) => one.steps === 4).every((one) => one.node === sampler)).toBe(true);
  expect(news.some((one) => one.node === undefined && (one.progress ?? 0) > 0)).toBe(true);
});

test("a socket that is cut is opened again, and what comes by it is heard", async () => {
  let cutAfter = 0;
  const heard: News[] = [];
  whenItRuns(() => {
    cutAfter = heard.length;
    fake.cut();
  });
  const { news } = await play("19_ksampler_tiny_sd3_previews", { slow: 60 }, { onNews: (each) => heard.push(each) });
  expect(news.slice(cutAfter).some(({ step, steps }) => steps === 4 && step === 4)).toBe(true);
  expect(fake.prompts).toHaveLength(1);
});

test("somebody with the same client id takes the messages away; the history still tells the end", async () => {
  whenItRuns(() => fake.evict());
  const { history } = await play("05_preview_metadata_type4_jpeg", { slow: 20 });
  expect(Object.keys(history.outputs)).toHaveLength(1);
}, 20_000);

test("what is said of another prompt, to everybody, is not heard [18_no_client_id]", async () => {
  const recorded = readConversation("18_no_client_id").entries.flatMap(({ json }) => (json ? [json] : []));
  // Under names that are not this prompt's: its own nodes are called 1 to 4 too.
  const other = JSON.parse(JSON.stringify(recorded).replaceAll(/"(\d+)"/g, '"stranger-$1"')) as typeof recorded;
  expect(other.some((one) => one.type === "progress_state")).toBe(true);
  whenItRuns(() => fake.shout(other));
  const { news } = await play("01_simple_ok", { slow: 10 });
  const known = new Set(Object.keys(readConversation("01_simple_ok").prompt));
  expect(news.every((one) => one.node === undefined || known.has(one.node))).toBe(true);
});

test("a file may take longer than an answer, while bytes of it come", async () => {
  const piece = Buffer.alloc(10);
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "video/mp4" });
    let sent = 0;
    const timer = setInterval(() => {
      response.write(piece);
      if (++sent === 12 || sent === stopsAt) clearInterval(timer);
      if (sent === 12) response.end();
    }, 50);
  });
  let stopsAt = 0;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const comfy = new ComfyHttp(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 300);
    const file = { filename: "long.mp4", subfolder: "", type: "output" };
    const lengthOf = async () => {
      let length = 0;
      for await (const piece of (await comfy.view(file)).pieces) length += piece.length;
      return length;
    };
    expect(await lengthOf()).toBe(120);
    stopsAt = 3;
    await expect(lengthOf()).rejects.toThrow("ComfyUI sends no more of the file long.mp4.");
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test("a prompt that runs and reports nothing is said to, since when, until it reports something", async () => {
  const conversation = readConversation("01_simple_ok");
  const replay = replayConversation(conversation);
  let goOn = () => {};
  const still = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const said: (number | undefined)[] = [undefined];
  const onPlace = (before: number, still?: number) => {
    if (before === 0 && said.at(-1) !== still) said.push(still);
    if (still !== undefined) goOn();
  };
  await play("01_simple_ok", {}, { onPlace, stillMs: 1000 }, conversation, async function* (job) {
    let step = 0;
    for await (const each of replay(job)) {
      if (++step === 3) await still;
      yield each;
    }
  });
  expect(said).toEqual([undefined, expect.any(Number), undefined]);
  expect(said[1]).toBeLessThan(Date.now());
});

test("each recorded HTTP answer is understood [20_http_api]", async () => {
  const { entries } = readConversation("20_http_api");
  const recorded = (http: string, label?: string) =>
    entries.find((entry) => entry.http === http && (label === undefined || entry.label === label));
  const answers = new Map<string, (typeof entries)[number] | undefined>([
    ["GET /history/unknown-id", recorded("GET /history/unknown-id")],
    ["GET /queue", recorded("GET /queue", "after delete")],
    ["POST /prompt", recorded("POST /prompt", "no prompt key")],
    ["GET /view", recorded("GET /view?filename=nope.png&type=input")],
    ["POST /upload/image", recorded("POST /upload/image", "other bytes -> 'in (1).png'")],
    ["POST /api/jobs/x/cancel", recorded("GET /api/jobs")],
    ["POST /queue", recorded("POST /queue", "delete pending")],
    ["POST /interrupt", recorded("POST /interrupt", "not running id: no-op 200")],
  ]);
  for (const [call, answer] of answers) expect(answer, call).toBeDefined();
  fake.answers = answers;
  const comfy = new ComfyHttp(fake.url);
  expect(await comfy.history("unknown-id")).toBeUndefined();
  const { queue_running: jobs = [] } = (recorded("GET /queue", "after delete")?.response ?? {}) as { queue_running?: [number, string][] };
  expect([await comfy.placeOf(jobs[0]?.[1] ?? ""), await comfy.placeOf("nobody")]).toEqual([0, undefined]);
  expect(await comfy.submit({})).toMatchObject({ status: 400, body: { error: { type: "no_prompt" } } });
  await expect(comfy.view({ filename: "nope.png", subfolder: "", type: "input" })).rejects.toMatchObject({ status: 404 });
  async function* pieces() {
    yield new Uint8Array(1);
  }
  expect(await comfy.upload(pieces(), 1, "in.png", "proj/a")).toBe("proj/a/in (1).png");
  await expect(comfy.cancel("x")).resolves.toBeUndefined();
});

// The templates that need no ComfyUI, on the engines that every machine has, with their own samples.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunView } from "../../apps/runtime/src/services/run-service.ts";
import { ROOT } from "../../infra/launch/paths.ts";
import { ended, type Spindle, startSpindle, until } from "../support/spindle.ts";

let spindle: Spindle;
beforeAll(async () => {
  spindle = await startSpindle();
});
afterAll(() => spindle?.stop());

const TYPES: Record<string, string> = { jpg: "image/jpeg", wav: "audio/wav" };

/** With the samples that the template ships, as the form sends them. */
async function start(name: string, change: Record<string, string> = {}): Promise<string> {
  const { samples } = JSON.parse(await readFile(join(ROOT, "templates", `${name}.json`), "utf8"));
  const form = new FormData();
  for (const [input, sample] of Object.entries<{ text?: string; file?: string }>(samples)) {
    if (sample.text !== undefined) form.set(input, sample.text);
    if (sample.file !== undefined) {
      const bytes = new Uint8Array(await readFile(join(ROOT, "templates/samples", sample.file)));
      form.set(input, new Blob([bytes], { type: TYPES[sample.file.split(".").at(-1) ?? ""] ?? "" }), sample.file);
    }
  }
  for (const [input, text] of Object.entries(change)) form.set(input, text);
  const answer = await fetch(`${spindle.url}/api/templates/${name}/runs`, { method: "POST", body: form });
  const body = (await answer.json()) as { run: string };
  expect(answer.status, JSON.stringify(body)).toBe(202);
  return body.run;
}
const states = (run: RunView) => Object.fromEntries(run.nodes.map(({ node, state }) => [node, state]));

interface Question {
  path: string;
  value: unknown;
}
const asked = (run: string): Promise<Question> =>
  until(async () => ((await (await fetch(`${spindle.url}/api/runs/${run}/questions`)).json()) as Question[])[0], 90_000, "it asks");
async function answer(run: string, body: { path: string; button: string; values?: object }): Promise<void> {
  const headers = { "content-type": "application/json" };
  const answered = await fetch(`${spindle.url}/api/runs/${run}/answers`, { method: "POST", headers, body: JSON.stringify(body) });
  expect(answered.ok, await answered.text()).toBe(true);
}

test("voice-over writes a script and says it", async () => {
  const run = await ended(spindle.url, await start("voice-over"));
  expect(run.state, JSON.stringify(run.error)).toBe("succeeded");
  expect(run.outputs).toMatchObject({ voice: { mime: "audio/wav" }, script: expect.stringContaining("galaxies") });
});

test("two voices say one text, each in its time", async () => {
  const run = await ended(spindle.url, await start("two-voices"));
  const { calm, lively } = run.outputs as unknown as Record<string, { duration: number }>;
  expect(calm?.duration).toBeGreaterThan(lively?.duration ?? Number.POSITIVE_INFINITY);
});

test("a short announcement is said as it is, a long one is written shorter first", async () => {
  const long = await ended(spindle.url, await start("announcement"));
  expect(states(long)).toMatchObject({
    say: "skipped",
    shorten: "succeeded",
    say_short: "succeeded",
    plain: "skipped",
    say_plain: "skipped",
  });
  const short = await ended(spindle.url, await start("announcement", { prompt: "Doors open at nine." }));
  expect(states(short)).toMatchObject({ say: "succeeded", shorten: "skipped", say_short: "skipped", plain: "skipped" });
  expect([long.state, short.state]).toEqual(["succeeded", "succeeded"]);
});

test("a script that a person does not like is written once more, from what they say, and then said", async () => {
  const id = await start("review");
  const first = await asked(id);
  expect(first.value).toMatch(/galaxies/);
  await answer(id, { path: first.path, button: "Try again", values: { wish: "The planetarium opens at nine." } });
  const second = await until(
    async () => {
      const next = await asked(id);
      return next.path !== first.path && next;
    },
    90_000,
    "it asks again",
  );
  expect(second.value).toBe("The planetarium opens at nine.");
  await answer(id, { path: second.path, button: "Say it" });
  const run = await ended(spindle.url, id);
  expect([run.state, run.outputs]).toMatchObject(["succeeded", { voice: { mime: "audio/wav" }, script: second.value }]);
});

test("of several takes a person picks one, and only that one is upscaled", async () => {
  const id = await start("takes", { lines: JSON.stringify(["Good evening.", "Welcome back."]) });
  const { path, value } = await asked(id);
  const takes = value as { artifact: string; width: number; mime: string }[];
  expect(takes.map(({ mime }) => mime)).toEqual(["video/mp4", "video/mp4"]);
  await answer(id, { path, button: "Upscale it", values: { take: takes[1] } });
  const run = await ended(spindle.url, id);
  expect([run.state, (run.outputs as unknown as { video: { width: number } }).video.width]).toEqual([
    "succeeded",
    2 * (takes[1]?.width ?? 0),
  ]);
  const { rows } = await spindle.db.query("SELECT input FROM node_run WHERE run_id = $1 AND node_id = 'upscale'", [id]);
  expect(rows.map(({ input }) => input.videoArtifact.artifact)).toEqual([takes[1]?.artifact]);
});

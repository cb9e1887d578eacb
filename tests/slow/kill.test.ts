// kill -9 of each part while the Python node draws: the run still ends, with exactly the video of an undisturbed run.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { childrenOf } from "../support/processes.ts";
import { talkForm } from "../support/samples.ts";
import { ended, getRun, type Spindle, startSpindle, until } from "../support/spindle.ts";

const LONG =
  "We begin tonight with a story about light. It left a galaxy long before the Earth was made, and it crossed the dark for billions of years. Now it falls into a telescope, and a small camera counts it, one photon at a time, until a picture appears.";

let spindle: Spindle;
let expected: { sha256: string };
beforeAll(async () => {
  spindle = await startSpindle();
  expected = video(await ended(spindle.url, await start()));
});
afterAll(() => spindle?.stop());

async function start(): Promise<string> {
  const answer = await fetch(`${spindle.url}/api/infinitetalk?force=1`, {
    method: "POST",
    body: talkForm({ data: { prompt: LONG, refText: "x" } }),
  });
  return (await answer.json()).jobId;
}
const video = (run: Awaited<ReturnType<typeof ended>>) => {
  expect(run.state, JSON.stringify(run.error)).toBe("succeeded");
  return run.outputs?.video as { sha256: string };
};

describe("[E9, W4, W7] kill -9 of", () => {
  test.each<[string, () => number[]]>([
    ["the Python child", () => childrenOf(spindle.processes.worker?.pid)],
    ["the supervisor", () => [spindle.processes.worker?.pid as number]],
    ["the runtime", () => [spindle.processes.runtime?.pid as number]],
    ["Redis", () => [spindle.processes.redis?.pid as number]],
    ["PostgreSQL", () => [spindle.processes.postgres?.pid as number]],
  ])("%s", async (name, victims) => {
    await until(async () => (await (await fetch(`${spindle.url}/health`)).json()).status === "up", 60_000, "everything is up");
    const id = await start();
    const before = await until(
      async () => (await getRun(spindle.url, id)).nodes.find((nodeRun) => nodeRun.node === "infinite_talk" && nodeRun.state === "running"),
      60_000,
      "the talking head runs",
    );
    for (const pid of victims()) process.kill(pid, "SIGKILL");
    const run = await ended(spindle.url, id, 90_000);
    expect(video(run).sha256).toBe(expected.sha256);
    const attempts = run.nodes.find((nodeRun) => nodeRun.node === "infinite_talk")?.attempt ?? 0;
    console.log(`${name}: ended after try ${attempts} of the node`);
    if (name === "the Python child" || name === "the supervisor") expect(attempts).toBeGreaterThan(before.attempt);
    const { rows } = await spindle.db.query("SELECT seq FROM run_event WHERE run_id = $1 ORDER BY seq", [id]);
    expect(rows.map((row) => row.seq)).toEqual(rows.map((_, index) => index + 1));
  });
});

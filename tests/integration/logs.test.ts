// The logs of the processes as JSON, and `spindle logs`: what happened to a run, found by its id, without a secret.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ROOT } from "../../infra/launch/paths.ts";
import { ended, graphOf, type Spindle, startRun, startSpindle, until, wait } from "../support/spindle.ts";

const CANARY = "sk-canary-that-nobody-may-read";
let spindle: Spindle;
beforeAll(async () => {
  spindle = await startSpindle({ env: { SPINDLE_LOG: "json", OPENAI_API_KEY: CANARY } });
});
afterAll(() => spindle?.stop());

type Line = Record<"time" | "level" | "part" | "where" | "message" | "run" | "nodeRun" | "node" | "code", string>;
/** The lines of a process that are objects; a library may write others. */
const linesOf = (part: "runtime" | "worker"): Line[] =>
  (spindle.processes[part]?.lastLines ?? []).filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));

function command(...args: string[]): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(ROOT, "apps/runtime/bin/spindle.mjs"), ...args], {
      env: { ...process.env, SPINDLE_URL: spindle.url },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk) => (out += chunk));
    child.stderr.on("data", (chunk) => (err += chunk));
    child.on("close", (code) => resolve({ code, out, err }));
  });
}

test("a run is found by its id in the log of the runtime and of the worker, with its node runs and its end", async () => {
  const run = await startRun(spindle.url, graphOf([wait("a", { seconds: 0.3 })]));
  const [nodeRun] = (await ended(spindle.url, run)).nodes;
  expect(nodeRun?.state).toBe("succeeded");
  const of = (part: "runtime" | "worker") => linesOf(part).filter((line) => line.run === run);
  await until(async () => of("runtime").some(({ message }) => message === "run.succeeded"), 10_000, "the end is in the log");
  expect(of("runtime").map(({ message, node: name }) => [message, name])).toEqual(
    expect.arrayContaining([
      ["run.queued", undefined],
      ["node.succeeded", "a"],
      ["run.succeeded", undefined],
    ]),
  );
  await until(async () => of("worker").length > 0, 10_000, "the worker has said it");
  expect(of("worker")[0]).toMatchObject({ level: "info", part: "worker", message: "task succeeded of dummy.dummy_task" });
  expect(of("worker")[0]?.nodeRun).toBe(of("runtime").find(({ node: name }) => name === "a")?.nodeRun);
});

test("[S5] no line of a process has a secret of its environment", () => {
  const secrets = [CANARY, spindle.env.SPINDLE_WORKER_KEY as string, new URL(spindle.env.REDIS_URL as string).password];
  const all = [...(spindle.processes.runtime?.lastLines ?? []), ...(spindle.processes.worker?.lastLines ?? [])].join("\n");
  expect(all.length).toBeGreaterThan(100);
  for (const secret of secrets) expect(all).not.toContain(secret);
});

test("`spindle logs` prints what each node run wrote, and refuses what is not there with the reason", async () => {
  const run = await startRun(spindle.url, graphOf([wait("a", { seconds: 0.2 }), wait("b", { seconds: 0.3 })]));
  await ended(spindle.url, run);
  const all = await command("logs", run);
  expect(all).toMatchObject({ code: 0, err: "" });
  expect(all.out).toMatch(/^a: succeeded\n {2}try 1:\n {4}Waited \d+\.\d{3} s\.$/m);
  expect(all.out).toMatch(/^b: succeeded\n {2}try 1:\n {4}Waited \d+\.\d{3} s\.$/m);
  const lone = await command("logs", run, "--node", "b", "--json");
  expect(JSON.parse(lone.out)).toMatchObject({
    run,
    node: "b",
    state: "succeeded",
    logs: [{ attempt: 1, text: expect.stringContaining("Waited") }],
  });
  expect(await command("logs", run, "--node", "none")).toMatchObject({
    code: 1,
    err: expect.stringMatching(/no node none\. It has: a, b/),
  });
  const unknown = "00000000-0000-4000-8000-000000000000";
  expect(await command("logs", unknown)).toMatchObject({ code: 1, err: "spindle: There is no such run.\n" });
});

// What the runtime, the Python worker and the bridge to ComfyUI serve for Prometheus, after runs that are known.
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { freePort } from "../../infra/launch/ports.ts";
import { type ComfySpindle, comfy, startComfySpindle } from "../support/comfy.ts";
import { type Labels, scrape, total } from "../support/metrics.ts";
import { childrenOf, environmentOf } from "../support/processes.ts";
import { ended, graphOf, node, startRun, until, wait } from "../support/spindle.ts";

let spindle: ComfySpindle;
let urls: Record<"runtime" | "worker" | "bridge", string>;
beforeAll(async () => {
  const [worker, bridge] = [await freePort(), await freePort()];
  spindle = await startComfySpindle({
    env: { SPINDLE_WORKER_METRICS_PORT: String(worker), SPINDLE_BRIDGE_METRICS_PORT: String(bridge), SPINDLE_DEVICE_SLOTS: "2" },
  });
  urls = { runtime: spindle.url, worker: `http://127.0.0.1:${worker}`, bridge: `http://127.0.0.1:${bridge}` };
});
afterAll(() => spindle?.stop());

const figure = async (of: keyof typeof urls, name: string, labels: Labels = {}) => total(await scrape(urls[of]), name, labels);
const run = async (graph: unknown) => ended(spindle.url, await startRun(spindle.url, graph));

test("a node run is counted with what ran it and how it ended, and so are its run, its wait and its time", async () => {
  const [outcome, began] = [{ capability: "dummy.dummy_task", plane: "python" }, await scrape(urls.runtime)];
  expect(total(began, "spindle_node_runs_ended_total", outcome)).toBeUndefined();
  const [first, second] = [await run(graphOf([wait("a")])), await run(graphOf([wait("a", { seconds: 0.5 }), wait("b", { seconds: 0.6 })]))];
  expect([first.state, second.state]).toEqual(["succeeded", "succeeded"]);
  const samples = await scrape(urls.runtime);
  expect(total(samples, "spindle_node_runs_ended_total", { ...outcome, outcome: "succeeded" })).toBe(3);
  expect(total(samples, "spindle_node_run_seconds_count", outcome)).toBe(3);
  expect(total(samples, "spindle_node_run_seconds_sum", outcome)).toBeGreaterThan(1);
  expect(total(samples, "spindle_queue_wait_seconds_count", outcome)).toBe(3);
  expect(total(samples, "spindle_runs_accepted_total")).toBe(2);
  expect(total(samples, "spindle_runs_ended_total", { outcome: "succeeded" })).toBe(2);
  expect(total(samples, "spindle_run_events_total", { type: "node.succeeded" })).toBe(3);
  expect(total(await scrape(urls.worker), "spindle_worker_tasks_total", { capability: "dummy.dummy_task", outcome: "succeeded" })).toBe(3);
});

test("what came from the cache is told apart from what the node plane ran", async () => {
  const cached = graphOf([node("a", "control.delay", { milliseconds: 5, value: "kept" })]);
  await run(cached);
  await run(cached);
  const delay = { plane: "node", capability: "control.delay" };
  expect(await figure("runtime", "spindle_node_runs_ended_total", { ...delay, outcome: "succeeded" })).toBe(1);
  expect(await figure("runtime", "spindle_node_runs_ended_total", { ...delay, outcome: "reused" })).toBe(1);
});

test("a worker's process that dies under a task is counted at each end, and so is the run that fails of it", async () => {
  const started = await figure("worker", "spindle_worker_child_starts_total");
  const begun = async () => (await figure("runtime", "spindle_run_events_total", { type: "node.running" })) ?? 0;
  const before = await begun();
  const id = await startRun(spindle.url, graphOf([wait("a", { seconds: 600 })]));
  for (let tries = 1; tries <= 2; tries++) {
    await until(async () => (await begun()) === before + tries, 60_000, "a try has begun");
    const busy = (await scrape(urls.worker)).find(({ name, value }) => name === "spindle_worker_slot_busy" && value === 1);
    const isBusy = (pid: number) => environmentOf(pid).SPINDLE_DEVICE === busy?.labels.slot;
    process.kill(childrenOf(spindle.processes.worker?.pid).find(isBusy) as number, "SIGKILL");
  }
  expect((await ended(spindle.url, id)).nodes[0]?.state).toBe("dead");
  const samples = await scrape(urls.runtime);
  expect(total(samples, "spindle_node_retries_total", { plane: "python", change: "retryAfterCrash" })).toBe(1);
  expect(total(samples, "spindle_node_runs_ended_total", { outcome: "dead" })).toBe(1);
  expect(total(samples, "spindle_runs_ended_total", { outcome: "failed" })).toBe(1);
  expect(total(await scrape(urls.worker), "spindle_worker_tasks_total", { outcome: "failed" })).toBe(2);
  const isStarted = async () => ((await figure("worker", "spindle_worker_child_starts_total")) ?? 0) >= (started ?? 0) + 2;
  await until(isStarted, 30_000, "the processes that were started are counted");
});

test("the bridge counts tasks by server, and says what each server offers", async () => {
  const regions = await run(graphOf([comfy("a", "EmptyImage", { width: 8, color: 1 }), comfy("b", "EmptyImage", { width: 16, color: 2 })]));
  expect(regions.state).toBe("succeeded");
  const samples = await scrape(urls.bridge);
  expect(total(samples, "spindle_bridge_server_up")).toBe(1);
  expect(total(samples, "spindle_bridge_server_nodes")).toBeGreaterThan(5);
  expect(total(samples, "spindle_bridge_tasks_total")).toBeGreaterThanOrEqual(1);
  expect(total(samples, "spindle_bridge_task_seconds_count")).toBe(total(samples, "spindle_bridge_tasks_total"));
});

test("what stands now: parts, queue, sockets, connections, artifacts, slots", async () => {
  const socket = new WebSocket(`${spindle.url.replace("http", "ws")}/trpc`, { origin: spindle.url });
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  const samples = await scrape(urls.runtime);
  socket.terminate();
  for (const part of ["postgres", "redis", "store", "python", "comfy"]) expect(total(samples, "spindle_part_up", { part }), part).toBe(1);
  expect(total(samples, "spindle_sockets", { kind: "calls" })).toBe(1);
  expect(total(samples, "spindle_sockets", { kind: "documents" })).toBe(0);
  expect(total(samples, "spindle_database_connections", { pool: "shared" })).toBeGreaterThan(0);
  expect(total(samples, "spindle_queue_oldest_seconds", { plane: "python" })).toBe(0);
  expect(total(samples, "spindle_runs", { state: "running" })).toBe(0);
  expect(total(samples, "nodejs_eventloop_lag_p99_seconds")).toBeGreaterThan(0);
  const slots = await scrape(urls.worker);
  expect(total(slots, "spindle_worker_slot_busy")).toBe(0);
  expect(total(slots, "spindle_worker_slot_device")).toBe(3);
});

test("without PostgreSQL's and Redis' answers the rest is still served", async () => {
  for (const part of ["postgres", "redis"] as const) {
    const process_ = spindle.processes[part];
    if (!process_?.pid) continue; // the database is the project's
    process.kill(process_.pid, "SIGSTOP");
    try {
      await until(async () => (await figure("runtime", "spindle_part_up", { part })) === 0, 30_000, `${part} is seen to be down`);
      expect(await figure("runtime", "spindle_runs_accepted_total")).toBeGreaterThan(0);
    } finally {
      process.kill(process_.pid, "SIGCONT");
    }
  }
});

test("no figure has a run, a graph, a person or a file among its labels", async () => {
  for (const [of, url] of Object.entries(urls)) {
    const samples = (await scrape(url)).filter(({ name }) => name.startsWith("spindle_"));
    expect(samples.length, of).toBeGreaterThan(5);
    const labels = new Set(samples.flatMap((one) => Object.keys(one.labels)));
    const known = ["plane", "capability", "engine", "outcome", "state", "kind", "part", "pool", "purpose", "type", "change", "status"];
    const ofWorkers = ["server", "slot", "device", "le"];
    expect(
      [...labels].filter((label) => ![...known, ...ofWorkers].includes(label)),
      of,
    ).toEqual([]);
    for (const { labels: said } of samples) expect(JSON.stringify(said)).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-/);
  }
});

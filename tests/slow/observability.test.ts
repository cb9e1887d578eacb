// A real Prometheus asks the running product, PostgreSQL and Redis, and answers every query of the dashboards with data. The GPU's driver
// is a stand-in.
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { stringify } from "yaml";
import { debianProgram } from "../../infra/launch/build.ts";
import { Supervised } from "../../infra/launch/child.ts";
import { ROOT } from "../../infra/launch/paths.ts";
import { freePort } from "../../infra/launch/ports.ts";
import { type ComfySpindle, comfy, pictureGraph, startComfySpindle } from "../support/comfy.ts";
import { scrape, total } from "../support/metrics.ts";
import { childrenOf } from "../support/processes.ts";
import { ended, graphOf, node, startRun, until, wait, wire } from "../support/spindle.ts";

const RULES = join(ROOT, "infra/compose/prometheus");
/** Figures of what cannot be had without Docker or a GPU. */
const NEEDS_DOCKER = /\b(traefik_|container_|DCGM_|minio_)/;

const program = async (name: string, apt: string): Promise<string> => {
  const found = await debianProgram({ programs: [name], apt, why: "the tests of dashboards and alerts" });
  if (!found) throw new Error(`${name} was not found. Install it (Debian: apt install ${apt}).`);
  return found;
};

let promtool: string;
let spindle: ComfySpindle;
let prometheus: string;
let workerUrl: string;
const others: Supervised[] = [];

beforeAll(async () => {
  promtool = await program("promtool", "prometheus");
  const [worker, bridge, redis, postgres, own] = await Promise.all(Array.from({ length: 5 }, freePort));
  spindle = await startComfySpindle({
    env: { SPINDLE_WORKER_METRICS_PORT: String(worker), SPINDLE_BRIDGE_METRICS_PORT: String(bridge) },
    route: async ({ SPINDLE_HOME: home = "" }) => ({ worker: { PATH: `${driverIn(home)}:${process.env.PATH}` } }),
  });
  workerUrl = `http://127.0.0.1:${worker}`;
  const bus = new URL(spindle.env.REDIS_URL as string);
  const exporter = readFileSync(join(spindle.home, "redis/password.exporter"), "utf8");
  const start = (name: string, command: string, args: string[], env: Record<string, string>) =>
    others.push(new Supervised({ name, command, args, env }));
  start("redis-exporter", await program("prometheus-redis-exporter", "prometheus-redis-exporter"), [], {
    REDIS_ADDR: `redis://${bus.host}`,
    REDIS_USER: "exporter",
    REDIS_PASSWORD: exporter,
    REDIS_EXPORTER_WEB_LISTEN_ADDRESS: `127.0.0.1:${redis}`,
  });
  const postgresExporter = await program("prometheus-postgres-exporter", "prometheus-postgres-exporter");
  start("postgres-exporter", postgresExporter, [`--web.listen-address=127.0.0.1:${postgres}`], {
    DATA_SOURCE_NAME: `${spindle.env.DATABASE_URL}?sslmode=disable`,
  });
  const target = (job: string, port: number | string | undefined) => ({
    job_name: job,
    static_configs: [{ targets: [`127.0.0.1:${port}`] }],
  });
  const settings = {
    global: { scrape_interval: "1s", scrape_timeout: "1s" },
    rule_files: [join(RULES, "alerts.yaml")],
    scrape_configs: [
      target("runtime", new URL(spindle.url).port),
      target("worker", worker),
      target("comfy-bridge", bridge),
      target("redis", redis),
      target("postgres", postgres),
    ],
  };
  const file = join(spindle.home, "prometheus.yaml");
  writeFileSync(file, stringify(settings));
  const args = [
    `--config.file=${file}`,
    `--storage.tsdb.path=${join(spindle.home, "prometheus")}`,
    `--web.listen-address=127.0.0.1:${own}`,
  ];
  start("prometheus", await program("prometheus", "prometheus"), args, {});
  prometheus = `http://127.0.0.1:${own}/api/v1`;
  await until(async () => (await ask("query", { query: "min(up)" }))[0]?.value?.[1] === "1", 60_000, "Prometheus has asked everybody");
}, 300_000);
afterAll(async () => {
  await Promise.all(others.map((one) => one.stop()));
  await spindle?.stop();
});

function driverIn(home: string): string {
  const folder = join(home, "driver");
  mkdirSync(folder, { recursive: true });
  const tool = join(folder, "nvidia-smi");
  const answer = `case "$*" in *memory*) echo "GPU-${process.pid}, 37, 2048, 81559";; *) echo "GPU-${process.pid}";; esac`;
  writeFileSync(tool, `#!/bin/sh\n${answer}\n`);
  chmodSync(tool, 0o755);
  return folder;
}

type Series = { metric: Record<string, string>; value?: [number, string]; values?: [number, string][] };
async function ask(how: "query" | "query_range", parameters: Record<string, string>): Promise<Series[]> {
  const answer = await fetch(`${prometheus}/${how}?${new URLSearchParams(parameters)}`);
  const { data, error } = (await answer.json()) as { data?: { result: Series[] }; error?: string };
  if (!data) throw new Error(`${parameters.query}: ${error}`);
  return data.result;
}

const begin = (nodes: Parameters<typeof graphOf>[0], ...more: unknown[]) => startRun(spindle.url, graphOf(nodes, ...(more as [])));
const isBusy = async () => total(await scrape(workerUrl), "spindle_worker_slot_busy") === 1;

test("Prometheus takes the settings, the rules and their tests", () => {
  for (const args of [
    ["check", "config", "prometheus.yaml"],
    ["test", "rules", "alerts.test.yaml"],
  ])
    expect(execFileSync(promtool, args, { cwd: RULES, encoding: "utf8" })).toContain("SUCCESS");
});

test("what the processes serve is as Prometheus' own check would have it", async () => {
  for (const url of [spindle.url, workerUrl]) {
    const text = await (await fetch(`${url}/metrics`)).text();
    const ours = text.split("\n").filter((line) => /^(# (HELP|TYPE) )?spindle_/.test(line));
    expect(execFileSync(promtool, ["check", "metrics"], { input: `${ours.join("\n")}\n`, encoding: "utf8" }), url).toBe("");
  }
});

test("every query of every dashboard is answered with data, after runs of all kinds", async () => {
  const from = Date.now() / 1000;
  const cached = [node("a", "control.delay", { milliseconds: 5 })];
  for (let i = 0; i < 2; i++) await ended(spindle.url, await begin(cached));
  const loads = { ...graphOf([wait("a", { seconds: 0.2 })]), metadata: { nodes: { a: { engine: "process" } } } };
  await ended(spindle.url, await startRun(spindle.url, loads));
  const show = { nodes: [comfy("show", "PreviewImage")], wires: [wire("decode", "IMAGE", "show", "images")], places: {} };
  expect((await ended(spindle.url, await startRun(spindle.url, pictureGraph(4, show)))).state).toBe("succeeded");
  const refused = new WebSocket(`${spindle.url.replace("http", "ws")}/trpc`, { origin: "https://elsewhere.example" });
  await new Promise((resolve) => refused.once("error", resolve));

  // A worker that is frozen under one task while another waits loses its lease; one whose process is killed tries again.
  const [frozen, queued] = [await begin([wait("a", { seconds: 2 })]), await begin([wait("b", { seconds: 1 })])];
  await until(isBusy, 30_000, "a task runs");
  const worker = spindle.processes.worker?.pid as number;
  process.kill(worker, "SIGSTOP");
  const isLost = async () => (total(await scrape(spindle.url), "spindle_leases_lost_total", { plane: "python" }) ?? 0) > 0;
  await until(isLost, 30_000, "the lease is lost").finally(() => process.kill(worker, "SIGCONT"));
  for (const run of [frozen, queued]) expect((await ended(spindle.url, run)).state).toBe("succeeded");
  const killed = await begin([wait("a", { seconds: 3 })]);
  await until(isBusy, 30_000, "a task runs");
  for (const pid of childrenOf(worker)) process.kill(pid, "SIGKILL");
  expect((await ended(spindle.url, killed)).state).toBe("succeeded");
  await ended(spindle.url, await startRun(spindle.url, loads)); // a rate needs a second time

  const folder = join(ROOT, "infra/compose/grafana/dashboards");
  const dashboards = readdirSync(folder).map((file) => JSON.parse(readFileSync(join(folder, file), "utf8")));
  const queries: string[] = dashboards.flatMap(({ panels }) =>
    panels.flatMap((panel: { targets: { expr: string }[] }) => panel.targets.map(({ expr }) => expr)),
  );
  const answered = async (query: string): Promise<boolean> => {
    const parameters = {
      query: query.replaceAll("$__rate_interval", "20s"),
      start: String(from),
      end: String(Date.now() / 1000),
      step: "1",
    };
    return (await ask("query_range", parameters)).some(({ values = [] }) => values.some(([, value]) => value !== "NaN"));
  };
  const silent = async () => {
    const answers = await Promise.all(queries.map(answered));
    return queries.filter((query, index) => !answers[index] && !NEEDS_DOCKER.test(query));
  };
  await until(async () => (await silent()).length === 0, 30_000, "every query is answered").catch(() => {});
  expect(await silent()).toEqual([]);
  expect(queries.length).toBeGreaterThan(60);
  for (const query of queries.filter((one) => NEEDS_DOCKER.test(one))) await answered(query); // Prometheus can read it
});

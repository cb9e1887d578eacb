import { randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type RunInput, readGraphText, resolve } from "@spindle/graph-model";
import { makeLibrary } from "@spindle/node-library";
import { type ArtifactRef, type CombinedManifest, isEndedRunState, MEDIA_TYPES, validateArtifactRef } from "@spindle/schemas";
import { SingleBar } from "cli-progress";
import type { RunPlan } from "../services/plan-service.ts";
import type { RunView } from "../services/run-service.ts";
import { readDocument, readMedia } from "./read-file.ts";
import { call, type Found, findServer } from "./server.ts";

interface Options {
  input: string[];
  out?: string;
  json?: boolean;
  force?: boolean;
  priority?: string;
  dry?: boolean;
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const POLL_MS = 300;
const OUTAGE_MS = 60_000;
const UNAVAILABLE_MS = 30_000;
/** How long a run waits for a worker on a server that was started for it: nobody else would start one there. */
const NO_WORKER_MS = 30_000;

/** Sends a run. While the server's database or bus starts, it is sent again when the server says, for half a minute. */
async function send(url: string, form: FormData, interrupt: AbortSignal): Promise<Response> {
  const headers = { "idempotency-key": randomUUID() };
  for (const end = Date.now() + UNAVAILABLE_MS; ; ) {
    const answer = await call(url, { method: "POST", body: form, headers });
    const again = Number(answer.headers.get("retry-after"));
    if (answer.status !== 503 || !(again > 0) || Date.now() + again * 1000 > end || interrupt.aborted) return answer;
    const { error } = (await answer.json()) as { error?: { message: string } };
    process.stderr.write(`spindle: ${error?.message} Trying again in ${again} s.\n`);
    await sleep(again * 1000, undefined, { signal: interrupt }).catch(() => {});
  }
}

/** Exit code 0 if the run succeeded. */
export async function run(graph: string, options: Options): Promise<number> {
  const isFile = /\.(json|png|jpe?g|mp4|wav|webp)$/i.test(graph) || graph.includes("/");
  const text = isFile ? (await readDocument(graph)).toString("utf8") : undefined;
  const read = text === undefined ? undefined : readGraphText(text);
  if (read && !read.graph) throw new Error(read.issues.map((issue) => issue.message).join("\n"));
  const form = await formOf(options.input);
  const interrupt = new AbortController();
  const onSignal = () => interrupt.abort();
  for (const signal of SIGNALS) process.on(signal, onSignal); // a terminal and a parent process may both send the signal
  const server = await findServer(interrupt.signal);
  try {
    const asked = [
      ...(options.force ? ["force=1"] : []),
      ...(options.dry ? ["dry=1"] : []),
      ...(options.priority ? [`priority=${encodeURIComponent(options.priority)}`] : []),
    ];
    let path = `/api/templates/${encodeURIComponent(graph)}/runs?${asked.join("&")}`;
    if (read?.graph && text !== undefined) {
      const manifest = (await (await call(`${server.url}/api/capabilities`)).json()) as CombinedManifest;
      const kinds = resolve(read.graph, makeLibrary(manifest.capabilities))
        .root.inputs.filter((input: RunInput) => form.get(input.name) instanceof Blob)
        .map((input) => `kind.${encodeURIComponent(input.name)}=${encodeURIComponent(input.type)}`);
      form.set("graph", text);
      form.set("title", basename(graph));
      path = `/api/runs?${[...kinds, ...asked].join("&")}`;
    }
    const answer = await send(`${server.url}${path}`, form, interrupt.signal);
    const body = (await answer.json()) as {
      run?: string;
      plan?: RunPlan;
      error?: { message: string; issues?: { message: string; place: unknown }[] };
    };
    if (body.plan) return print(body.plan, options.json === true);
    if (!body.run)
      throw new Error(
        [body.error?.message, ...(body.error?.issues ?? []).map((issue) => `  ${issue.message} ${JSON.stringify(issue.place)}`)].join("\n"),
      );
    const done = await follow(server, body.run, interrupt.signal);
    if (options.json) process.stdout.write(`${JSON.stringify(done, null, 2)}\n`);
    if (options.out) await save(server.url, done, options.out, options.json === true);
    if (done.state !== "succeeded")
      process.stderr.write(
        `spindle: the run ${done.state}: ${String(done.error?.message ?? "")}${done.error?.node ? ` (node ${done.error.node})` : ""}\n`,
      );
    else if (!options.json && !options.out) process.stdout.write(`${JSON.stringify(done.outputs, null, 2)}\n`);
    return done.state === "succeeded" ? 0 : 1;
  } finally {
    for (const signal of SIGNALS) process.off(signal, onSignal);
    await server.stop();
  }
}

const DOES = { runs: "runs", reuses: "from cache", skips: "skipped", waits: "waits" } as const;

function print(plan: RunPlan, asJson: boolean): number {
  if (asJson) process.stdout.write(`${JSON.stringify(plan, null, 2)}\n`);
  else {
    const width = Math.max(...plan.nodes.map((planned) => planned.node.length));
    for (const { node, does, why, ifChanged, between } of plan.nodes) {
      const time = does === "runs" && between ? ` (about ${range(between)})` : "";
      process.stdout.write(`${node.padEnd(width)}  ${(ifChanged ? "runs if changed" : DOES[does]).padEnd(15)}  ${why}${time}\n`);
    }
    process.stdout.write(`${plan.between === null ? "How long it takes is not known yet." : `About ${range(plan.between)}.`}\n`);
  }
  return 0;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

function range([low, high]: readonly [number, number]): string {
  const [from, to] = [seconds(low), seconds(high)];
  return from === to ? from : `${from} to ${to}`;
}

async function formOf(inputs: string[]): Promise<FormData> {
  const form = new FormData();
  for (const input of inputs) {
    const at = input.indexOf("=");
    if (at < 1) throw new Error(`--input ${input}: name=value or name=@file is needed.`);
    const [name, value] = [input.slice(0, at), input.slice(at + 1)];
    if (!value.startsWith("@")) form.set(name, value);
    else form.set(name, new Blob([new Uint8Array(await readMedia(value.slice(1)))]), basename(value));
  }
  return form;
}

/** Polls until the run ends. It waits out an outage of the server, and Ctrl C cancels the run. */
async function follow({ url, isOwn }: Found, id: string, interrupt: AbortSignal): Promise<RunView> {
  const bar = new SingleBar({
    format: "{bar} {percentage}%  {now}",
    hideCursor: true,
    clearOnComplete: true,
    stopOnComplete: true,
    noTTYOutput: false,
    stream: process.stderr,
  });
  const isTerminal = process.stderr.isTTY === true;
  if (isTerminal) bar.start(100, 0, { now: "" });
  const cancel = () => void call(`${url}/api/runs/${id}/cancel`, { method: "POST" }).catch(() => {});
  if (interrupt.aborted) cancel();
  interrupt.addEventListener("abort", cancel);
  try {
    for (let seen = Date.now(), moved = Date.now(), said = ""; ; ) {
      const run = await call(`${url}/api/runs/${id}`).then(
        (answer) => (answer.ok ? (answer.json() as Promise<RunView>) : undefined),
        () => undefined,
      );
      if (run) seen = Date.now();
      else if (Date.now() - seen > OUTAGE_MS) throw new Error("The server does not answer any more.");
      if (run && isEndedRunState(run.state)) return run;
      if (run && isTerminal)
        bar.update(Math.round(run.progress * 100), {
          now: run.nodes
            .filter((nodeRun) => nodeRun.state === "running" || nodeRun.state === "dispatched")
            .map(({ node, notRunning }) => node + (notRunning ? ` (${notRunning.text})` : ""))
            .join(", "),
        });
      said = sayWhyNot(run?.notRunning ?? null, said);
      const why = run?.notRunning;
      const needsWorker = why?.kind === "no-worker" || why?.kind === "engine-not-live";
      if (!isOwn || !needsWorker) moved = Date.now();
      else if (Date.now() - moved > NO_WORKER_MS) {
        cancel();
        throw new Error(`${why.text} ${why.action}`);
      }
      await sleep(POLL_MS);
    }
  } finally {
    if (isTerminal) bar.stop();
  }
}

/** Says why the run does not go on where somebody can do something about it, once. Returns what was said last. */
function sayWhyNot(why: RunView["notRunning"], said: string): string {
  if (!why?.action) return "";
  if (why.kind !== said) process.stderr.write(`spindle: ${why.text} ${why.action}\n`);
  return why.kind;
}

async function save(url: string, run: RunView, folder: string, quiet: boolean): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, value] of Object.entries(run.outputs ?? {})) {
    const stem = join(folder, name.replaceAll(/[^A-Za-z0-9_.-]/g, "_").replace(/^\.+/, "_"));
    const file = validateArtifactRef(value) ? await download(url, run.id, value, stem) : await writeText(stem, value);
    if (!quiet) process.stdout.write(`${file}\n`);
  }
}

async function download(url: string, run: string, ref: ArtifactRef, stem: string): Promise<string> {
  const file = `${stem}.${MEDIA_TYPES[ref.mime]?.extensions[0] ?? "bin"}`;
  const answer = await call(`${url}/api/artifacts/${ref.artifact}/download?run=${run}`);
  if (!answer.ok || !answer.body) throw new Error(`The result ${ref.artifact} cannot be fetched: ${answer.status}.`);
  await pipeline(Readable.fromWeb(answer.body as never), createWriteStream(file));
  return file;
}

async function writeText(stem: string, value: unknown): Promise<string> {
  const isText = typeof value === "string";
  const file = `${stem}.${isText ? "txt" : "json"}`;
  await pipeline(Readable.from([isText ? value : JSON.stringify(value, null, 2)]), createWriteStream(file));
  return file;
}

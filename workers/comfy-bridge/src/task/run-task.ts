// The life of one task: lease, inputs to ComfyUI, the prompt, outputs to the store, the result.
import { createHash } from "node:crypto";
import {
  type ArtifactRef,
  BUS,
  MEDIA_TYPES,
  type RegionInput,
  type TaskEntry,
  type TaskResult,
  validateArtifactRef,
  validateRegionInput,
} from "@spindle/schemas";
import type { WorkerEnd } from "@spindle/task-bus";
import pLimit from "p-limit";
import pRetry from "p-retry";
import { ComfyAnswer, unhurried, whyNotLetIn } from "../comfy/answers.ts";
import type { ComfyHttp } from "../comfy/http.ts";
import { sharedSilence } from "../comfy/silence.ts";
import { failure, graphNode, TaskFailure } from "./errors.ts";
import { Collector, isPreview, leftBehind, leftOut, outputsOf, Ungiven, type Watch } from "./outputs.ts";
import { type Ended, Interrupted, runPrompt } from "./prompt-run.ts";
import { Report } from "./report.ts";
import { type RuntimeOptions, TaskRuntime } from "./runtime.ts";
import { ServerLog } from "./server-log.ts";

const REGION = `${BUS.region}@${BUS.regionVersion}`;
const MAX_WAIT_MS = 2000;
/** What a timer can count. */
const LONGEST_MS = 2 ** 31 - 1;

export interface TaskParts {
  bus: WorkerEnd;
  comfy: ComfyHttp;
  runtime: RuntimeOptions;
  log: (line: string) => void;
  /** How many prompts of others come before the task's, each time that is known. @param still since when nothing is reported of its own, in ms */
  onPlace: (before: number, still?: number) => void;
  /** The server does not answer, or answers again. */
  onSilence: (isSilent: boolean) => void;
  /** The server says that it gets too many requests, or takes them again. */
  onLimited: (isLimited: boolean) => void;
}

/** Why a task is stopped; `lost` needs no result, for nobody would take it. */
type Stop = "cancel" | "lost" | "late" | "stalled" | "shutdown";

/** A prompt that was left to run: it cannot be stopped, or the task is another attempt's now, which may go on with it. */
type LeftPrompt = Pick<Interrupted, "hangs"> & { id: string };

/** Never throws: what goes wrong is the task's result. */
export async function runTask(parts: TaskParts, entry: TaskEntry, shutdown: AbortSignal): Promise<LeftPrompt | undefined> {
  const { bus } = parts;
  const abort = new AbortController();
  let stop: Stop | undefined;
  const end = (why: Stop): void => {
    stop ??= why;
    abort.abort();
  };
  const beat = async (): Promise<void> => {
    const answer = await bus.beat(entry).catch(() => "ok" as const); // Redis is away: the lease may still be ours
    if (answer !== "ok") end(answer);
  };
  await beat();
  const beating = setInterval(() => void beat(), entry.beatMs);
  const leave = () => end("shutdown");
  shutdown.addEventListener("abort", leave);
  const timer = entry.timeoutMs > 0 ? setTimeout(() => end("late"), Math.min(entry.timeoutMs, LONGEST_MS)) : undefined;
  let stall: NodeJS.Timeout | undefined;
  let isOver = false;
  /** What is still on its way when the task is over says nothing of the next one. */
  const onSilence = (isSilent: boolean): void => {
    if (!isOver) parts.onSilence(isSilent);
  };
  // From the first news on: what waits in ComfyUI's own queue does not hang.
  const onMoved = (): void => {
    clearTimeout(stall);
    if (entry.stallMs > 0) stall = setTimeout(() => end("stalled"), Math.min(entry.stallMs, LONGEST_MS));
  };
  try {
    const { result, left } = await outcome({ ...parts, onMoved, onSilence }, entry, abort.signal, () => stop);
    // A bridge that is stopped tries once: the lease runs out, and another one finds the prompt's history.
    if (result) await settle(parts, result, (tries) => stop === "lost" || (tries > 0 && shutdown.aborted));
    return left;
  } finally {
    isOver = true;
    clearInterval(beating);
    clearTimeout(timer);
    clearTimeout(stall);
    shutdown.removeEventListener("abort", leave);
  }
}

/** Settles the task again and again until Redis takes the result, for as long as the task is this worker's. */
async function settle({ bus, log }: TaskParts, result: TaskResult, givesUp: (tries: number) => boolean): Promise<void> {
  if (givesUp(0)) return;
  await pRetry(() => bus.settle(result), {
    retries: Number.POSITIVE_INFINITY,
    minTimeout: 100,
    maxTimeout: MAX_WAIT_MS,
    shouldRetry: ({ error, attemptNumber }) => !(error instanceof RangeError || givesUp(attemptNumber)),
    onFailedAttempt: ({ error, attemptNumber }) => {
      if (attemptNumber === 1) log(`${result.task}: the result waits for Redis: ${String(error)}`);
    },
  }).catch((error) => {
    // Given up: the lease runs out, and another worker carries on.
    if (!(error instanceof RangeError)) return log(`${result.task}: the result was not handed in: ${String(error)}`);
    const { message } = error;
    return bus.settle({ v: 1, task: result.task, outcome: "failed", error: { class: "user", code: "task.bad_result", message } });
  });
}

interface WatchedParts extends TaskParts {
  onMoved: () => void;
}

interface Outcome {
  /** The result; undefined if nobody would take one. */
  result?: TaskResult | undefined;
  left?: LeftPrompt | undefined;
}

async function outcome(parts: WatchedParts, entry: TaskEntry, signal: AbortSignal, stop: () => Stop | undefined): Promise<Outcome> {
  const base = { v: 1 as const, task: entry.task };
  if (stop() === "lost") return {};
  if (entry.capability !== REGION) {
    const message = `The task is for ${entry.capability}, and this bridge runs ${REGION}.`;
    return { result: { ...base, outcome: "returned", error: { class: "infra", code: "task.wrong_version", message } } };
  }
  const server = new ServerLog(() => parts.comfy.aside("log"));
  await server.start();
  const onPlace = (before: number, still?: number): void => {
    if (before === 0) server.watch();
    parts.onPlace(before, still);
  };
  /** ComfyUI's own log of the prompt, after what else there is to say. */
  const logged = (lines: readonly string[]) => (lines.length > 0 ? { log: lines.join("\n") } : {});
  try {
    const { output, objects, missed } = await work({ ...parts, onPlace }, entry, signal, stop);
    await server.read();
    return { result: { ...base, outcome: "succeeded", output, objects, ...logged([...missed, ...server.lines()]) } };
  } catch (error) {
    const why = stop();
    if (error instanceof Interrupted) {
      const { left: id, hangs } = error;
      if (why === "late" || why === "stalled") await server.read(); // nobody waits longer for a cancelled run
      const result = stopped(base, why);
      const log = why === "shutdown" ? {} : logged(server.linesUntilEnded());
      return { result: result && { ...result, ...log }, ...(id === undefined ? {} : { left: { id, hangs } }) };
    }
    const failed = error instanceof TaskFailure ? error : unexpected(error, parts.comfy.server);
    if (failed.error.class === "oom") await parts.comfy.free().catch(() => {});
    await server.read();
    return { result: { ...base, outcome: "failed", error: failed.error, ...logged(server.lines()) } };
  } finally {
    server.stop();
  }
}

/** Why a prompt gave less than the graph asks of it, as far as ComfyUI tells. */
function whatIsMissed({ gives }: RegionInput, { outputs, heard }: Ended): string[] {
  const nodes = new Set(gives.flatMap(({ node, from }) => (Object.hasOwn(outputs, from) ? [] : [node])));
  if (nodes.size === 0) return [];
  const words = heard
    ? "ComfyUI gave no reason."
    : "The connection to ComfyUI was cut meanwhile: if it gave a reason, that is lost. It gives it again when the prompt changes.";
  return [`ComfyUI showed and saved nothing of ${[...nodes].join(", ")}. ${words}`];
}

function stopped(base: { v: 1; task: string }, why: Stop | undefined): TaskResult | undefined {
  if (why === "cancel") return { ...base, outcome: "cancelled" };
  if (why === "late")
    return { ...base, outcome: "failed", error: { class: "user", code: "task.timeout", message: "It took longer than its time-out." } };
  if (why === "stalled")
    return {
      ...base,
      outcome: "failed",
      error: { class: "infra", code: "task.stalled", message: "ComfyUI reported nothing for too long." },
    };
  if (why === "shutdown")
    return {
      ...base,
      outcome: "returned",
      error: { class: "infra", code: "task.handed_back", message: "The bridge to ComfyUI was told to end before the task was done." },
    };
  return undefined;
}

function unexpected(error: unknown, { url, login }: ComfyHttp["server"]): TaskFailure {
  const host = new URL(url).host;
  if (error instanceof ComfyAnswer) {
    const why = whyNotLetIn(error, `ComfyUI at ${host}`, login.authorization !== undefined);
    if (why !== undefined) return failure("infra", "comfy.no_access", why);
    return failure(error.status >= 500 ? "transient" : "infra", "comfy.rejected", error.message);
  }
  return failure("transient", "comfy.lost", `ComfyUI at ${host}: ${error instanceof Error ? reasonOf(error) : String(error)}`);
}

const reasonOf = (error: Error): string => (error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message);

async function work(
  { bus, comfy, runtime: options, onMoved, onPlace, onSilence, onLimited }: WatchedParts,
  entry: TaskEntry,
  signal: AbortSignal,
  stop: () => Stop | undefined,
): Promise<Required<Pick<TaskResult, "output" | "objects">> & { missed: string[] }> {
  const runtime = new TaskRuntime(entry, options);
  const region = await runtime.input();
  if (!validateRegionInput(region))
    throw failure("user", "comfy.rejected", `The task is no prompt: ${validateRegionInput.errors?.[0]?.message ?? "wrong shape"}.`);
  const share = sharedSilence(onSilence);
  const watch = { signal, onLimited, onSilence: share };
  const prompt = await unlessStopped(withFiles(region, runtime, comfy, watch), signal);
  const collector = new Collector(comfy, runtime, watch);
  const report = new Report({
    prompt,
    only: region.only,
    windows: region.windows,
    store: async (image, mime) => (await runtime.store(image, mime, "preview")).ref,
    send: (news) => {
      onMoved();
      return bus.progress({ v: 1, task: entry.task, ...news });
    },
  });
  const run = (sent: RegionInput["prompt"], anew: boolean) =>
    runPrompt({
      comfy,
      ids: promptIds(entry.nodeRun, anew),
      region,
      prompt: sent,
      report,
      onExecuted: (shown, from) => {
        const node = graphNode(from, sent);
        if (isPreview(shown, from, node)) return; // results come first
        void collector.files(shown, node).catch(() => {}); // the lease is asked for again at the end, and the answer is heeded there
      },
      signal,
      onPlace,
      onSilence: share(),
      onLimited,
      leaves: () => stop() === "lost" || stop() === "shutdown", // another worker goes on with the task
    });
  try {
    const history = await run(prompt, false);
    const output = await unlessStopped(outputsOf(region, history.outputs, collector), signal).catch(async (error: unknown) => {
      if (!(error instanceof Ungiven && error.status === 404)) throw error;
      const again = await run(remade(prompt, region), true); // ComfyUI's cache named a file that no longer exists
      return unlessStopped(outputsOf(region, again.outputs, collector), signal);
    });
    return {
      output: region.only === undefined ? output : (output[region.only] ?? {}),
      objects: collector.objects as TaskResult["objects"] & object,
      missed: [...whatIsMissed(region, history), ...leftBehind(region, history.outputs), ...leftOut(collector), ...report.missed],
    };
  } finally {
    await report.close();
  }
}

/** @throws Interrupted as soon as the task is stopped: what it does with its server may take long, and nobody waits for it then */
function unlessStopped<T>(doing: Promise<T>, signal: AbortSignal): Promise<T> {
  let stop = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(new Interrupted());
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
  });
  return Promise.race([doing, stopped]).finally(() => signal.removeEventListener("abort", stop));
}

/**
 * The ids under which the node run's prompt may be known to ComfyUI, one for each time it failed there: a worker that takes over
 * from one that died finds what that one submitted instead of submitting it again (RFC 9562, version 8).
 */
function* promptIds(nodeRun: string, anew: boolean): Generator<string> {
  for (let number = 0; ; number++) {
    const hex = createHash("sha256")
      .update(`prompt:${nodeRun}:${anew ? `anew:${Date.now()}:` : ""}${number}`)
      .digest("hex");
    yield `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
  }
}

/** An input that nobody reads makes ComfyUI's cache miss the output nodes. */
const remade = (prompt: RegionInput["prompt"], { sinks }: RegionInput): RegionInput["prompt"] =>
  Object.fromEntries(
    Object.entries(prompt).map(([id, node]) => [
      id,
      sinks.includes(id) ? { ...node, inputs: { ...node.inputs, spindle_again: Date.now() } } : node,
    ]),
  );

const SUBFOLDER = "spindle";
/** Other prompts go on beside one of many files. */
const FILES_AT_ONCE = 4;
/** Bytes of a text. */
const MOST_WORDS = 8 * 1024 * 1024;

/** Loaders of ComfyUI's packs tell formats by it. */
export function extensionOf(mime: string): string {
  const known = Object.hasOwn(MEDIA_TYPES, mime) ? MEDIA_TYPES[mime]?.extensions[0] : undefined;
  return known ?? ((mime.split("/")[1] ?? "").replaceAll(/[^a-z0-9]/g, "") || "bin");
}

/** Each reference becomes the name of an uploaded file, or a text its own words. The same bytes have the same name. */
export async function withFiles(
  { prompt }: Pick<RegionInput, "prompt">,
  runtime: Pick<TaskRuntime, "read">,
  comfy: Pick<ComfyHttp, "upload" | "server">,
  { signal, onLimited, onSilence }: Watch,
): Promise<RegionInput["prompt"]> {
  const names = new Map<string, Promise<string>>();
  const inTurn = pLimit(FILES_AT_ONCE);
  const name = (ref: ArtifactRef, node: string): Promise<string> => {
    const known = names.get(ref.artifact);
    if (known) return known;
    const fetching = inTurn(() =>
      ref.mime.startsWith("text/")
        ? wordsOf(ref, runtime, node)
        : unhurried(
            () => comfy.upload(runtime.read(ref), ref.size, `${ref.sha256}.${extensionOf(ref.mime)}`, SUBFOLDER, onSilence()),
            signal,
            onLimited,
          ),
    ).catch((error: unknown) => {
      if (!(error instanceof ComfyAnswer && error.status === 413)) throw error;
      const [host, mebibytes] = [new URL(comfy.server.url).host, Math.ceil(ref.size / 1024 / 1024)];
      const message = `ComfyUI at ${host} takes no file of ${mebibytes} MiB (413). Start it with a larger --max-upload-size, or let the proxy before it pass larger files.`;
      throw failure("user", "comfy.rejected", message, { node });
    });
    names.set(ref.artifact, fetching);
    return fetching;
  };
  const node = async ([id, body]: [string, RegionInput["prompt"][string]]) => {
    const input = async (value: unknown): Promise<unknown> => (validateArtifactRef(value) ? name(value, graphNode(id, prompt)) : value);
    const inputs = await Promise.all(Object.entries(body.inputs).map(async ([key, value]) => [key, await input(value)] as const));
    return [id, { ...body, inputs: Object.fromEntries(inputs) }] as const;
  };
  return Object.fromEntries(await Promise.all(Object.entries(prompt).map(node)));
}

/** The words go into the prompt, which is held whole here and in ComfyUI. */
async function wordsOf(ref: ArtifactRef, runtime: Pick<TaskRuntime, "read">, node: string): Promise<string> {
  if (ref.size > MOST_WORDS)
    throw failure(
      "user",
      "comfy.rejected",
      `A text of ${Math.ceil(ref.size / 1024 / 1024)} MiB is too long for a node of ComfyUI, which gets 8 MiB at most. Give it a shorter one.`,
      { node },
    );
  const pieces: Uint8Array[] = [];
  for await (const piece of runtime.read(ref)) pieces.push(piece);
  return Buffer.concat(pieces).toString("utf8");
}

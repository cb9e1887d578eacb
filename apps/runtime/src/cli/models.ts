// `spindle models`: what model files are missing, fetching them, and comparing them with their hashes.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat, statfs } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { definitionGraph, definitionNames, inWords } from "@spindle/graph-model";
import { SingleBar } from "cli-progress";
import { readCommercialUse } from "../config.ts";
import { download, type Listener } from "../models/download.ts";
import { whatIsWrong } from "../models/formats.ts";
import { type Manifest, type ModelFile, type ModelSet, readManifest, type State, stateOf } from "../models/manifest.ts";
import { ROOT } from "../root.ts";
import { TemplateService } from "../services/template-service.ts";

const say = (line: string): boolean => process.stdout.write(`${line}\n`);
const total = (files: readonly ModelFile[]): string => inWords(files.reduce((sum, { bytes }) => sum + bytes, 0));
const terms = ({ licence, commercial }: ModelFile): string => (commercial ? licence : `${licence}, no commercial use`);
const unhashed = ({ sha256 }: ModelFile): string => (sha256 === undefined ? "; its SHA-256 is not known" : "");
const about = (file: ModelFile): string => `${file.exact ? "" : "about "}${inWords(file.bytes)}`;

const WORDS: Record<State, string> = {
  there: "there",
  missing: "missing",
  wrong: "another file: its size is wrong",
  unknown: "not known",
};

/**
 * @param name of a template, for the engines that its nodes may have, or of one engine
 * @returns exit code 0, whatever is missing
 */
export async function listModels(name: string | undefined): Promise<number> {
  const manifest = await readManifest();
  const sets = name === undefined ? manifest.sets : await setsOf(name, manifest);
  say(`Models of the worker: ${manifest.folders.worker} (SPINDLE_MODELS)`);
  say(`Models of ComfyUI: ${manifest.folders.comfy ?? "not known; set SPINDLE_COMFY_MODELS to its models folder"}`);
  for (const set of sets) {
    const states = await Promise.all(set.files.map(stateOf));
    const absent = set.files.filter((_, index) => states[index] !== "there");
    const serves = set.serves.length > 0 ? ` for ${set.serves.join(", ")}` : "";
    say("");
    say(`${set.name}: ${set.label}${serves}${set.isDraft ? ", a draft" : ""}`);
    for (const [index, file] of set.files.entries())
      say(`  ${WORDS[states[index] ?? "unknown"].padEnd(9)} ${about(file).padStart(13)}  ${file.path}  (${terms(file)}${unhashed(file)})`);
    if (set.files.some(({ sha256 }) => sha256 === undefined))
      say("  Where the SHA-256 is not known, only the form of a file is checked: another file of the same form passes.");
    say(absent.length === 0 ? "  All there." : `  ${total(absent)} to fetch: npx spindle models fetch ${set.name}`);
  }
  return 0;
}

async function setsOf(name: string, manifest: Manifest): Promise<ModelSet[]> {
  const engine = manifest.sets.find((set) => set.name === name);
  if (engine) return [engine];
  const templates = (await templatesHere()).list().map((template) => template.name);
  if (templates.includes(name)) return setsFor(name, manifest);
  const engines = manifest.sets.map((set) => set.name);
  throw new Error(
    `There is neither a template nor an engine ${JSON.stringify(name)}. Templates: ${templates.join(", ")}. Engines: ${engines.join(", ")}.`,
  );
}

const templatesHere = (): Promise<TemplateService> => TemplateService.load(join(ROOT, "templates"));

/** The engines that a template's nodes may have. */
async function setsFor(template: string, { sets }: Manifest): Promise<ModelSet[]> {
  const { graph } = (await templatesHere()).find(template);
  const levels = [graph, ...definitionNames(graph).flatMap((name) => definitionGraph(graph, name) ?? [])];
  const services = new Set(levels.flatMap(({ nodes }) => nodes.map(({ service }) => service)));
  return sets.filter(({ serves }) => serves.some((capability) => services.has(capability)));
}

interface FetchOptions {
  for?: string;
  acceptLicence: readonly string[];
}

/**
 * Each file of the named engine, or of one engine for each capability of a template.
 * @returns exit code 0 once all are there; 130 where it was interrupted
 */
export async function fetchModels(name: string | undefined, options: FetchOptions): Promise<number> {
  const manifest = await readManifest();
  if ((name === undefined) === (options.for === undefined))
    throw new Error("Name an engine, as in: spindle models fetch f5-tts. Or a template: spindle models fetch --for infinitetalk.");
  const sets = name === undefined ? await chosenFor(options.for ?? "", manifest) : [setOf(name, manifest)];
  const absent = await missingOf(sets);
  if (absent.length === 0) {
    say(`Nothing is missing: ${sets.map((set) => set.name).join(", ") || "no model is needed"}.`);
    return 0;
  }
  const command = `npx spindle models fetch ${name ?? `--for ${options.for}`}`;
  refuseUnaccepted(absent, options.acceptLicence, command);
  await refuseFull(absent);
  say(`${absent.length === 1 ? "1 file" : `${absent.length} files`}, ${total(absent)}, for ${sets.map((set) => set.name).join(", ")}`);
  const interrupt = new AbortController();
  const stop = () => interrupt.abort();
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, stop);
  try {
    for (const file of absent) await fetchOne(file, interrupt.signal);
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    process.stderr.write(`spindle: interrupted. The same command goes on from there: ${command}\n`);
    return 130;
  } finally {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, stop);
  }
  return 0;
}

function setOf(name: string, { sets }: Manifest): ModelSet {
  const found = sets.find((set) => set.name === name);
  if (!found) throw new Error(`There are no models called ${JSON.stringify(name)}. There are: ${sets.map((set) => set.name).join(", ")}.`);
  return found;
}

/** For each capability that a model serves, what is there already, or else the engine that automatic choice prefers. */
async function chosenFor(template: string, manifest: Manifest): Promise<ModelSet[]> {
  const isCommercial = readCommercialUse(process.env);
  const sets = (await setsFor(template, manifest)).filter((set) => !isCommercial || set.files.every((file) => file.commercial));
  const chosen = new Set<ModelSet>();
  for (const capability of new Set(sets.flatMap(({ serves }) => serves))) {
    const own = sets.filter(({ serves }) => serves.includes(capability));
    const complete = await Promise.all(own.map(async (set) => (await missingOf([set])).length === 0));
    const best = own.find((set, index) => complete[index] && !set.isDraft) ?? own[0];
    if (best) chosen.add(best);
  }
  return [...chosen];
}

/** Each place once: engines share files. */
async function missingOf(sets: readonly ModelSet[]): Promise<ModelFile[]> {
  const files = sets.flatMap((set) => set.files);
  const unique = [...new Map(files.map((file) => [file.place ?? file.path, file])).values()];
  const states = await Promise.all(unique.map(stateOf));
  return unique.filter((_, index) => states[index] !== "there");
}

/** @throws Error with the command that accepts them */
function refuseUnaccepted(files: readonly ModelFile[], accepted: readonly string[], command: string): void {
  const open = [...new Set(files.filter((file) => !file.commercial && !accepted.includes(file.licence)).map(({ licence }) => licence))];
  if (open.length === 0) return;
  const flags = [...accepted, ...open]
    .map((licence) => ` --accept-licence ${/^[\w.-]+$/.test(licence) ? licence : JSON.stringify(licence)}`)
    .join("");
  throw new Error(`The licence ${open.join(" and ")} forbids commercial use. Nothing was fetched. If you accept it: ${command}${flags}`);
}

/** @throws Error where a disk does not hold what comes, or a place is not known */
async function refuseFull(files: readonly ModelFile[]): Promise<void> {
  const needs = new Map<number, { bytes: number; free: number; folder: string }>();
  for (const { place, path, bytes } of files) {
    if (place === undefined)
      throw new Error(`${path} lies below the models folder of ComfyUI. Set SPINDLE_COMFY_MODELS to that folder, where this ComfyUI runs.`);
    const folder = await existing(dirname(place));
    const [{ dev }, { bavail, bsize }] = await Promise.all([stat(folder), statfs(folder)]);
    const part = await stat(`${place}.part`).catch(() => undefined);
    const disk = needs.get(dev) ?? { bytes: 0, free: bavail * bsize, folder };
    needs.set(dev, { ...disk, bytes: disk.bytes + Math.max(0, bytes - (part?.size ?? 0)) });
  }
  for (const { bytes, free, folder } of needs.values())
    if (bytes > free)
      throw new Error(`${inWords(bytes)} are needed on the disk of ${folder}, and ${inWords(free)} are free. Nothing was fetched.`);
}

async function existing(folder: string): Promise<string> {
  for (let at = folder; ; at = dirname(at)) if ((await stat(at).catch(() => undefined))?.isDirectory() || at === dirname(at)) return at;
}

async function fetchOne(file: ModelFile, signal: AbortSignal): Promise<void> {
  const { place } = file;
  if (place === undefined) return;
  say(`${place}  (${about(file)}, ${terms(file)})`);
  if (!process.stdout.isTTY) {
    await download({ ...file, place }, plainListener(), signal);
  } else {
    const bar = new SingleBar({
      format: "{bar} {percentage}%  {done} of {whole}  {eta_formatted} left",
      hideCursor: true,
      clearOnComplete: true,
      etaBuffer: 200,
      stream: process.stdout,
    });
    bar.start(file.bytes, 0, { done: "0 bytes", whole: inWords(file.bytes) });
    try {
      await download({ ...file, place }, barListener(bar), signal);
    } finally {
      bar.stop();
    }
  }
  say(
    file.sha256 === undefined ? "  there; its SHA-256 is not known, so only its form was checked" : "  there; its SHA-256 is the right one",
  );
}

const barListener = (bar: SingleBar): Listener => ({
  progress: (bytes, of) => {
    bar.setTotal(of);
    bar.update(bytes, { done: inWords(bytes), whole: inWords(of) });
  },
  note: (sentence) => void process.stderr.write(`\n${sentence}\n`),
});

/** A line for each further tenth, for logs. */
function plainListener(): Listener {
  let tenth = 0;
  return {
    progress: (bytes, of) => {
      const reached = Math.floor((bytes / of) * 10);
      if (reached > tenth) say(`  ${reached * 10} %, ${inWords(bytes)} of ${inWords(of)}`);
      tenth = reached;
    },
    note: (sentence) => say(`  ${sentence}`),
  };
}

/** @returns exit code 1 if a file that lies there is not the one that is needed */
export async function checkModels(name: string | undefined): Promise<number> {
  const manifest = await readManifest();
  const sets = name === undefined ? manifest.sets : [setOf(name, manifest)];
  const files = new Map(
    sets.flatMap((set) => set.files).flatMap((file) => (file.place === undefined ? [] : [[file.place, file] as const])),
  );
  let [seen, wrong] = [0, 0];
  for (const [place, file] of files) {
    if (!(await stat(place).catch(() => undefined))?.isFile()) {
      // Nobody needs the files of every engine: only those of one that is named are missed.
      if (name !== undefined) say(`missing  ${place}: npx spindle models fetch ${name}`);
      continue;
    }
    seen += 1;
    const { problem, found } = await compare(place, file);
    if (problem) wrong += 1;
    if (problem) say(`wrong  ${place}: ${problem}. Fetch it again: delete it, then npx spindle models fetch ${owner(sets, place)}`);
    else
      say(
        `${file.sha256 === undefined ? "whole" : "right"}  ${place}${file.sha256 === undefined ? ` (no hash to compare with; its SHA-256 is ${found})` : ""}`,
      );
  }
  say(`${seen} of ${files.size} files are there${wrong > 0 ? `, ${wrong} of them wrong` : ""}.`);
  return wrong > 0 ? 1 : 0;
}

const owner = (sets: readonly ModelSet[], place: string): string =>
  sets.find(({ files }) => files.some((file) => file.place === place))?.name ?? "";

async function compare(place: string, file: ModelFile): Promise<{ problem?: string; found: string }> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(place), hash);
  const found = hash.digest("hex");
  if (file.sha256 !== undefined)
    return file.sha256 === found ? { found } : { problem: `its SHA-256 is ${found} instead of ${file.sha256}`, found };
  const problem = await whatIsWrong(basename(place), place);
  return problem === undefined ? { found } : { problem, found };
}

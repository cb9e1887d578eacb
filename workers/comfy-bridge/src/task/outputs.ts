// What ComfyUI's output nodes gave -> the outputs of the graph's nodes, stored as artifacts.
import { type ArtifactRef, MEDIA_TYPES, type RegionInput, type RegionInputGive } from "@spindle/schemas";
import pLimit from "p-limit";
import { ComfyAnswer, MEBIBYTE, TooMuch, unhurried } from "../comfy/answers.ts";
import type { ComfyHttp, FileRef, ViewedFile } from "../comfy/http.ts";
import type { OnSilence } from "../comfy/silence.ts";
import { failure, TaskFailure } from "./errors.ts";
import { isPng, TextFinder, without, withoutText } from "./png.ts";
import type { StoredObject, TaskRuntime } from "./runtime.ts";

type Shown = Record<string, unknown>;
type Outputs = Record<string, Record<string, unknown>>;

const MIME_BY_EXTENSION = new Map(
  Object.entries(MEDIA_TYPES).flatMap(([mime, { extensions }]) => extensions.map((extension) => [extension, mime])),
);

/** Files that one prompt may give: a result names each of them. */
const MOST_FILES = 256;
/** Other prompts of the bridge go on beside a prompt of many files, and few are in memory at once. */
const FILES_AT_ONCE = 4;
/** Bytes of a file that are held; a larger one goes to the store as it comes. */
const MOST_HELD = 8 * MEBIBYTE;

const MEDIUM = /^(?:image|audio|video)\//;

/** Of an exchange of files with a server. */
export interface Watch {
  signal: AbortSignal;
  onLimited: (isLimited: boolean) => void;
  /** For each file that is on its way. */
  onSilence: () => OnSilence;
}

/** Fetches and stores each file once, as soon as somebody asks for it. */
export class Collector {
  readonly objects: StoredObject[] = [];
  private readonly stored = new Map<string, Promise<ArtifactRef | undefined>>();
  private readonly inTurn = pLimit(FILES_AT_ONCE);

  /** @param watch its signal ends what is being fetched, and begins no more */
  constructor(
    private readonly comfy: ComfyHttp,
    private readonly runtime: TaskRuntime,
    private readonly watch: Watch,
  ) {}

  private view(file: FileRef): Promise<ViewedFile> {
    const { signal, onLimited, onSilence } = this.watch;
    return unhurried(() => this.comfy.view(file, signal, onSilence()), signal, onLimited);
  }

  /**
   * @param node whose files they are, in the graph
   * @returns those that have bytes
   * @throws TaskFailure if they are too many with those before them, of which none is fetched then, or if none has bytes
   */
  async files(shown: Shown, node: string): Promise<ArtifactRef[]> {
    const files = filesOf(shown);
    const count = new Set([...this.stored.keys(), ...files.map(nameOf)]).size;
    if (count > MOST_FILES)
      throw failure(
        "user",
        "task.bad_result",
        `ComfyUI gave ${count} files; one prompt may give ${MOST_FILES}. Make a video of them, or smaller batches.`,
        { node },
      );
    const kept = await this.withBytes(files, node);
    if (kept.length === 0 && files.length > 0)
      throw failure(
        "user",
        "comfy.no_output",
        `ComfyUI saved ${(files[0] as FileRef).filename} without a byte in it. Free space on its disk if that is full, else see what the node is given; then run this again.`,
        { node },
      );
    return kept;
  }

  /** Pictures, sounds and videos without a byte, which nothing can show, by their node. */
  readonly empty = new Map<string, Set<string>>();

  private async withBytes(files: readonly FileRef[], node: string): Promise<ArtifactRef[]> {
    const found = await Promise.all(
      files.map(async (file) => ({ file, ref: await this.file(file).catch((error) => notGiven(error, file, node)) })),
    );
    return found.flatMap(({ file, ref }) => {
      if (ref === undefined) this.empty.set(node, (this.empty.get(node) ?? new Set()).add(file.filename));
      return ref ?? [];
    });
  }

  /** Previews there is no room for, by their node. */
  readonly dropped = new Map<string, { dropped: number; all: number }>();

  /** What a node only shows, after all results: as many as there is room for. */
  async previews(shown: Shown, node: string): Promise<ArtifactRef[]> {
    const files = filesOf(shown);
    let room = MOST_FILES - this.stored.size;
    const kept = files.filter((file) => this.stored.has(nameOf(file)) || room-- > 0);
    if (kept.length < files.length) this.dropped.set(node, { dropped: files.length - kept.length, all: files.length });
    return this.withBytes(kept, node);
  }

  private file(file: FileRef): Promise<ArtifactRef | undefined> {
    const name = nameOf(file);
    const known = this.stored.get(name);
    if (known) return known;
    const storing = this.inTurn(() => this.fetch(file));
    storing.catch(() => this.stored.delete(name));
    this.stored.set(name, storing);
    return storing;
  }

  private async fetch(file: FileRef): Promise<ArtifactRef | undefined> {
    this.watch.signal.throwIfAborted();
    const viewed = await this.view(file);
    const mime = MIME_BY_EXTENSION.get(file.filename.split(".").at(-1)?.toLowerCase() ?? "") ?? viewed.mime;
    const { head, isWhole } = await beginningOf(viewed.pieces);
    if (head.length === 0 && MEDIUM.test(mime)) return undefined;
    const kept = isWhole
      ? await this.runtime.store(withoutText(head), mime, "output", file.filename)
      : await this.runtime.storePieces(await this.asItComes(file, viewed.size, isPng(head)), mime, "output", file.filename);
    this.objects.push(kept);
    return kept.ref;
  }

  /** A large file. The store is told its size before its bytes: where that is not known, they are read twice. */
  private async asItComes(file: FileRef, size: number | undefined, isPicture: boolean) {
    const again = async function* (this: Collector) {
      yield* (await this.view(file)).pieces;
    }.bind(this);
    if (size !== undefined && !isPicture) return { size, pieces: again };
    const texts = new TextFinder();
    let whole = 0;
    for await (const piece of again()) {
      whole += piece.length;
      if (isPicture) texts.add(piece);
    }
    const spans = texts.spans;
    const left = spans.reduce((sum, [start, end]) => sum + end - start, 0);
    return { size: whole - left, pieces: () => without(spans, again()) };
  }
}

/** A file that ComfyUI names and does not give. */
export class Ungiven extends TaskFailure {
  constructor(
    readonly status: number,
    message: string,
    node: string,
  ) {
    super({ class: "user", code: "comfy.no_output", message, details: { node } });
  }
}

/** @throws Error that names the file, its node and the next step, where it is the file that is wrong */
function notGiven(error: unknown, { filename }: FileRef, node: string): never {
  const name = filename.slice(0, 200);
  if (error instanceof TooMuch)
    throw new Ungiven(
      error.status,
      `${name} is too large: a file may have ${error.most / MEBIBYTE} MiB. Make a shorter or smaller one, or several.`,
      node,
    );
  if (!(error instanceof ComfyAnswer && (error.status === 400 || error.status === 404))) throw error;
  throw new Ungiven(
    error.status,
    `ComfyUI saved ${name}, and answers ${error.status} when it is asked for it: the file was removed or renamed, or ComfyUI does not give files of such a name. Change the name (filename_prefix), without "..", and run this again.`,
    node,
  );
}

/** Of a file that is larger no more than that is read, and its reading is ended. */
async function beginningOf(pieces: AsyncIterable<Uint8Array>): Promise<{ head: Buffer; isWhole: boolean }> {
  const read: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of pieces) {
    read.push(piece);
    bytes += piece.length;
    if (bytes > MOST_HELD) return { head: Buffer.concat(read), isWhole: false };
  }
  return { head: Buffer.concat(read), isWhole: true };
}

const nameOf = ({ type, subfolder, filename }: FileRef): string => `${type}/${subfolder}/${filename}`;

/** Every list of files, under whatever key: `images`, `gifs` (which are videos), `audio`, `3d`. */
function filesOf(shown: Shown): FileRef[] {
  return Object.values(shown).flatMap((list) =>
    (Array.isArray(list) ? list : []).flatMap((file): FileRef[] => {
      const { filename, subfolder = "", type = "output" } = Object(file) as Partial<FileRef>;
      return typeof filename === "string" ? [{ filename, subfolder: String(subfolder), type: String(type) }] : [];
    }),
  );
}

/**
 * Without those of nodes that ComfyUI did not run because something was blocked: of them it has nothing, not even that they showed nothing.
 * @throws TaskFailure naming the node, if a saver ran and an output that the graph needs is not there
 */
export async function outputsOf(region: RegionInput, shown: Readonly<Record<string, Shown>>, collector: Collector): Promise<Outputs> {
  const outputs: Outputs = {};
  const isOnlyShown = ({ node, from }: RegionInputGive) => isPreview(shown[from] ?? {}, from, node);
  const results = region.gives.filter((give) => !isOnlyShown(give));
  for (const give of [...results, ...region.gives.filter(isOnlyShown)]) {
    if (!Object.hasOwn(shown, give.from)) continue;
    const given = shown[give.from] ?? {};
    const files = await (isOnlyShown(give) ? collector.previews(given, give.node) : collector.files(given, give.node));
    const value = pick(give, shown[give.from] ?? {}, files);
    if (value === undefined && give.from !== give.node)
      throw failure("infra", "comfy.no_output", `ComfyUI ended the prompt without giving ${give.port} of ${give.node}.`, {
        node: give.node,
      });
    if (value !== undefined) outputs[give.node] = { ...outputs[give.node], [give.port]: value };
  }
  return outputs;
}

/** Whether a node of the graph's own shows its files and saves none; savers of ours save for a moment, too. */
export const isPreview = (shown: Shown, from: string, node: string): boolean => {
  const files = filesOf(shown);
  return from === node && files.length > 0 && files.every(({ type }) => type === "temp");
};

/** Which previews and which files were left out, as sentences. */
export const leftOut = ({ dropped: nodes, empty }: Collector): string[] => [
  ...Array.from(
    nodes,
    ([node, { dropped, all }]) =>
      `${dropped} of ${all} previews of ${node} were left out: one prompt may give ${MOST_FILES} files. To keep all, make a video of them, or smaller batches.`,
  ),
  ...Array.from(empty, ([node, files]) => `Left out of ${node}: ${[...files].join(", ")}, in which ComfyUI saved no byte.`),
];

/** Where a saver of ours got a batch and one of it leaves, as sentences: an output node of the graph's own says so by its outputs. */
export function leftBehind({ gives }: RegionInput, shown: Readonly<Record<string, Shown>>): string[] {
  return gives.flatMap(({ node, port, from, pick: what }) => {
    if (from === node || what.endsWith("s")) return [];
    const given = shown[from] ?? {};
    const count = (isOfWords(what) ? textsOf(given) : filesOf(given)).length;
    if (count < 2) return [];
    return [`${port} of ${node}: the first of ${count} leaves ComfyUI. Its settings say what leaves: the first, all, or each by itself.`];
  });
}

const isOfWords = (kind: string): boolean => kind === "text" || kind === "json";

function pick({ pick: what, node, from }: RegionInputGive, shown: Shown, files: readonly ArtifactRef[]): unknown {
  const isList = what.endsWith("s");
  const kind = isList ? what.slice(0, -1) : what;
  if (isOfWords(kind)) {
    const texts = textsOf(shown);
    if (texts.length === 0) return undefined;
    if (isList && from !== node && texts.length === 1 && texts[0] === "None") return []; // what our saver is given of an empty list
    if (isList) return kind === "json" ? texts.map(parsed) : texts;
    // What a node of the graph shows is one text; a saver of ours is given one value at a time.
    const text = from === node ? texts.join("\n") : (texts[0] as string);
    return kind === "json" ? parsed(text) : text;
  }
  const found = files.filter((file) => file.mime.startsWith(`${kind}/`));
  if (isList) return found.length > 0 ? found : undefined;
  return found[0];
}

/** Under `text`, or whatever key a pack's node has for words (`tags`, `string`, `caption`). */
function textsOf(shown: Shown): string[] {
  const wordsOf = (value: unknown): string[] => {
    const all = [value].flat(3);
    return all.every((one) => typeof one === "string") ? all : [];
  };
  const { text, ...others } = shown;
  if (text !== undefined) return [text].flat(3).map((one) => (typeof one === "object" ? JSON.stringify(one) : String(one)));
  return (
    Object.values(others)
      .map(wordsOf)
      .find(({ length }) => length > 0) ?? []
  );
}

/** A number or a truth value as ComfyUI's text shows it. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(/^(True|False|None)$/.test(text) ? text.replace("None", "null").toLowerCase() : text);
  } catch {
    return text;
  }
}

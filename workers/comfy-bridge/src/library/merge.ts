// The libraries of all connected servers as one: each node lists the servers that have it as its engines.
import { createHash } from "node:crypto";
import type { Capability, CapabilityEngine } from "@spindle/schemas";
import { joinFileLists } from "@spindle/schemas/file-lists";
import { parsePython } from "@spindle/schemas/python-json";
import { toCapability, unreadableCapability } from "./capability.ts";

export interface ServerLibrary {
  /** Which stream its tasks go by; also the engine's id. */
  id: string;
  url: string;
  nodes: ReadonlyMap<string, Capability>;
  /** Why a class of the server cannot be used, by its name; it stands among the nodes without inputs and outputs. */
  unreadable?: ReadonlyMap<string, string>;
  live: boolean;
  reason?: string;
}

/** What one server described, class by class. */
export interface Offers extends Required<Pick<ServerLibrary, "nodes" | "unreadable">> {
  /** The hash of each class as the server wrote it, by its name. */
  written: ReadonlyMap<string, string>;
}

/**
 * Each class by itself: one that no capability can be made of costs the others nothing.
 * @param before what the server described earlier: of this a class that is as it was is not made again
 * @returns `before` itself if all classes are
 * @throws SyntaxError if it is not a JSON object
 */
export function readObjectInfo(json: string, before?: Offers): Offers {
  const info = parsePython(json);
  if (info === null || typeof info !== "object" || Array.isArray(info)) throw new SyntaxError("/object_info is no object.");
  const [nodes, unreadable, sources] = [new Map<string, Capability>(), new Map<string, string>(), new Map<string, string>()];
  let isSame = before?.nodes.size === Object.keys(info).length;
  for (const [name, node] of Object.entries(info)) {
    const source = hashOf(node);
    sources.set(name, source);
    const known = source !== "" && before?.written.get(name) === source ? before.nodes.get(name) : undefined;
    if (known) {
      nodes.set(name, known);
      const why = before?.unreadable.get(name);
      if (why !== undefined) unreadable.set(name, why);
      continue;
    }
    isSame = false;
    try {
      nodes.set(name, written(toCapability(name, node)));
    } catch (error) {
      // Whatever a pack's author wrote, it is this class alone that cannot be read.
      unreadable.set(name, error instanceof Error ? error.message : String(error));
      nodes.set(name, unreadableCapability(name));
    }
  }
  return before && isSame ? before : { nodes, unreadable, written: sources };
}

/** Empty for what is nested too deep to be written: such a class is always read again. */
function hashOf(node: unknown): string {
  try {
    return createHash("sha256")
      .update(JSON.stringify(node) ?? "")
      .digest("base64");
  } catch {
    return "";
  }
}

/** Characters of a class, about. */
const MOST_OF_A_CLASS = 8 * 1024 * 1024;
/** Values inside values; those of ComfyUI's own classes are nested nine deep. */
const DEEPEST = 200;

/** @throws Error if it could not be written: something in it is nested too deep, is too large, or is a number that JSON does not have */
function written(capability: Capability): Capability {
  if (sizeOf(capability, 0) > MOST_OF_A_CLASS) throw new Error("it is larger than 8 MiB");
  return capability;
}

/** As JSON, about. Writing it to count takes longer than all else that is done with a class. */
function sizeOf(value: unknown, depth: number): number {
  if (typeof value === "string") return value.length + 3;
  if (typeof value === "number" && !Number.isFinite(value)) throw new Error(`a choice or value in it is ${value}, which cannot be sent`);
  if (value === null || typeof value !== "object") return 8;
  if (depth > DEEPEST) throw new Error("something in it is nested too deep");
  let size = 2;
  if (Array.isArray(value)) for (const item of value) size += sizeOf(item, depth + 1);
  else for (const key in value) size += key.length + 4 + sizeOf(value[key as keyof typeof value], depth + 1);
  return size;
}

/** Bytes. The runtime takes 64 MiB; the classes that come with ComfyUI take some two. */
const MOST_OF_A_MANIFEST = 60 * 1024 * 1024;

/**
 * The manifest as JSON. For more than there is room for the largest classes go, and not all of them: they stand in it without inputs and
 * outputs, with the reason; where even that is too much, the last ones do not.
 */
export function writeManifest(servers: readonly ServerLibrary[], most = MOST_OF_A_MANIFEST): string {
  const entries = mergeLibraries(servers).map((capability) => entryOf(capability));
  let total = entries.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const entry of [...entries].sort((a, b) => b.bytes - a.bytes)) {
    if (total <= most) break;
    const { bytes } = entry;
    Object.assign(entry, entryOf(withoutRoom(entry.capability)));
    total += entry.bytes - bytes;
  }
  for (let last = entries.pop(); last; last = entries.pop()) {
    if (total <= most) {
      entries.push(last);
      break;
    }
    total -= last.bytes;
  }
  return `[${entries.map(({ json }) => json).join(",")}]`;
}

function entryOf(capability: Capability): { capability: Capability; json: string; bytes: number } {
  const json = JSON.stringify(capability);
  return { capability, json, bytes: Buffer.byteLength(json) + 1 };
}

const withoutRoom = ({ id, engines = [] }: Capability): Capability => ({
  ...unreadableCapability(id),
  engines: engines.map((engine) => ({
    ...engine,
    live: false,
    reason: "The ComfyUI servers have more nodes than there is room for, and this is one of the largest. Remove packs that nobody uses.",
  })),
});

export function mergeLibraries(servers: readonly ServerLibrary[]): Capability[] {
  const names = new Set(servers.flatMap((server) => [...server.nodes.keys()]));
  const engines = new Map(servers.map((server) => [server, engineOf(server, undefined)]));
  return Array.from(names, (name) => {
    const having = servers.filter((server) => server.nodes.has(name));
    // What one server describes badly another may describe well.
    const readable = having.filter(({ unreadable }) => !unreadable?.has(name));
    const all = (readable.length > 0 ? readable : having).map((server) => ({ server, capability: server.nodes.get(name) as Capability }));
    const { capability, server: from } = mostUsed(all);
    const alike = all.filter((one) => one.capability.version === capability.version);
    const input = joinFileLists(alike.map((one) => ({ servers: [one.server.id], input: one.capability.io.input })));
    const isOther = new Set(all.filter((one) => !alike.includes(one)).map(({ server }) => server));
    return {
      ...capability,
      io: { ...capability.io, input },
      engines: having.map((server) => (isOther.has(server) ? engineOfOther(server, from) : engineFor(server, name, engines))),
    };
  });
}

interface Describing {
  server: ServerLibrary;
  capability: Capability;
}

/** Of versions of one class, the one that most servers have which answer; of equals that of the first server. */
function mostUsed(all: readonly Describing[]): Describing {
  const count = ({ capability: { version } }: Describing) =>
    all.filter((one) => one.server.live && one.capability.version === version).length;
  return all.reduce((best, one) => (one.capability.version !== best.capability.version && count(one) > count(best) ? one : best));
}

/** A prompt that is made for one version of a class may mean something else to another: nothing of it is sent there. */
function engineOfOther(server: ServerLibrary, first: ServerLibrary): CapabilityEngine {
  const [host, other] = [new URL(server.url).host, new URL(first.url).host];
  const reason = server.live
    ? `${host} has another version of this node than ${other}: its inputs or outputs differ. Update its pack, or ComfyUI itself, on one of them.`
    : server.reason;
  return engineOf({ ...server, live: false, ...(reason ? { reason } : {}) }, undefined);
}

/** One object for all classes of a server that can be read: there are thousands of them. */
function engineFor(server: ServerLibrary, node: string, ofReadable: ReadonlyMap<ServerLibrary, CapabilityEngine>): CapabilityEngine {
  const broken = server.unreadable?.get(node);
  return (broken === undefined ? ofReadable.get(server) : undefined) ?? engineOf(server, broken);
}

/** @param broken why a class of the server cannot be read */
function engineOf({ id, url, live, reason }: ServerLibrary, broken: string | undefined): CapabilityEngine {
  const host = new URL(url).host;
  const why =
    live && broken ? `${host} describes this node in a way that cannot be read (${broken}). Tell the author of its pack.` : reason;
  const isUsable = live && broken === undefined;
  return {
    id,
    label: `ComfyUI at ${host}`,
    plane: "comfy",
    draft: false,
    live: isUsable,
    ...(isUsable ? {} : { reason: why ?? `${host} does not answer.` }),
  };
}

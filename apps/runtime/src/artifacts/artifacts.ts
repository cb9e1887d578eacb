// Artifacts as the rest of the runtime sees them: rows in PostgreSQL, bytes in the store.
import { createHash, randomUUID } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ArtifactRef } from "@spindle/schemas";
import { metrics } from "../metrics.ts";
import { Refused } from "../refused.ts";
import type { Database } from "../store/database.ts";
import { bytesOf, probe, whyNotMedia } from "./probe.ts";
import type { ObjectStore } from "./store.ts";

export const MAX_UPLOAD = 100 * 1024 * 1024;
export type Purpose = "input" | "output" | "preview";

export class Artifacts {
  constructor(
    readonly store: ObjectStore,
    private readonly db: Database,
    private readonly temporary: string,
  ) {}

  /**
   * Takes a file from a person.
   * @param signal ends the work with its reason
   * @throws Refused that names the field, the reason and the limit
   */
  async upload(body: Readable, file: { name: string; kind: string; field: string }, signal?: AbortSignal): Promise<ArtifactRef> {
    const scratch = await this.openScratch();
    try {
      await writeFile(scratch, body);
      if ((body as Readable & { truncated?: boolean }).truncated)
        throw new Refused(413, "artifact.too_large", `${file.field}: the file is larger than ${MAX_UPLOAD / 1024 / 1024} MiB.`, {
          field: file.field,
        });
      const { size } = await scratch.stat();
      const found = await probe(scratch, file.kind, signal);
      if ("why" in found) throw new Refused(422, "artifact.wrong_kind", `${file.field}: ${found.why}.`, { field: file.field });
      const ref: ArtifactRef = {
        artifact: randomUUID(),
        sha256: await hashOf(bytesOf(scratch)),
        size,
        name: file.name.slice(0, 255),
        ...found,
      };
      const key = `input/${ref.artifact}`;
      await this.store.put(key, bytesOf(scratch), size, ref.mime);
      await this.insert(key, ref, "input");
      return ref;
    } finally {
      await scratch.close();
    }
  }

  /** A file without a name: the system removes it with its last descriptor, however this process ends. */
  private async openScratch(): Promise<FileHandle> {
    await mkdir(this.temporary, { recursive: true });
    const path = join(this.temporary, randomUUID());
    const file = await open(path, "wx+", 0o600);
    await rm(path, { force: true }).catch(async (error) => {
      await file.close();
      throw error;
    });
    return file;
  }

  /** Removes files that uploads left behind. One that an upload has open, in another runtime too, has no name and is not found. */
  async sweep(): Promise<void> {
    const names = await readdir(this.temporary).catch(() => []);
    await Promise.all(names.map((name) => rm(join(this.temporary, name), { force: true, recursive: true })));
  }

  /** Stores bytes that a node of the node plane made. */
  async write(bytes: Uint8Array, file: { mime: string; name?: string }): Promise<ArtifactRef> {
    const ref: ArtifactRef = {
      artifact: randomUUID(),
      mime: file.mime,
      sha256: createHash("sha256").update(bytes).digest("hex"),
      size: bytes.length,
      ...(file.name ? { name: file.name.slice(0, 255) } : {}),
    };
    const key = `output/${ref.artifact}`;
    await this.store.put(key, bytes, bytes.length, file.mime);
    await this.insert(key, ref, "output");
    return ref;
  }

  async insert(key: string, ref: ArtifactRef, purpose: Purpose, nodeRunId?: string): Promise<void> {
    const { artifact: id, mime, sha256, size, name, width, height, duration } = ref;
    await this.db.prisma.artifact.create({
      data: {
        id,
        key,
        mime,
        sha256,
        size: BigInt(size),
        purpose,
        name: name ?? null,
        width: width ?? null,
        height: height ?? null,
        duration: duration ?? null,
        nodeRunId: nodeRunId ?? null,
      },
    });
    metrics.artifactBytes.inc({ purpose }, size);
  }

  async find(id: string): Promise<{ key: string; ref: ArtifactRef; purpose: string } | undefined> {
    const row = await this.db.prisma.artifact.findUnique({ where: { id } });
    if (!row) return undefined;
    const known = { name: row.name, width: row.width, height: row.height, duration: row.duration };
    const ref = {
      artifact: row.id,
      mime: row.mime,
      sha256: row.sha256,
      size: Number(row.size),
      ...Object.fromEntries(Object.entries(known).filter(([, value]) => value !== null)),
    } as ArtifactRef;
    return { key: row.key, ref, purpose: row.purpose };
  }

  async read(ref: ArtifactRef): Promise<Buffer> {
    const found = await this.find(ref.artifact);
    if (!found) throw new Refused(404, "artifact.not_found", `There is no artifact ${ref.artifact}.`);
    return Buffer.concat(await (await this.store.get(found.key)).toArray());
  }

  /**
   * Why a stored object is not what was said of it (DESIGN W6), or the reference with what its bytes say besides: the size of a picture, the
   * length of a sound, both of a video. Not every worker knows them, and what comes next may need them.
   */
  async examine(key: string, ref: ArtifactRef): Promise<{ why: string } | { ref: ArtifactRef }> {
    const size = await this.store.size(key);
    if (size === undefined) return { why: "the object is not there" };
    if (size !== ref.size) return { why: `the object has ${size} bytes, not ${ref.size}` };
    const kind = unknownKind(ref);
    const scratch = kind === undefined ? undefined : await this.openScratch();
    try {
      if (scratch) await writeFile(scratch, await this.store.get(key));
      const hash = await hashOf(scratch ? bytesOf(scratch) : await this.store.get(key));
      if (hash !== ref.sha256) return { why: "the object's hash is another one" };
      const why = await this.whyNotMedia(key, ref);
      if (why) return { why };
      return { ref: scratch && kind ? { ...(await factsOf(scratch, kind)), ...ref } : ref };
    } finally {
      await scratch?.close();
    }
  }

  /** Why a stored object is not of the media type that was said of it; undefined if it is, or if nothing is known of such a type. */
  private async whyNotMedia(key: string, { mime, size }: Pick<ArtifactRef, "mime" | "size">): Promise<string | undefined> {
    const beginning = size > 0 ? await this.store.get(key, { start: 0, end: Math.min(size, 64) - 1 }) : Readable.from([]);
    return whyNotMedia(mime, Buffer.concat(await beginning.toArray()));
  }

  async forget(id: string): Promise<void> {
    const found = await this.find(id);
    if (!found) return;
    await this.db.prisma.artifact.delete({ where: { id } });
    const others = await this.db.prisma.artifact.count({ where: { key: found.key } });
    if (others === 0) await this.store.remove(found.key);
  }
}

/** The kind of a picture, sound or video of which something is not known. */
function unknownKind({ mime, size, width, height, duration }: ArtifactRef): "image" | "audio" | "video" | undefined {
  if (size === 0) return undefined;
  const isSized = width !== undefined && height !== undefined;
  if (mime.startsWith("image/") && !isSized) return "image";
  if (mime.startsWith("video/") && !(isSized && duration !== undefined)) return "video";
  return mime.startsWith("audio/") && duration === undefined ? "audio" : undefined;
}

/** What a file says of itself; nothing where it cannot be read: its first bytes were looked at, and the rest is the next node's to judge. */
async function factsOf(file: FileHandle, kind: "image" | "audio" | "video"): Promise<Pick<ArtifactRef, "width" | "height" | "duration">> {
  const found = await probe(file, kind);
  if ("why" in found) return {};
  const { mime: _, ...facts } = found;
  return facts;
}

async function hashOf(body: Readable): Promise<string> {
  const hash = createHash("sha256");
  await pipeline(body, hash);
  return hash.digest("hex");
}

// The library as pages load it: documents that are known by their hash, so that each is sent to a browser once.
import { createHash } from "node:crypto";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { makeCore, makeIndex, withoutOffer } from "@spindle/node-library";
import type { Capability, CombinedManifest } from "@spindle/schemas";

/** Which documents are the library now. */
export interface LibraryHead {
  core: string;
  /** Of ComfyUI's classes; absent where no ComfyUI has ever reported. */
  index?: string;
  /** What the definitions of the classes are asked for by. */
  definitions?: string;
}

export const ENCODINGS = ["br", "gzip"] as const;
export type Encoding = (typeof ENCODINGS)[number];

/** A page that has just heard of a document asks for it; by then the library may have gone on. */
const KEPT_DOCUMENTS = 4;
const KEPT_CLASSES = 2;

const compress: Readonly<Record<Encoding, (text: Buffer) => Promise<Buffer>>> = {
  br: (text) => promisify(brotliCompress)(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 6 } }),
  gzip: (text) => promisify(gzip)(text),
};

/** Compressed when it is first asked for, and once. */
export class LibraryDocument {
  readonly hash: string;
  private readonly compressed = new Map<Encoding, Promise<Buffer>>();

  constructor(readonly text: Buffer) {
    this.hash = createHash("sha256").update(text).digest("hex");
  }

  in(encoding: Encoding): Promise<Buffer> {
    const known = this.compressed.get(encoding) ?? compress[encoding](this.text);
    this.compressed.set(encoding, known);
    return known;
  }
}

export class LibraryDocuments {
  private readonly documents = new Map<string, LibraryDocument>();
  private readonly classes = new Map<string, ReadonlyMap<string, Capability>>();
  private index: { of: string; hash: string } | undefined;

  /** What there is now. */
  now: LibraryHead = { core: "" };

  /** @param classes what the ComfyUI servers last reported, with the hash of that */
  follow(manifest: CombinedManifest, classes: { hash: string; capabilities: readonly Capability[] } | undefined): void {
    const core = this.keep(makeCore(manifest));
    this.now = { core };
    if (!classes) return;
    if (this.index?.of !== classes.hash) this.index = { of: classes.hash, hash: this.keep(makeIndex(classes.capabilities)) };
    if (!this.classes.has(classes.hash))
      put(this.classes, classes.hash, new Map(classes.capabilities.map((capability) => [capability.id, capability])), KEPT_CLASSES);
    this.now = { core, index: this.index.hash, definitions: classes.hash };
  }

  find(hash: string): LibraryDocument | undefined {
    return this.documents.get(hash);
  }

  /** Those of the classes that there are; undefined where the library is another one by now. */
  definitions(hash: string, classes: readonly string[]): LibraryDocument | undefined {
    const known = this.classes.get(hash);
    const found = known && classes.flatMap((id) => known.get(id) ?? []);
    return found && new LibraryDocument(Buffer.from(JSON.stringify(found.map(withoutOffer))));
  }

  private keep(part: object): string {
    const document = new LibraryDocument(Buffer.from(JSON.stringify(part)));
    put(this.documents, document.hash, this.documents.get(document.hash) ?? document, KEPT_DOCUMENTS);
    return document.hash;
  }
}

/** As the newest entry. What has gone unused the longest goes. */
function put<T>(entries: Map<string, T>, key: string, value: T, most: number): void {
  entries.delete(key);
  entries.set(key, value);
  for (const old of entries.keys()) {
    if (entries.size <= most) break;
    entries.delete(old);
  }
}

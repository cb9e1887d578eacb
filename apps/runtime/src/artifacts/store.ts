// DESIGN A2: where bytes lie. Keys are made by this program and never from a user's text.
import type { Readable } from "node:stream";

export interface ByteRange {
  /** First and last byte, both inclusive. */
  start: number;
  end: number;
}

export interface SignedRequest {
  url: string;
  headers: Record<string, string>;
}

export class ObjectNotFound extends Error {
  constructor(key: string) {
    super(`There is no object ${key}.`);
  }
}

export interface ObjectStore {
  readonly kind: "folder" | "s3";
  put(key: string, body: Readable | Uint8Array, size: number, mime: string): Promise<void>;
  /** @throws ObjectNotFound */
  get(key: string, range?: ByteRange): Promise<Readable>;
  /** Size in bytes; undefined if there is no such object. */
  size(key: string): Promise<number | undefined>;
  /** Removes an object; it is no error if there is none. */
  remove(key: string): Promise<void>;
  list(prefix: string): Promise<string[]>;
  /** A request that a worker may make by itself; undefined where the store cannot sign, and the runtime carries the bytes. */
  sign(method: "GET" | "PUT", key: string, mime?: string): Promise<SignedRequest | undefined>;
  /** @throws Error with what is wrong */
  check(): Promise<void>;
}

const KEY = /^(input|staged|output|preview|manifest)\/[A-Za-z0-9/_.-]{1,300}$/;

/** @throws RangeError for a key that this program does not make */
export function assertKey(key: string): void {
  if (!KEY.test(key) || key.includes("..") || key.includes("//"))
    throw new RangeError(`Not an object key: ${JSON.stringify(key.slice(0, 80))}`);
}

// What every object store must do (DESIGN A2). The folder runs it in unit tests, MinIO in the slow suite.
import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { ObjectNotFound, type ObjectStore } from "./store.ts";

const read = async (body: Readable): Promise<Buffer> => Buffer.concat(await body.toArray());

export function storeConformance(name: string, open: () => Promise<ObjectStore>): void {
  describe(name, () => {
    const key = (end: string) => `output/conformance/${end}`;
    test("[A2] gives back what was put, bytes and streams, and overwrites", async () => {
      const store = await open();
      await store.put(key("a"), Buffer.from("first"), 5, "text/plain");
      expect((await read(await store.get(key("a")))).toString()).toBe("first");
      const large = randomBytes(6 * 1024 * 1024);
      await store.put(key("a"), Readable.from([large.subarray(0, 1e6), large.subarray(1e6)]), large.length, "text/plain");
      expect((await read(await store.get(key("a")))).equals(large)).toBe(true);
      expect(await store.size(key("a"))).toBe(large.length);
    });
    test("[A2] gives ranges, both ends included", async () => {
      const store = await open();
      await store.put(key("r"), Buffer.from("0123456789"), 10, "text/plain");
      expect((await read(await store.get(key("r"), { start: 2, end: 4 }))).toString()).toBe("234");
    });
    test("[A2] says that something is not there, and removes it twice without an error", async () => {
      const store = await open();
      await store.put(key("gone"), Buffer.from("x"), 1, "text/plain");
      await store.remove(key("gone"));
      await store.remove(key("gone"));
      expect(await store.size(key("gone"))).toBeUndefined();
      await expect(store.get(key("gone"))).rejects.toThrow(ObjectNotFound);
    });
    test("[A2] lists by prefix", async () => {
      const store = await open();
      await store.put("preview/conformance/p", Buffer.from("x"), 1, "text/plain");
      await store.put(key("l/one"), Buffer.from("x"), 1, "text/plain");
      await store.put(key("l/two"), Buffer.from("x"), 1, "text/plain");
      expect(await store.list("output/conformance/l")).toEqual([key("l/one"), key("l/two")]);
    });
    test("[A2] an empty object is an object", async () => {
      const store = await open();
      await store.put(key("empty"), Buffer.alloc(0), 0, "text/plain");
      expect(await store.size(key("empty"))).toBe(0);
    });
    test.each(["../x", "output/../../etc/passwd", "/etc/passwd", "elsewhere/x", "output/a b", "output//x", ""])(
      "[A1] refuses the key %j",
      async (bad) => {
        const store = await open();
        await expect(store.put(bad, Buffer.from("x"), 1, "text/plain")).rejects.toThrow(RangeError);
        await expect((async () => store.get(bad))()).rejects.toThrow(RangeError);
      },
    );
    test("[A3] a signed request does what it was signed for, and nothing after it was tampered with", async () => {
      const store = await open();
      const put = await store.sign("PUT", key("signed"), "image/png");
      if (!put) return expect(store.kind).toBe("folder");
      expect((await fetch(put.url, { method: "PUT", headers: put.headers, body: "PNG" })).ok).toBe(true);
      const get = await store.sign("GET", key("signed"));
      expect(await (await fetch(get?.url ?? "")).text()).toBe("PNG");
      expect((await fetch((get?.url ?? "").replace(/Signature=..../, "Signature=0000"))).status).toBe(403);
    });
  });
}

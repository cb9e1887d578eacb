// The object store on a real MinIO: its conformance suite, and a run whose previews and outputs are read back from it.
import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { s3Store } from "../../apps/runtime/src/artifacts/s3-store.ts";
import type { ObjectStore } from "../../apps/runtime/src/artifacts/store.ts";
import { storeConformance } from "../../apps/runtime/src/artifacts/store-conformance.testing.ts";
import { type Minio, startMinio } from "../../infra/launch/minio.ts";
import { talkForm } from "../support/samples.ts";
import { ended, startSpindle } from "../support/spindle.ts";

const program = process.env.SPINDLE_MINIO;

describe.runIf(program)("MinIO", () => {
  let folder: string;
  let minio: Minio;
  let store: ObjectStore;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "spindle-minio-"));
    minio = await startMinio(program as string, folder);
    const { S3_ENDPOINT, S3_BUCKET, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY } = minio.env as Record<string, string>;
    store = await s3Store({
      endpoint: S3_ENDPOINT as string,
      bucket: S3_BUCKET as string,
      region: "us-east-1",
      accessKeyId: S3_ACCESS_KEY_ID as string,
      secretAccessKey: S3_SECRET_ACCESS_KEY as string,
    });
  });
  afterAll(async () => {
    await minio?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  storeConformance("conformance", async () => store);

  test("a run keeps its previews and outputs there, each with the hash its row names", async () => {
    const spindle = await startSpindle({ env: minio.env });
    try {
      const { jobId } = await (await fetch(`${spindle.url}/api/infinitetalk`, { method: "POST", body: talkForm() })).json();
      expect((await ended(spindle.url, jobId)).state).toBe("succeeded");
      const db = new pg.Client({ connectionString: spindle.env.DATABASE_URL as string });
      await db.connect();
      const { rows } = await db.query<{ key: string; sha256: string; purpose: string }>("SELECT key, sha256, purpose FROM artifact");
      await db.end();
      for (const purpose of ["input", "output", "preview"]) {
        const known = rows.filter((row) => row.purpose === purpose);
        expect(known.length, purpose).toBeGreaterThan(0);
        for (const { key, sha256 } of known) {
          const bytes = Buffer.concat(await (await store.get(key)).toArray());
          expect(createHash("sha256").update(bytes).digest("hex"), key).toBe(sha256);
        }
      }
    } finally {
      await spindle.stop();
    }
  });
});

// The store's conformance suite on the maintained alternative to MinIO that docs/operations.md names.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe } from "vitest";
import { s3Store } from "../../apps/runtime/src/artifacts/s3-store.ts";
import type { ObjectStore } from "../../apps/runtime/src/artifacts/store.ts";
import { storeConformance } from "../../apps/runtime/src/artifacts/store-conformance.testing.ts";
import { startVersitygw } from "../../infra/launch/versitygw.ts";

const program = process.env.SPINDLE_VERSITYGW;

describe.runIf(program)("Versity S3 Gateway", () => {
  let folder: string;
  let gateway: Awaited<ReturnType<typeof startVersitygw>>;
  let store: ObjectStore;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "spindle-versitygw-"));
    gateway = await startVersitygw(program as string, folder);
    store = await s3Store(gateway.options);
  });
  afterAll(async () => {
    await gateway?.stop();
    await rm(folder, { recursive: true, force: true });
  });
  storeConformance("conformance", async () => store);
});

// A MinIO for tests, built once with Go's own client into the cache. Its repository was archived in April 2026 (docs/operations.md).
import { mkdir } from "node:fs/promises";
import { Supervised } from "./child.ts";
import { buildWithGo } from "./go-toolchain.ts";
import { freePort, until } from "./ports.ts";

const VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c";

export interface Minio {
  readonly pid: number | undefined;
  env: Record<string, string>;
  stop(): Promise<void>;
}

/** The program's path; undefined where the machine has no Go to build it with. */
export const buildMinio = (): Promise<string | undefined> => buildWithGo("minio", "github.com/minio/minio", VERSION);

export async function startMinio(program: string, folder: string): Promise<Minio> {
  await mkdir(folder, { recursive: true });
  const port = await freePort();
  const [user, password] = ["spindle-test", "spindle-test-secret"];
  const process_ = new Supervised({
    name: "minio",
    command: program,
    args: ["server", folder, "--address", `127.0.0.1:${port}`, "--quiet"],
    env: { MINIO_ROOT_USER: user, MINIO_ROOT_PASSWORD: password, MINIO_BROWSER: "off" },
  });
  const endpoint = `http://127.0.0.1:${port}`;
  await until(
    async () => (await fetch(`${endpoint}/minio/health/live`)).ok,
    30_000,
    () => `MinIO does not start:\n${process_.lastLines.join("\n")}`,
  );
  return {
    env: { S3_ENDPOINT: endpoint, S3_ACCESS_KEY_ID: user, S3_SECRET_ACCESS_KEY: password, S3_BUCKET: "spindle-test" },
    get pid() {
      return process_.pid;
    },
    stop: () => process_.stop(),
  };
}

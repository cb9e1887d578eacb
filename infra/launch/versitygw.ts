// The Versity S3 Gateway: the maintained alternative to MinIO that the tests hold to the store's conformance suite.
import { mkdir } from "node:fs/promises";
import { Supervised } from "./child.ts";
import { buildWithGo } from "./go-toolchain.ts";
import { freePort, until } from "./ports.ts";

export const buildVersitygw = (): Promise<string | undefined> =>
  buildWithGo("versitygw", "github.com/versity/versitygw/cmd/versitygw", "v1.8.0");

/** @param folder where the objects lie, as files */
export async function startVersitygw(program: string, folder: string) {
  await mkdir(folder, { recursive: true });
  const port = await freePort();
  const [accessKeyId, secretAccessKey] = ["spindle-test", "spindle-test-secret"];
  const supervised = new Supervised({
    name: "versitygw",
    command: program,
    args: ["--port", `127.0.0.1:${port}`, "posix", folder],
    env: { ROOT_ACCESS_KEY: accessKeyId, ROOT_SECRET_KEY: secretAccessKey },
  });
  const endpoint = `http://127.0.0.1:${port}`;
  await until(
    async () => (await fetch(endpoint)).status === 403,
    30_000,
    () => `The Versity S3 Gateway does not start:\n${supervised.lastLines.join("\n")}`,
  );
  return {
    options: { endpoint, bucket: "spindle-test", region: "us-east-1", accessKeyId, secretAccessKey },
    stop: () => supervised.stop(),
  };
}

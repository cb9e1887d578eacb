// Another runtime on the database, the bus and the store of a Spindle.
import { join } from "node:path";
import { Supervised } from "../../infra/launch/child.ts";
import { ROOT } from "../../infra/launch/paths.ts";
import { freePort } from "../../infra/launch/ports.ts";
import { type Spindle, until } from "./spindle.ts";

/** @param env beside that of the first */
export async function startRuntime(spindle: Spindle, env: Record<string, string> = {}): Promise<{ url: string; process: Supervised }> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const runtime = new Supervised({
    name: "second runtime",
    command: process.execPath,
    args: ["--disable-proto=delete", "--import", "tsx", join(ROOT, "apps/runtime/src/main.ts")],
    cwd: ROOT,
    // One store for both: the first one's folder.
    env: { NODE_ENV: "production", ...spindle.env, PORT: String(port), ...env },
  });
  await until(async () => (await fetch(`${url}/health`)).ok, 60_000, "the second runtime answers");
  return { url, process: runtime };
}

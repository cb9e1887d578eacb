// `npm start`: everything, supervised, at one URL.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { buildDatabaseClient, buildEditor, buildPython } from "./build.ts";
import { endLeftovers, remember, runningLauncher } from "./leftovers.ts";
import { HOME, sharedFolder } from "./paths.ts";
import { portFrom } from "./ports.ts";
import { say } from "./say.ts";
import { startStack } from "./stack.ts";

const REMEMBER_MS = 2000;

export async function start(options: { dev: boolean }): Promise<number> {
  if (await runningLauncher()) {
    const { url } = JSON.parse(await readFile(join(HOME, "server.json"), "utf8")) as { url: string };
    say("Spindle runs in this folder already:");
    console.log(url);
    return 0;
  }
  await Promise.all([buildDatabaseClient(), buildPython("requirements.txt"), options.dev ? undefined : buildEditor()]);
  await endLeftovers();
  const wanted = Number(process.env.PORT ?? 3000);
  const port = await portFrom(wanted, (taken) => say(`port ${taken} is taken; trying the next`));
  const stack = await startStack({
    home: HOME,
    postgres: sharedFolder("postgres"),
    port,
    env: options.dev ? { SPINDLE_DEV: "1", NODE_ENV: "development" } : {},
    onFatal: () => process.exit(1),
  });
  const note = () => remember(Object.entries(stack.processes).map(([name, one]) => ({ name, pid: one?.pid })));
  await note();
  const timer = setInterval(() => void note(), REMEMBER_MS);
  console.log(`\n  Spindle is at ${stack.url}\n`);
  return new Promise((resolve) => {
    let stopping = false;
    const end = async () => {
      if (stopping) return;
      stopping = true;
      clearInterval(timer);
      say("stopping");
      await stack.stop();
      resolve(0);
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => void end());
  });
}

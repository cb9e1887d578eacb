// `npm start`: everything, supervised, at one URL.

import { buildDatabaseClient, buildEditor, buildPython } from "./build.ts";
import { Supervised } from "./child.ts";
import { endLeftovers, remember, runningLauncher } from "./leftovers.ts";
import { HOME, sharedFolder } from "./paths.ts";
import { portFrom } from "./ports.ts";
import { say } from "./say.ts";
import { type Stack, startStack } from "./stack.ts";

const REMEMBER_MS = 2000;

export async function start(options: { dev: boolean }): Promise<number> {
  const url = await runningLauncher();
  if (url !== undefined) {
    say("Spindle runs in this folder already:");
    console.log(url);
    return 0;
  }
  await endLeftovers();
  let stack: Stack | undefined;
  const note = () => remember(stack ? "running" : "starting", stack?.url);
  note();
  const timer = setInterval(note, REMEMBER_MS);
  let ending: Promise<void> | undefined;
  const ended = new Promise<number>((resolve) => {
    const end = async () => {
      clearInterval(timer);
      remember("stopping");
      say("stopping");
      await stack?.stop();
      while (Supervised.all.size > 0) await Promise.all([...Supervised.all].map((one) => one.stop()));
      resolve(0);
    };
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
      process.on(signal, () => {
        ending ??= end();
      });
  });
  const started = async () => {
    await Promise.all([buildDatabaseClient(), buildPython("requirements.txt"), options.dev ? undefined : buildEditor()]);
    const wanted = Number(process.env.PORT ?? 3000);
    const port = await portFrom(wanted, (taken) => say(`port ${taken} is taken; trying the next`));
    stack = await startStack({
      home: HOME,
      postgres: sharedFolder("postgres"),
      port,
      env: options.dev ? { SPINDLE_DEV: "1", NODE_ENV: "development" } : {},
      onFatal: () => process.exit(1),
    });
    if (ending) return;
    note();
    console.log(`\n  Spindle is at ${stack.url}\n`);
  };
  await Promise.race([started(), ended]);
  return ended;
}

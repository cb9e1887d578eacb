// `npm run demo`: the template on its own samples, by the command line; the video lands in demo/.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "./paths.ts";

const SAMPLES = join(ROOT, "templates/samples");
const INPUTS = [
  `portrait=@${join(SAMPLES, "portrait.jpg")}`,
  `voiceSample=@${join(SAMPLES, "voice.wav")}`,
  "refText=The quick crew checked every valve before the final count.",
  "prompt=Welcome to tonight's lecture on deep field photographs. We look at galaxies that are older than the Sun.",
];

export function demo(): Promise<number> {
  const args = ["run", "infinitetalk", ...INPUTS.flatMap((one) => ["--input", one]), "--out", join(ROOT, "demo")];
  const child = spawn(process.execPath, [join(ROOT, "apps/runtime/bin/spindle.mjs"), ...args], { cwd: ROOT, stdio: "inherit" });
  // It ends what it started before it ends itself.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve) => child.on("exit", (code) => resolve(code ?? 1)));
}

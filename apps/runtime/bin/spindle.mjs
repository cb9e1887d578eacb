#!/usr/bin/env node
// The command line, in TypeScript, without a build.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The TypeScript loader; it is missing only before the packages are installed. */
function loader() {
  try {
    return import.meta.resolve("tsx");
  } catch {
    process.stderr.write("spindle: the packages are not installed yet. Run: npm start\n");
    process.exit(1);
  }
}

const main = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
const child = spawn(process.execPath, ["--import", loader(), main, ...process.argv.slice(2)], { stdio: "inherit" });
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code) => process.exit(code ?? 1));

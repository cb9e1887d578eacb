// The one entry behind every npm script. Plain JavaScript without packages: it brings those first, then goes on in TypeScript.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const say = (text) => process.stderr.write(`spindle: ${text}\n`);

function stop(text) {
  say(text);
  process.exit(1);
}

function run(command, args) {
  const done = spawnSync(command, args, { cwd: root, stdio: ["ignore", 2, 2], env: { ...process.env, CI: "true" } });
  if (done.status !== 0) stop(`${command} ${args.join(" ")} ended with ${done.status ?? done.signal}.`);
}

/** Pinned in package.json; kept in the clone's cache, so that nothing of the machine changes. */
function pnpm() {
  const version = JSON.parse(readFileSync(join(root, "package.json"), "utf8")).packageManager.split("@")[1];
  const home = join(root, ".cache/pnpm", version);
  const program = join(home, "node_modules/pnpm/bin/pnpm.cjs");
  if (existsSync(program)) return program;
  say(`installing pnpm ${version} into .cache (the package manager of this workspace)`);
  mkdirSync(home, { recursive: true });
  run("npm", ["install", "--silent", "--no-audit", "--no-fund", "--prefix", home, `pnpm@${version}`]);
  return program;
}

function installPackages() {
  const stamp = join(root, "node_modules/.spindle-lock");
  const wanted = createHash("sha256")
    .update(readFileSync(join(root, "pnpm-lock.yaml")))
    .update(readFileSync(join(root, "package.json")))
    .digest("hex");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) return;
  say("installing the JavaScript packages (pnpm-lock.yaml)");
  run(process.execPath, [pnpm(), "install", "--frozen-lockfile", "--reporter=append-only", "--loglevel=error"]);
  writeFileSync(stamp, wanted);
}

const [major, minor] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) stop(`Node ${process.versions.node} is too old: 20.19 or newer is needed.`);
const [task, ...rest] = process.argv.slice(2);
installPackages();
const child = spawn(process.execPath, ["--import", "tsx", join(root, "infra/main.ts"), task, ...rest], {
  cwd: root,
  stdio: "inherit",
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => process.exit(code ?? (signal ? 1 : 0)));

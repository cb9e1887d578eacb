// The command line as a few JavaScript files in .cache/cli, made again when one of the files it was made from has changed: started from
// its TypeScript it would load and translate some hundred files each time.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const cache = join(root, ".cache/cli");
const stamp = join(cache, "stamp.json");
/** A command loads its last files long before. */
const KEPT_MS = 3_600_000;

/** @returns {Promise<string>} the file to import */
export async function bundledCommandLine() {
  return upToDate() ?? build();
}

function upToDate() {
  const known = readStamp();
  const holds = known && existsSync(join(root, known.main)) && known.inputs.every(([file, is]) => stateOf(file) === is);
  return holds ? join(root, known.main) : undefined;
}

/** Its paths start at the root: a folder that was moved or copied stands for itself. */
function readStamp() {
  try {
    return JSON.parse(readFileSync(stamp, "utf8"));
  } catch {
    return undefined; // nothing was built yet
  }
}

function stateOf(file) {
  const found = statSync(join(root, file), { throwIfNoEntry: false });
  return found ? `${found.size} ${found.mtimeMs}` : "";
}

/** Each build has a folder of its own, so that none changes under a command that runs; old ones go. */
async function build() {
  const { build: bundle } = await import("esbuild");
  const begun = Date.now();
  mkdirSync(cache, { recursive: true });
  const outdir = mkdtempSync(join(cache, "build-"));
  const { metafile } = await bundle({
    entryPoints: [join(root, "apps/runtime/src/cli/main.ts")],
    absWorkingDir: root,
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    platform: "node",
    format: "esm",
    target: "node20.19",
    sourcemap: "linked",
    sourcesContent: false,
    metafile: true,
    logLevel: "error",
    banner: { js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);' },
    plugins: [ownUrls],
  });
  const main = join(outdir, "main.mjs");
  const inputs = [...Object.keys(metafile.inputs), relative(root, fileURLToPath(import.meta.url))];
  // What changed meanwhile may be in it or not, and is as no file ever is: the next command builds again.
  const stateBefore = (file) => (statSync(join(root, file)).mtimeMs < begun ? stateOf(file) : "changed");
  const text = JSON.stringify({ main: relative(root, main), inputs: inputs.map((file) => [file, stateBefore(file)]) });
  const others = upToDate(); // of a command that started at the same time
  if (others) {
    rmSync(outdir, { recursive: true, force: true });
    return others;
  }
  writeFileSync(`${outdir}/stamp.json`, text);
  renameSync(`${outdir}/stamp.json`, stamp);
  const old = readdirSync(cache)
    .filter((name) => name.startsWith("build-"))
    .map((name) => join(cache, name))
    .filter((folder) => folder !== outdir && statSync(folder, { throwIfNoEntry: false })?.mtimeMs < Date.now() - KEPT_MS);
  for (const folder of old) rmSync(folder, { recursive: true, force: true });
  return main;
}

/** Files that lie beside a module are found from where the module lies, not from the bundle. */
const ownUrls = {
  name: "own urls",
  setup: ({ onLoad }) =>
    onLoad({ filter: /apps\/runtime\/src\/.*\.ts$/ }, ({ path }) => ({
      loader: "ts",
      // From a bundle in .cache/cli/build-*.
      contents: readFileSync(path, "utf8").replaceAll(
        "import.meta.url",
        `new URL(${JSON.stringify(`../../../${relative(root, path)}`)}, import.meta.url).href`,
      ),
    })),
};

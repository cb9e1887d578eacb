// The commands of README.md and docs/gpu.md, as they stand there: F5-TTS and RealESRGAN on the CPU, with random weights.
import { execFile, execFileSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PYTHON } from "../../infra/launch/build.ts";
import { ROOT } from "../../infra/launch/paths.ts";
import { getRun, type Spindle, startSpindle } from "../support/spindle.ts";

const ENGINES = ["f5-tts", "realesrgan"];
const PATIENT = { SPINDLE_LEASE_MS: "30000", SPINDLE_RUN_LEASE_MS: "20000" };
const WORKER = join(ROOT, "workers/python-gpu");
/** Where a person stands who calls a command: with the pictures and sounds that it names, and Spindle's packages in reach of npx. */
const folder = mkdtempSync(join(tmpdir(), "spindle-pages-"));
let environment: Record<string, string>;
let spindle: Spindle;

beforeAll(async () => {
  const made = execFileSync(PYTHON, ["-m", "engine_tests.tiny", folder, ...ENGINES], { cwd: WORKER, encoding: "utf8" });
  environment = JSON.parse(made.trim().split("\n").at(-1) ?? "") as Record<string, string>;
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  copyFileSync(join(ROOT, "templates/samples/voice.wav"), join(folder, "me.wav"));
  const ffmpeg = execFileSync(PYTHON, ["-c", "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())"], { encoding: "utf8" }).trim();
  const small = ["-i", join(ROOT, "templates/samples/portrait.jpg"), "-vf", "scale=96:-2", "-frames:v", "1"];
  execFileSync(ffmpeg, ["-v", "error", ...small, join(folder, "me.jpg")]);
  spindle = await startSpindle({ env: { ...environment, ...PATIENT } });
}, 1_800_000);
afterAll(async () => {
  await spindle?.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The lines of a page's code that begin with `npx spindle` and these words, without what is said about them behind #. */
function commands(page: string, words: string): string[] {
  const code = readFileSync(join(ROOT, page), "utf8").matchAll(/^```sh\n(.*?)^```$/gms);
  const lines = [...code].flatMap(([, block = ""]) => block.split("\n")).filter((line) => line.startsWith(`npx spindle ${words}`));
  return lines.map((line) => line.replace(/\s+#\s.*$/, ""));
}

interface Done {
  code: number;
  out: string;
  err: string;
}

function shell(line: string): Promise<Done> {
  const env = { ...process.env, ...environment, SPINDLE_URL: spindle.url };
  return new Promise((done) => {
    execFile("bash", ["-c", line], { cwd: folder, env, maxBuffer: 1 << 26 }, (error, out, err) =>
      done({ code: error === null ? 0 : Number(error.code ?? 1), out, err }),
    );
  });
}

test("the commands of docs/gpu.md say that the engines are ready, and load them", async () => {
  const [list = ""] = commands("docs/gpu.md", "engine list");
  const listed = await shell(list);
  expect(listed.code, listed.err).toBe(0);
  for (const engine of ENGINES) expect(listed.out).toMatch(new RegExp(`^${engine} .*\\n +ready$`, "m"));
  const [check = ""] = commands("docs/gpu.md", "engine check");
  expect(check).toContain(" f5-tts");
  for (const engine of ENGINES) {
    const checked = await shell(check.replace("f5-tts", engine));
    expect(checked.code, checked.err).toBe(0);
    expect(checked.out).toMatch(/^Its files are the right ones, and it loads in/m);
  }
  const [compare = ""] = commands("docs/gpu.md", "models check");
  const compared = await shell(compare);
  expect(compared.out.match(/^right {2}/gm), compared.err).toHaveLength(5);
  for (const engine of ENGINES)
    expect(readFileSync(join(ROOT, "docs/gpu.md"), "utf8")).toContain(`\`npx spindle engine install ${engine}\``);
});

test("the command of README.md makes a video with both engines", async () => {
  const [line = "", ...others] = commands("README.md", "run infinitetalk");
  expect(others).toEqual([]);
  const made = await shell(line);
  expect(made.code, made.err).toBe(0);
  const [, out = ""] = / --out (\S+)/.exec(line) ?? [];
  expect(
    readFileSync(join(folder, out, "video.mp4"))
      .subarray(4, 8)
      .toString(),
  ).toBe("ftyp");
  const { rows } = await spindle.db.query<{ id: string }>("select id from run");
  expect(rows).toHaveLength(1);
  const { nodes } = await getRun(spindle.url, rows[0]?.id ?? "");
  const engines = Object.fromEntries(nodes.map(({ node, engine }) => [node, engine]));
  expect(engines).toMatchObject({ f5_to_tts: "f5-tts", infinite_talk: "drawn-mouth", upscale_video: "realesrgan" });
}, 1_800_000);

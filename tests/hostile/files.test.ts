// Files that mean harm, as the command line reads them: it says what is wrong in a sentence, and ends.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { oddText } from "../../apps/runtime/src/export/odd-graphs.testing.ts";
import { ROOT } from "../../infra/launch/paths.ts";
import { damage, type Random } from "../../packages/graph-model/src/shared-doc/random-updates.testing.ts";
import { bytesAtRandom, everySeed, pick, SEEDS } from "../support/hostile.ts";
import { PORTRAIT, VOICE } from "../support/samples.ts";
import { type Spindle, startSpindle } from "../support/spindle.ts";

const folder = mkdtempSync(join(tmpdir(), "spindle-hostile-"));
let spindle: Spindle;
beforeAll(async () => {
  spindle = await startSpindle({ worker: false });
}, 600_000);
afterAll(async () => {
  await spindle?.stop();
  rmSync(folder, { recursive: true, force: true });
});

function call(args: string[]): Promise<{ code: number | null; err: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(ROOT, "apps/runtime/bin/spindle.mjs"), ...args], {
      cwd: ROOT,
      env: { ...process.env, SPINDLE_HOME: spindle.home },
      stdio: ["ignore", "ignore", "pipe"],
    });
    let err = "";
    child.stderr.on("data", (chunk) => (err += chunk));
    child.on("close", (code) => resolve({ code, err }));
  });
}

const DEEP = 100_000;
const media = [PORTRAIT, VOICE, join(ROOT, "workers/comfy-bridge/test/fake/small.mp4")].map((path) =>
  readFileSync(path).subarray(0, 60_000),
);

/** A file of the kinds that people have: a graph, media with something inside, or neither. */
function fileOf(next: Random): Uint8Array {
  const text = oddText(Math.floor(next() * 2 ** 30));
  const made: (() => Uint8Array)[] = [
    () => Buffer.from(text),
    () => damage(Buffer.from(text), bytesAtRandom(next, 50), next),
    () => Buffer.from(`\ufeff${text}`, pick(next, ["utf8", "utf16le", "latin1"] as const)),
    () => Buffer.from(pick(next, ["[", '{"a":', '{"nodes":['] as const).repeat(DEEP)),
    () => damage(pick(next, media), bytesAtRandom(next, 50), next),
    () => Buffer.concat([pick(next, media), Buffer.from(`workflow\0${text}`)]),
    () => bytesAtRandom(next, 4000),
    () => new Uint8Array(0),
  ];
  return pick(next, made)();
}

const FILES = Math.ceil(SEEDS / 4);

test(`[G6] ${FILES} hostile files are read, checked, exported and run, or refused in words`, async () => {
  let files = 0;
  await everySeed(async (next) => {
    const path = join(folder, `${files++}.json`);
    writeFileSync(path, fileOf(next));
    for (const args of [
      ["validate", path],
      ["import", path],
      ["export", path, "--to", pick(next, ["langgraph-json", "langgraph", "mermaid", "comfyui"])],
      ["run", path, "--dry"],
    ]) {
      const { code, err } = await call(args);
      expect([0, 1], `${args}: ${err}`).toContain(code);
      expect(err, String(args)).not.toMatch(/\n {4}at |Error:/);
      if (code === 1 && args[0] !== "validate") expect(err.trim(), String(args)).not.toBe("");
    }
  }, FILES);
  expect((await fetch(`${spindle.url}/health`)).ok).toBe(true);
}, 600_000);

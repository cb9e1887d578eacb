// `npm start` and `npm run demo` from the outside: what they print is true when they print it, and nothing stays behind.
import { existsSync } from "node:fs";
import { readdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildDatabaseClient, buildEditor } from "../../infra/launch/build.ts";
import { ROOT } from "../../infra/launch/paths.ts";
import { HeldWorker, Home } from "../support/launcher.ts";
import { talkForm } from "../support/samples.ts";
import { ended, health, until } from "../support/spindle.ts";

const VIDEO = join(ROOT, "demo/video.mp4");
const PATIENCE_MS = 240_000;

let home: Home;
beforeAll(async () => {
  home = await Home.make();
  await buildDatabaseClient();
  await buildEditor();
}, 600_000);
afterAll(() => home?.remove());

async function talk(url: string): Promise<string> {
  const answer = await fetch(`${url}/api/infinitetalk`, { method: "POST", body: talkForm() });
  const body = await answer.json();
  expect(answer.status, JSON.stringify(body)).toBe(202);
  return body.jobId;
}

test("the editor is built for use, whatever this process is for: React has no warnings to give", async () => {
  const assets = join(ROOT, "apps/editor/build/client/assets");
  const scripts = (await readdir(assets)).filter((name) => name.endsWith(".js"));
  const texts = await Promise.all(scripts.map((name) => readFile(join(assets, name), "utf8")));
  expect(scripts.filter((_, at) => texts[at]?.includes("Encountered two children with the same key"))).toEqual([]);
  expect(texts.some((text) => text.includes("Minified React error"))).toBe(true);
});

describe("a start", () => {
  test(
    "[L3] prints its URL when its worker has reported, however late: the first run ends",
    async () => {
      const worker = new HeldWorker(home);
      const start = home.run("start", worker.env);
      await worker.isMissed();
      expect(start.out, "a URL that is printed is one to run on").toBe("");
      worker.release();
      const url = await start.url();
      expect((await health(url)).parts.python).toBe("up");
      expect((await ended(url, await talk(url))).state).toBe("succeeded");
      const second = home.run("start");
      expect([await second.ended, await second.url()]).toEqual([0, url]);
      expect(second.err).toContain("runs in this folder already");
    },
    PATIENCE_MS,
  );
  test(
    "[L2] while the former one stops waits for its end; of two that wait, one starts and the other joins it",
    async () => {
      const { launcher, children } = home.written();
      // Processes that do not hear the signal keep the former one stopping until both have come.
      const deaf = children.filter(({ name }) => name === "worker" || name === "runtime");
      for (const { pid } of deaf) process.kill(pid, "SIGSTOP");
      process.kill(launcher.pid, "SIGTERM");
      await until(async () => home.written().launcher.phase === "stopping", 60_000, "the former one stops");
      const both = [home.run("start"), home.run("start")];
      const wait = async () => both.every((next) => next.err.includes("Spindle is stopping in this folder"));
      await until(wait, 15_000, "both wait");
      for (const { pid } of deaf) if (existsSync(`/proc/${pid}`)) process.kill(pid, "SIGCONT");
      const urls = await Promise.all(both.map((next) => next.url()));
      expect(urls[0]).toBe(urls[1]);
      expect((await health(String(urls[0]))).status).toBe("up");
      await Promise.race(both.map((next) => next.ended));
      expect(both.map((next) => next.process.exitCode).sort()).toEqual([0, null]);
    },
    PATIENCE_MS,
  );
  test(
    "[L2] after kill -9 of the former launcher ends what that one left",
    async () => {
      const before = home.written();
      process.kill(before.launcher.pid, "SIGKILL");
      const next = home.run("start");
      const url = await next.url();
      expect(next.err).toMatch(/ending what an earlier start left behind: .*runtime/);
      expect((await health(url)).status).toBe("up");
      const now = home.written();
      expect(now.launcher.pid).not.toBe(before.launcher.pid);
      expect(now.children.map(({ name }) => name).sort()).toEqual(["postgres", "redis", "runtime", "worker"]);
      for (const { pid } of before.children) expect(now.children.map((one) => one.pid)).not.toContain(pid);
    },
    PATIENCE_MS,
  );
  test(
    "that is ended while it starts leaves nothing",
    async () => {
      process.kill(home.written().launcher.pid, "SIGTERM");
      const next = home.run("start", new HeldWorker(home).env);
      const isUnderWay = async () => {
        const { launcher, children } = home.written();
        return launcher.phase === "starting" && children.some(({ name }) => name === "runtime");
      };
      await until(isUnderWay, 60_000, "the runtime is started");
      next.process.kill("SIGTERM");
      expect([await next.ended, next.out, home.running()]).toEqual([0, "", []]);
    },
    PATIENCE_MS,
  );
});

describe("the demo", () => {
  test(
    "[L1] where nothing runs starts the product, makes the video and ends everything",
    async () => {
      await rm(VIDEO, { force: true });
      const empty = await Home.make(); // elsewhere the video comes from the cache
      const worker = new HeldWorker(empty);
      const demo = empty.run("demo", worker.env);
      try {
        await worker.isMissed();
        expect(demo.err).not.toContain("no engine of");
        worker.release();
        expect(await demo.ended, demo.err).toBe(0);
        expect((await stat(VIDEO)).size).toBeGreaterThan(10_000);
        expect(empty.running()).toEqual([]);
      } finally {
        await empty.remove();
      }
    },
    PATIENCE_MS,
  );
  test(
    "whose worker never comes names the plane, fails with what to do, and ends everything",
    async () => {
      const empty = await Home.make(); // elsewhere a worker that reported in the last minute counts
      const demo = empty.run("demo", new HeldWorker(empty).env);
      try {
        expect(await demo.ended).toBe(1);
        expect(demo.err).toContain("no worker of the python plane has reported");
        expect(demo.err).toMatch(/No Python worker answers\. .+ can run on .+ Start a Python worker/);
        expect(empty.running()).toEqual([]);
      } finally {
        await empty.remove();
      }
    },
    PATIENCE_MS,
  );
});

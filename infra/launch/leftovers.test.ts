// Starts of one folder, all at the same moment: each in a process of its own, since a turn is a process's.
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";

const home = mkdtempSync(join(tmpdir(), "spindle-turns-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** Says "mine" once the others have joined it, or says whose launcher it joins. */
const START = `
  const { remember, runningLauncher } = await import(${JSON.stringify(join(import.meta.dirname, "leftovers.ts"))});
  while (Date.now() < Number(process.argv[1])) await new Promise((resolve) => setTimeout(resolve, 1));
  const url = await runningLauncher();
  if (url === undefined) {
    await new Promise((resolve) => setTimeout(resolve, 300)); // it ends what an earlier start left
    remember("starting");
    await new Promise((resolve) => setTimeout(resolve, 300));
    remember("running", "http://one");
    await new Promise((resolve) => process.stdin.once("data", resolve));
  }
  console.log(url ?? "mine");
  process.exit(0);
`;

test("of six starts at once one is the launcher, also where a turn was left by one that was killed", async () => {
  writeFileSync(join(home, "processes.json.turn.1"), JSON.stringify({ name: "launcher", pid: 2 ** 22 + 1, born: "1" }));
  const at = String(Date.now() + 2500);
  const starts = Array.from({ length: 6 }, () => {
    const ended = promisify(execFile)(process.execPath, ["--import", "tsx", "--input-type=module", "-e", START, at], {
      env: { ...process.env, SPINDLE_HOME: home },
    });
    return { child: ended.child, said: ended.then(({ stdout }) => stdout.trim()) };
  });
  const joined: string[] = [];
  await new Promise<void>((resolve) => {
    for (const { said } of starts) said.then((word) => joined.push(word) === starts.length - 1 && resolve());
  });
  for (const { child } of starts) child.stdin?.end("go on\n");
  expect((await Promise.all(starts.map(({ said }) => said))).sort()).toEqual([...Array(5).fill("http://one"), "mine"]);
  expect(readdirSync(home).map((name) => name.replace(/\d+$/, "N"))).toEqual(["processes.json", "processes.json.turn.N"]);
}, 60_000);

// The command line as a person calls it: exit codes, standard output and standard error.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { RELEASE } from "../../apps/runtime/src/store/release.ts";
import { ROOT } from "../../infra/launch/paths.ts";
import { PORTRAIT, talkForm, VOICE } from "../support/samples.ts";
import { graphOf, node, type Spindle, startSpindle, wire } from "../support/spindle.ts";

const folder = mkdtempSync(join(tmpdir(), "spindle-cli-"));
const file = (name: string, content: unknown): string => {
  const path = join(folder, name);
  writeFileSync(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
};

function spindle(args: string[], env: Record<string, string> = {}): Promise<{ code: number | null; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(ROOT, "apps/runtime/bin/spindle.mjs"), ...args], {
      cwd: ROOT,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [out, err] = ["", ""];
    child.stdout.on("data", (chunk) => (out += chunk));
    child.stderr.on("data", (chunk) => (err += chunk));
    child.on("close", (code) => resolve({ code, out, err }));
  });
}

const good = graphOf(
  [node("a", "text.template", { template: "Hi {{text}}" }), node("b", "output.preview")],
  [wire("a", "text", "b", "value")],
);

test("is bundled once, again when one of its sources has changed, and never under a command that runs", async () => {
  const cache = join(ROOT, ".cache/cli");
  const stamp = () => JSON.parse(readFileSync(join(cache, "stamp.json"), "utf8")) as { main: string; inputs: [string, string][] };
  const built = () => join(ROOT, stamp().main);
  const source = join(ROOT, "apps/runtime/src/cli/offline.ts");
  utimesSync(source, new Date(), new Date());
  await spindle(["--version"]);
  const first = built();
  expect((await spindle(["capabilities"])).code).toBe(0);
  expect(built()).toBe(first);
  utimesSync(source, new Date(), new Date());
  expect((await Promise.all([spindle(["capabilities"]), spindle(["capabilities"])])).map(({ code }) => code)).toEqual([0, 0]);
  expect(built()).not.toBe(first);
  expect(existsSync(first)).toBe(true);
  // A checkout that is moved or copied must not run the one it came from.
  expect([stamp().main, ...stamp().inputs.map(([file]) => file)].filter(isAbsolute)).toEqual([]);
  expect(readFileSync(built(), "utf8")).not.toContain(ROOT);
});

test("npx starts it as it lies here, and installs nothing first", async () => {
  const cache = join(folder, "npm");
  const { stdout } = await promisify(execFile)("npx", ["spindle", "--version"], {
    cwd: ROOT,
    env: { ...process.env, npm_config_cache: cache, npm_config_registry: "http://127.0.0.1:9" },
  });
  expect(stdout.trim()).toBe(RELEASE);
  // There npx would keep what it installs, this workspace included, were the command line one of its own package.
  expect(existsSync(join(cache, "_npx"))).toBe(false);
});

describe("without a server", () => {
  test("whose reader has enough ends without a complaint", async () => {
    const graph = graphOf(Array.from({ length: 3000 }, (_, index) => node(`n${index}`, "nope")));
    const child = spawn(process.execPath, [join(ROOT, "apps/runtime/bin/spindle.mjs"), "validate", file("long.json", graph)], {
      cwd: ROOT,
    });
    let said = "";
    child.stderr.on("data", (chunk) => (said += chunk));
    child.stdout.once("data", () => child.stdout.destroy());
    await once(child, "close");
    expect(said).toBe("");
  });

  test("[G6] validate: 0 and no error, or 1 and each issue with its place", async () => {
    expect((await spindle(["validate", file("good.json", good)])).code).toBe(0);
    const bad = await spindle(["validate", file("bad.json", graphOf([node("a", "nope"), node("a", "json.pick")])), "--json"]);
    expect(bad.code).toBe(1);
    expect(JSON.parse(bad.out).map((one: { code: string }) => one.code)).toEqual(
      expect.arrayContaining(["node.unknown_capability", "node.duplicate_id", "input.missing"]),
    );
    for (const [name, text] of [
      ["text.json", "{"],
      ["deep.json", `${"[".repeat(50_000)}`],
      ["big.json", "x".repeat(3_000_000)],
    ] as const) {
      const answer = await spindle(["validate", file(name, text), "--json"]);
      expect(answer.code, name).toBe(1);
      expect(JSON.parse(answer.out)[0].severity).toBe("error");
    }
    const doubled = Array.from({ length: 22 }, (_, index) => [
      `d${index}`,
      {
        nodes: ["a", "b"].map((id) =>
          index === 21 ? node(id, "output.preview") : node(id, "graph.call", { definition: `d${index + 1}` }),
        ),
      },
    ]);
    const graph = graphOf([node("all", "graph.call", { definition: "d0" })], [], { definitions: Object.fromEntries(doubled) });
    const many = await spindle(["validate", file("many.json", graph), "--json"]);
    expect([many.code, JSON.parse(many.out).find((one: { severity: string }) => one.severity === "error").code]).toEqual([
      1,
      "run.too_large",
    ]);
    expect((await spindle(["validate", join(folder, "none.json")])).code).toBe(1);
    expect((await spindle(["validate", file("mark.json", `\uFEFF${JSON.stringify(good)}`)])).code).toBe(0);
    const printed = await spindle(["validate", file("escape.json", graphOf([node("a", "no\u001b[2J\r\nerror: \u009b1m")]))]);
    expect(printed.out.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
    expect(printed.out).toContain("no\\u001b[2J\\u000d\\u000aerror: ");
  });
  test("[G8] import and export: the result on standard output, issues on standard error, 1 only without a result", async () => {
    const odd = file("odd.json", graphOf([node("a", "nope")]));
    const imported = await spindle(["import", odd]);
    expect([imported.code, JSON.parse(imported.out).nodes[0].id]).toEqual([0, "a"]);
    expect(imported.err).toContain("node.unknown_capability");
    const program = await spindle(["export", file("good.json", good), "--to", "langgraph"]);
    expect(program.out, program.err).toContain("export async function run(");
    const wire = { from: "list", to: "ask", metadata: { sourcePort: "value", targetPort: "value", map: {} } };
    const people = graphOf([node("list", "constant.array", { value: [1, 2] }), node("ask", "human.ask_person")], [wire]);
    const refused = await spindle(["export", file("people.json", people), "--to", "langgraph"]);
    expect([refused.code, refused.out]).toEqual([1, ""]);
    expect(refused.err).toMatch(/Ask once, before or after the map.* \[export\.person_in_map; node ask\]/);
    expect((await spindle(["export", file("good.json", good), "--to", "mermaid"])).out).toMatch(/^flowchart LR\n {2}n0\("a"\)/);
    expect((await spindle(["export", odd, "--to", "png"])).code).toBe(1);
    const comfy = await spindle(["import", file("comfy.json", '{"1":{"class_type":"KSampler","inputs":{}}}')]);
    expect([comfy.code, JSON.parse(comfy.out).nodes[0]]).toMatchObject([0, { service: "KSampler", plane: "comfy" }]);
    expect(comfy.err).toContain("is not in the library of the comfy plane");
  });
  test("engine: what each GPU engine needs, and a name that there is none of", async () => {
    const { out, code } = await spindle(["engine", "list"]);
    expect(code).toBe(0);
    expect(out).toMatch(/f5-tts .*licence CC-BY-NC-4.0.*no commercial use/);
    expect(out).toContain("npx spindle engine install realesrgan");
    expect(await spindle(["engine", "check", "nothing"])).toMatchObject({ code: 1, err: expect.stringContaining("There are: f5-tts") });
  });
  test("capabilities", async () =>
    expect((await spindle(["capabilities"])).out).toMatch(/python\s+generate\.infinite_talk .*drawn-mouth \(draft\)/));
});

describe("on a server behind a proxy", () => {
  const SECRET = "what-only-the-proxy-knows";
  let server: Spindle;
  beforeAll(async () => {
    server = await startSpindle({ env: { SPINDLE_PROXY_SECRET: SECRET } });
  });
  afterAll(() => server?.stop());
  const address = () => ({ SPINDLE_URL: server.url, SPINDLE_PROXY_SECRET: SECRET });

  test("[S2] people come through the proxy; probes and workers do not, and workers bring their key", async () => {
    const status = (path: string, init?: RequestInit) => fetch(server.url + path, init).then((answer) => answer.status);
    const proxied = { headers: { "x-spindle-proxy": SECRET } };
    const people = ["/", "/api/jobs", "/api/capabilities", "/trpc/templates.list", "/api/artifacts/x", "/nothing"];
    for (const path of people) expect(await status(path), path).toBe(403);
    expect(await status("/api/infinitetalk", { method: "POST", body: talkForm() })).toBe(403);
    expect(await status("/api/jobs", proxied)).toBe(200);
    expect(await status("/trpc/templates.list", proxied)).toBe(200);
    for (const path of ["/health", "/metrics"]) expect(await status(path), path).toBe(200);
    expect(await status("/tasks/00000000-0000-0000-0000-000000000000.1.1/input")).toBe(401);
    expect(await status("/workers/comfy/manifest", { method: "PUT", headers: { "content-type": "application/json" }, body: "[]" })).toBe(
      401,
    );
    for (const path of ["/tasks/none", "/workers", "/workers/none"]) expect(await status(path), path).toBe(404);
    expect(await status("/health", { headers: { origin: "https://evil.example" }, method: "POST" })).toBe(403);
  });
  test("[G4] a run that needs the workers ends, and its result is fetched", async () => {
    const out = join(folder, "video");
    const inputs = [`portrait=@${PORTRAIT}`, `voiceSample=@${VOICE}`, "refText=The quick crew.", "prompt=Welcome."];
    const done = await spindle(["run", "infinitetalk", ...inputs.flatMap((input) => ["--input", input]), "--out", out], address());
    expect([done.code, readdirSync(out)], done.err).toEqual([0, ["video.mp4"]]);
    const stranger = await spindle(["run", "infinitetalk", "--input", "prompt=x"], { SPINDLE_URL: server.url });
    expect([stranger.code, stranger.err]).toEqual([1, expect.stringContaining("did not come through the proxy")]);
  });

  test("[G4] run writes the results, and answers 1 with the field and the reason for an input that is refused", async () => {
    const out = join(folder, "out");
    const done = await spindle(["run", file("good.json", good), "--input", "text=you", "--out", out], address());
    expect([done.code, readdirSync(out)], done.err).toEqual([0, ["value.txt"]]);
    expect(readFileSync(join(out, "value.txt"), "utf8")).toBe("Hi you");
    const dry = await spindle(["run", file("good.json", good), "--input", "text=you", "--dry"], address());
    expect([dry.code, dry.out], dry.err).toEqual([0, expect.stringMatching(/^a +runs +.*\n.*About \d/s)]);
    for (const [inputs, reason] of [
      [[`portrait=@${PORTRAIT}`, "prompt="], /prompt: the text is empty/],
      [[`portrait=@${PORTRAIT}`, `prompt=${"x".repeat(10_001)}`], /prompt: .*10000/],
      [[`portrait=@${file("no.jpg", "no picture")}`, "prompt=x"], /portrait: .*not a picture/],
      [["prompt=x"], /portrait: .*needed/],
    ] as const) {
      const answer = await spindle(["run", "infinitetalk", ...inputs.flatMap((input) => ["--input", input])], address());
      expect(answer.code).toBe(1);
      expect(answer.err).toMatch(reason);
    }
    expect((await spindle(["run", "nothing"], address())).err).toContain("There are: infinitetalk");
  });
});

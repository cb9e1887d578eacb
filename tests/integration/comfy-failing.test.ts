// ComfyUI servers that answer, and fail: one of several that have the same at all that it is given, another at one file of many.
import type { ServerResponse } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { comfy, logOf } from "../support/comfy.ts";
import { HostileComfy } from "../support/hostile-comfy.ts";
import { ended, getSystem, graphOf, type Spindle, startRun, startSpindle, until, wire } from "../support/spindle.ts";

let fakes: HostileComfy[];
let spindle: Spindle;
beforeAll(async () => {
  fakes = await Promise.all([HostileComfy.start(), HostileComfy.start()]);
  spindle = await startSpindle({ worker: false, env: { COMFY_URL: fakes.map(({ url }) => url).join(",") } });
  await until(async () => (await getSystem(spindle.url)).servers.filter(({ live }) => live).length === 2, 60_000, "both have reported");
});
afterAll(async () => {
  for (const fake of fakes ?? []) fake.repent();
  await spindle?.stop();
  for (const fake of fakes ?? []) await fake.stop();
});

let count = 0;
const picture = () =>
  graphOf([comfy("make", "EmptyImage", { color: ++count }), comfy("show", "PreviewImage")], [wire("make", "IMAGE", "show", "images")]);
const run = async () => ended(spindle.url, await startRun(spindle.url, picture()));

test("[M4] a server that fails at what it is given comes last, and the system page says why", async () => {
  const before = fakes.map(({ fake }) => fake.prompts.length);
  expect((await run()).error).toBeNull();
  const usual = fakes.find(({ fake }, at) => fake.prompts.length > (before[at] as number)) as HostileComfy;
  const other = fakes.find((each) => each !== usual) as HostileComfy;
  usual.answers = (call) =>
    call === "POST /prompt"
      ? (response) => void response.writeHead(200, { "content-type": "text/html" }).end("<html>Log in</html>")
      : undefined;
  expect((await run()).error, "it is not known yet").toMatchObject({ code: "comfy.no_access" });
  const prompts = other.fake.prompts.length;
  for (let time = 0; time < 3; time++) expect((await run()).error).toBeNull();
  expect(other.fake.prompts).toHaveLength(prompts + 3);
  const servers = (await getSystem(spindle.url)).servers;
  const reasonOf = ({ url }: HostileComfy) => servers.find(({ address }) => address.includes(new URL(url).host))?.reason;
  expect(reasonOf(usual)).toMatch(
    /^The last 3 tasks there failed, since .*login may be before it.*Other servers that can run a node are chosen first\.$/,
  );
  expect(reasonOf(other)).toBeNull();
});

test("[W6, E13] of a batch the one file that is no picture is left out, the others stay, and the log names it", async () => {
  let views = 0;
  const noise = (call: string) => {
    if (call !== "GET /view" || views++ > 0) return undefined;
    return (response: ServerResponse) => void response.writeHead(200, { "content-type": "image/png" }).end("noise");
  };
  for (const fake of fakes) fake.answers = noise;
  const graph = graphOf(
    [comfy("make", "EmptyImage", { batch_size: 3, color: ++count }), comfy("save", "SaveImage")],
    [wire("make", "IMAGE", "save", "images")],
  );
  const view = await ended(spindle.url, await startRun(spindle.url, graph));
  expect(view.error).toBeNull();
  const [save] = view.nodes.filter(({ node }) => node === "save") as unknown as { output: { image: object; images: object[] } }[];
  expect(save?.output.images).toHaveLength(2);
  expect(save?.output.images).toContainEqual(save?.output.image);
  expect(await logOf(spindle.url, view.id, "save")).toMatch(/^A file was left out: \S+\.png: the bytes are not image\/png\.$/m);
});

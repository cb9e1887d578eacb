// Nodes that are odd in the ways of real packs, through a whole Spindle. Against the fake, which plays what a real ComfyUI said to the same
// prompts; with SPINDLE_COMFY_UNDER_TEST, the URL of a real one that has workers/comfy-bridge/test/odd-pack, against that.
import { afterAll, beforeAll, expect, test } from "vitest";
import type { FakeComfy } from "../../workers/comfy-bridge/test/fake/fake-comfy.ts";
import { readConversation } from "../../workers/comfy-bridge/test/fake/program.ts";
import { type ComfySpindle, comfy, logOf, startAnyComfySpindle } from "../support/comfy.ts";
import { ended, getRun, graphOf, node, startRun, until, wire } from "../support/spindle.ts";

let spindle: ComfySpindle<FakeComfy | undefined>;
beforeAll(async () => {
  spindle = await startAnyComfySpindle({ worker: false, offers: "OddLists" }, (fake) => fake.addOddPack());
});
afterAll(() => spindle?.stop());

const preview = (id: string) => node(id, "output.preview");
type Graph = Parameters<typeof graphOf>;

/** One prompt, as it was recorded: it is sent as it was then, and what the real one said follows. */
async function run(recording: string, ...graph: Graph) {
  const { fake } = spindle;
  if (fake) fake.plays = [readConversation(recording)];
  const view = await ended(spindle.url, await startRun(spindle.url, graphOf(...graph)));
  if (fake) expect(fake.prompts.at(-1)?.prompt).toEqual(readConversation(recording).prompt);
  const of = (id: string) => view.nodes.find((one) => one.node === id);
  return { view, of, shown: (id: string) => (of(id)?.output as { value?: unknown } | undefined)?.value };
}

const picture = comfy("make", "EmptyImage", { width: 16, height: 8, batch_size: 1, color: 0x204060 });

test("choices, names that are lists, numbers as text and names with slashes reach the nodes as they are", async () => {
  const { view, shown } = await run(
    "odd_values",
    [
      comfy("first", "OddChoice", { side: "right" }),
      comfy("second", "OddChoice"),
      comfy("names", "OddNames"),
      comfy("v3", "OddV3", { side: "left", amount: 0.25 }),
      comfy("combos", "OddCombos", { mixed: 2.5, several: ["left", "right"] }),
      comfy("numbers", "OddNumbers"),
      comfy("text", 'Odd/Text "🦄" (odd)'),
      comfy("one", "StringConcatenate", { delimiter: " / " }),
      comfy("two", "StringConcatenate", { delimiter: " / " }),
      preview("side"),
      preview("all"),
      preview("amount"),
    ],
    [
      wire("first", "COMBO", "second", "side"),
      wire("second", "STRING", "text", "who/what 🦄"),
      wire("names", "FLOAT", "numbers", "both"),
      wire("v3", "Amount", "numbers", "plain"),
      wire("text", "wört/er 🦄", "one", "string_a"),
      wire("combos", "STRING", "one", "string_b"),
      wire("one", "STRING", "two", "string_a"),
      wire("numbers", "STRING", "two", "string_b"),
      wire("two", "STRING", "all", "value"),
      wire("second", "COMBO", "side", "value"),
      wire("v3", "Amount", "amount", "value"),
    ],
  );
  expect(view.error).toBeNull();
  expect(shown("all")).toBe("hello right hand / 'right' 'left' 16 2.5 'left' ['left', 'right'] None / 1.5 2.5 7 0.25");
  expect(shown("side")).toBe("right");
  expect(shown("amount")).toBe(0.25);
});

test("lists leave as lists, and a node that takes whole lists gets them", async () => {
  const { view, shown } = await run(
    "odd_lists",
    [
      comfy("lists", "OddLists", { count: 3 }),
      comfy("join", "OddJoin", { between: " + " }),
      preview("images"),
      preview("numbers"),
      preview("texts"),
      preview("shares"),
      preview("flags"),
      preview("joined"),
    ],
    [
      ...["images", "numbers", "texts", "shares", "flags"].map((name) => wire("lists", name, name, "value")),
      wire("lists", "texts", "join", "texts"),
      wire("join", "INT", "joined", "value"),
    ],
  );
  expect(view.error).toBeNull();
  expect(shown("images")).toMatchObject([{ mime: "image/png" }, { mime: "image/png" }, { mime: "image/png" }]);
  expect(shown("numbers")).toEqual([0, 1, 2]);
  expect(shown("texts")).toEqual(["text 0\nsecond line", "text 1\nsecond line", "text 2\nsecond line"]);
  expect(shown("shares")).toEqual([0, 1 / 3, 2 / 3]);
  expect(shown("flags")).toEqual([true, false, true]);
  expect(shown("joined")).toBe(3);
});

test("of a list the first leaves where the node says so, and its log says that there were more", async () => {
  const names = ["images", "numbers", "texts", "shares", "flags"];
  const { view, shown } = await run(
    "odd_lists",
    [comfy("lists", "OddLists", { count: 3 }), comfy("join", "OddJoin", { between: " + " }), ...names.map(preview), preview("joined")],
    [
      ...names.map((name) => wire("lists", name, name, "value")),
      wire("lists", "texts", "join", "texts"),
      wire("join", "INT", "joined", "value"),
    ],
    { nodes: { lists: { outputs: { images: "first", texts: "first", shares: "first" } } } },
  );
  expect(view.error).toBeNull();
  expect(shown("images")).toMatchObject({ mime: "image/png" });
  expect([shown("texts"), shown("shares"), shown("numbers")]).toEqual(["text 0\nsecond line", 0, [0, 1, 2]]);
  expect(shown("joined"), "inside ComfyUI there are all").toBe(3);
  const log = await logOf(spindle.url, view.id, "lists");
  for (const name of ["images", "texts", "shares"]) expect(log).toContain(`${name} of lists: the first of 3 leaves ComfyUI.`);
});

test("a node that becomes several is one, and what is asked for lazily alone runs", async () => {
  const { view, of } = await run(
    "odd_expand",
    [
      picture,
      comfy("fail", "OddFail"),
      comfy("lazy", "OddLazy", { second: false }),
      comfy("expand", "OddExpand", { times: 3 }),
      comfy("show", "PreviewImage"),
    ],
    [
      wire("make", "IMAGE", "fail", "image"),
      wire("make", "IMAGE", "lazy", "a"),
      wire("fail", "IMAGE", "lazy", "b"),
      wire("lazy", "IMAGE", "expand", "image"),
      wire("expand", "IMAGE", "show", "images"),
    ],
  );
  expect(view.error).toBeNull();
  expect(of("show")?.output).toMatchObject({ image: { mime: "image/png" } });
});

test("a silent blocker leaves what comes after it out, and nothing else", async () => {
  const { view, of } = await run(
    "odd_silent",
    [picture, comfy("block", "OddBlocker"), comfy("gone", "PreviewImage"), comfy("there", "PreviewImage")],
    [wire("make", "IMAGE", "block", "image"), wire("block", "blocked", "gone", "images"), wire("block", "free", "there", "images")],
  );
  expect(view.error).toBeNull();
  expect(of("there")).toMatchObject({ output: { image: { mime: "image/png" } }, why: null });
  expect(of("gone")).toMatchObject({ output: {}, why: expect.stringContaining("blocked in ComfyUI") });
  expect(await logOf(spindle.url, view.id, "gone")).toContain("ComfyUI showed and saved nothing of gone. ComfyUI gave no reason.");
});

const loud: Graph = [
  [picture, comfy("block", "OddBlocker", { words: "not today" }), comfy("turn", "ImageInvert"), comfy("show", "PreviewImage")],
  [wire("make", "IMAGE", "block", "image"), wire("block", "blocked", "turn", "image"), wire("turn", "IMAGE", "show", "images")],
];
test("a loud blocker fails the node that it stops, with its words", async () => {
  const { view } = await run(
    "odd_loud",
    [picture, comfy("block", "OddBlocker", { words: "not today" }), comfy("turn", "ImageInvert"), comfy("show", "PreviewImage")],
    [wire("make", "IMAGE", "block", "image"), wire("block", "blocked", "turn", "image"), wire("turn", "IMAGE", "show", "images")],
  );
  expect(view.error).toMatchObject({ node: "turn", message: expect.stringContaining("not today") });
});

test("that a blocker's words are lost with the connection is said", async () => {
  const { fake } = spindle;
  if (!fake) return; // nobody cuts the connection to a real one
  fake.faults = { dropAfter: 1 };
  const { view } = await run("odd_loud", ...loud);
  fake.faults = {};
  expect(await logOf(spindle.url, view.id, "show")).toContain("The connection to ComfyUI was cut meanwhile");
});

test("steps and previews are those of their node", async () => {
  const { view, of } = await run(
    "odd_steps",
    [comfy("steps", "OddSteps", { steps: 4 }), comfy("show", "PreviewImage")],
    [wire("steps", "IMAGE", "show", "images")],
  );
  expect(view.error).toBeNull();
  expect(of("show")?.output).toMatchObject({ image: { mime: "image/png" } });
});

test("a captioner gives its words and shows them; a tagger's, under whatever key, are a text; one that shows nothing is done", async () => {
  const { view, of, shown } = await run(
    "odd_caption",
    [picture, comfy("caption", "OddCaption"), comfy("tags", "OddTagger"), comfy("quiet", "OddQuiet"), preview("words")],
    [
      wire("make", "IMAGE", "caption", "image"),
      wire("make", "IMAGE", "tags", "image"),
      wire("make", "IMAGE", "quiet", "image"),
      wire("caption", "caption", "words", "value"),
    ],
  );
  expect(view.error).toBeNull();
  expect(shown("words")).toBe("16 x 8");
  expect(of("caption")?.output).toMatchObject({ text: "16 x 8" });
  expect(of("tags")?.output).toMatchObject({ text: "long" });
  expect(of("quiet")?.state).toBe("succeeded");
  expect(await logOf(spindle.url, view.id, "quiet")).toContain("The quiet node writes this to the log.");
});

test("the inputs that a choice brings reach the node, and those of other choices do not", async () => {
  const { view, shown } = await run(
    "odd_dynamic",
    [comfy("dynamic", "OddDynamic", { mode: "size", "mode.width": 32, "mode.by": 3, "mode.method": "area" }), preview("all")],
    [wire("dynamic", "STRING", "all", "value")],
  );
  expect(view.error).toBeNull();
  expect(shown("all")).toBe("after=3 mode=size mode.height=64 mode.method=area mode.width=32");
});

test("what raises fails with its words, and what was done before it stands", async () => {
  const { view, of } = await run(
    "odd_fail",
    [picture, comfy("fail", "OddFail"), comfy("show", "PreviewImage")],
    [wire("make", "IMAGE", "fail", "image"), wire("fail", "IMAGE", "show", "images")],
  );
  expect(view.error).toMatchObject({ node: "fail", message: "odd, as it should be (ValueError)" });
  expect(of("make")?.state).toBe("succeeded");
  expect(of("show")?.state).toBe("skipped");
  expect(await logOf(spindle.url, view.id, "fail")).toMatch(/^The failing node says this before it fails\.\n.*odd, as it should be\n/);
});

test("a node that is deaf to interrupts is cancelled as others are, and the server works again once it has heard", async () => {
  const deaf = graphOf(
    [comfy("deaf", "OddDeaf", { seconds: 7, number: Date.now() }), comfy("show", "PreviewImage")],
    [wire("deaf", "IMAGE", "show", "images")],
  );
  const id = await startRun(spindle.url, deaf);
  const isRunning = async () => (await getRun(spindle.url, id)).nodes.find(({ node }) => node === "deaf")?.state === "running";
  await until(isRunning, 60_000, "the deaf node runs");
  await fetch(`${spindle.url}/api/runs/${id}/cancel`, { method: "POST" });
  expect((await ended(spindle.url, id)).state).toBe("cancelled");
  const next = graphOf(
    [comfy("make", "EmptyImage", { color: Date.now() % 0xffffff }), comfy("show", "PreviewImage")],
    [wire("make", "IMAGE", "show", "images")],
  );
  expect((await ended(spindle.url, await startRun(spindle.url, next))).state).toBe("succeeded");
});

test("that one picture of a batch leaves is in the node's log", async () => {
  const { fake } = spindle;
  if (fake) fake.plays = [];
  const many = comfy("many", "EmptyImage", { width: 16, height: 8, batch_size: 3, color: 0x102030 });
  const view = await ended(
    spindle.url,
    await startRun(spindle.url, graphOf([many, preview("one")], [wire("many", "IMAGE", "one", "value")])),
  );
  expect(view.error).toBeNull();
  expect(await logOf(spindle.url, view.id, "many")).toContain("IMAGE of many: the first of 3 leaves ComfyUI.");
});

test("[E6] all pictures of a batch leave where the node says so: as a list, and each by itself where a wire maps them", async () => {
  const { fake } = spindle;
  if (fake) fake.plays = [];
  const many = comfy("many", "EmptyImage", { width: 16, height: 8, batch_size: 3, color: 0x203040 });
  const graph = graphOf(
    [many, comfy("turn", "ImageInvert"), preview("list"), preview("each"), comfy("show", "PreviewImage")],
    [
      wire("many", "IMAGE", "list", "value"),
      { ...wire("many", "IMAGE", "turn", "image"), metadata: { sourcePort: "IMAGE", targetPort: "image", map: {} } },
      wire("turn", "IMAGE", "each", "value"),
      wire("many", "IMAGE", "show", "images"),
    ],
    { nodes: { many: { outputs: { IMAGE: "all" } }, show: { outputs: { image: "all" } } } },
  );
  const view = await ended(spindle.url, await startRun(spindle.url, graph));
  expect(view.error).toBeNull();
  const three = Array.from({ length: 3 }, () => ({ mime: "image/png", width: 16, height: 8 }));
  const output = (id: string) => view.nodes.find(({ node, path }) => node === id && path === id)?.output;
  expect(output("list")).toMatchObject({ value: three });
  expect(output("each")).toMatchObject({ value: three });
  expect(output("show"), "an output node's own, too").toMatchObject({ image: three, images: three });
  expect(await logOf(spindle.url, view.id, "many")).not.toContain("leaves ComfyUI");
});

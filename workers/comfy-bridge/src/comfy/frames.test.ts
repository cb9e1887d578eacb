import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type Conversation, readConversation } from "../../test/fake/program.ts";
import { decodeFrame } from "./frames.ts";
import { decodeMessage } from "./messages.ts";

const NAMES = readdirSync(new URL("../../test/recordings/conversations/", import.meta.url)).map((name) => name.replace(".json", ""));
const conversations: [string, Conversation][] = NAMES.filter((name) => !name.startsWith("20_")).map((name) => [
  name,
  readConversation(name),
]);
const frames = conversations.flatMap(([name, { entries }]) =>
  entries.flatMap(({ base64 }) => (base64 ? [[name, Buffer.from(base64, "base64")] as const] : [])),
);

/** The same in every run, so that a failure can be looked at: mulberry32, as in graph-model, which the bridge must not import. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

describe("recorded frames", () => {
  test("are there, of every kind", () => {
    const kinds = new Set(frames.map(([, bytes]) => bytes.readUInt32BE(0)));
    expect([...kinds].sort()).toEqual([1, 3, 4]);
  });
  test.each(frames)("of %s give back their bytes", (_, bytes) => {
    const frame = decodeFrame(bytes);
    if (frame?.type === "text") return void expect(bytes.toString("utf8").endsWith(frame.text)).toBe(true);
    expect(frame?.type).toBe("preview");
    if (frame?.type !== "preview") return;
    expect(bytes.subarray(bytes.length - frame.image.length).equals(frame.image)).toBe(true);
    expect(frame.image.subarray(0, 2).toString("hex")).toBe(frame.mime === "image/jpeg" ? "ffd8" : "8950");
    if (bytes.readUInt32BE(0) === 4) expect(frame).toMatchObject({ node: expect.any(String), prompt: expect.any(String) });
  });
});

test("an animated preview of VideoHelperSuite names its node and frame", () => {
  const head = Buffer.alloc(32);
  for (const at of [0, 4, 8]) head.writeUInt32BE(1, at);
  head.writeUInt32BE(7, 12);
  head[16] = 2;
  head.write("42", 17);
  expect(decodeFrame(Buffer.concat([head, Buffer.from("ffd8ffe0", "hex")]))).toMatchObject({ node: "42", frame: 7, mime: "image/jpeg" });
});

describe("what is cut off or changed", () => {
  test("100,000 frames and messages never throw, and what cannot be read is undefined", () => {
    const next = random(20261121);
    const texts = conversations.flatMap(([, { entries }]) => entries.flatMap(({ json }) => (json ? [JSON.stringify(json)] : [])));
    let unread = 0;
    for (let round = 0; round < 50_000; round++) {
      const bytes = Buffer.from(
        (frames[Math.floor(next() * frames.length)] as (typeof frames)[number])[1].subarray(0, 1 + Math.floor(next() * 400)),
      );
      for (let flips = Math.floor(next() * 4); flips > 0; flips--)
        bytes[Math.floor(next() * Math.min(bytes.length, 64))] = Math.floor(next() * 256);
      if (decodeFrame(bytes) === undefined) unread++;
      const text = texts[Math.floor(next() * texts.length)] as string;
      const at = Math.floor(next() * text.length);
      const changed =
        next() < 0.5 ? text.slice(0, at) : `${text.slice(0, at)}${String.fromCharCode(Math.floor(next() * 128))}${text.slice(at + 1)}`;
      if (decodeMessage(changed) === undefined) unread++;
    }
    expect(unread).toBeGreaterThan(10_000);
  });
  test.each(["", "null", "[]", "1", '{"type":1}', '{"type":"executing"}', '{"type":"progress_state","data":{"prompt_id":"a","nodes":3}}'])(
    "the message %s is none or says nothing",
    (text) => expect(decodeMessage(text)).toSatisfy((one: unknown) => one === undefined || (one as { nodes: [] }).nodes.length === 0),
  );
});

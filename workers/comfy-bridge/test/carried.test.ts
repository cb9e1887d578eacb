// Workflows that ComfyUI wrote into pictures and videos.
import { extractWorkflow } from "@spindle/graph-model";
import { describe, expect, test } from "vitest";

describe("a workflow inside a file", () => {
  const workflow = JSON.stringify({ nodes: [{ id: 1, type: "A" }], links: [], last_node_id: 1, note: 'a "quoted" } brace' });
  const chunk = (type: string, body: string) => {
    const data = Buffer.from(body, "latin1");
    const head = Buffer.alloc(4);
    head.writeUInt32BE(data.length);
    return Buffer.concat([head, Buffer.from(type), data, Buffer.alloc(4)]);
  };
  const png = Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]),
    chunk("tEXt", 'prompt\0{"1":{"class_type":"A"}}'),
    chunk("tEXt", `workflow\0${workflow}`),
    chunk("IEND", ""),
  ]);
  const around = (mark: string, body: string) =>
    Buffer.concat([Buffer.from(mark, "latin1"), Buffer.alloc(50, 0xff), Buffer.from(body), Buffer.alloc(50, 0x7b)]);

  test.each([
    ["a PNG's text", png],
    ["a WebP's EXIF", around("RIFF\0\0\0\0WEBPVP8X", `workflow:${workflow}`)],
    ["an MP4's metadata", around("\0\0\0\x18ftypisom", `\0\0\0\x01${workflow}`)],
    [
      "a comment with both formats",
      around("\0\0\0\x18ftypisom", JSON.stringify({ prompt: '{"1":{"class_type":"A"}}', workflow: JSON.parse(workflow) })),
    ],
  ])("is found in %s", (_, file) => {
    const { workflow: found, ...bare } = JSON.parse(extractWorkflow(file) ?? "null") as { workflow?: object };
    expect(found ?? bare).toEqual(JSON.parse(workflow));
  });
  test("comes with the prompt that made the file, where the file has both and both have room", () => {
    expect(JSON.parse(extractWorkflow(png) ?? "null")).toEqual({ workflow: JSON.parse(workflow), prompt: { "1": { class_type: "A" } } });
    const large = Buffer.concat([
      Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10]),
      chunk("tEXt", `prompt\0{"1":{"class_type":"${"A".repeat(2 * 1024 * 1024)}"}}`),
      chunk("tEXt", `workflow\0${workflow}`),
    ]);
    expect(JSON.parse(extractWorkflow(large) ?? "null")).toEqual(JSON.parse(workflow));
  });
  test.each([
    ["none", Buffer.from([0x89, 0x50, 0x4e, 0x47, 13, 10, 26, 10])],
    ["a cut one", around("\0\0\0\x18ftypisom", workflow.slice(0, 40))],
    ["another kind of file", Buffer.from(workflow)],
    ["nothing", Buffer.alloc(0)],
  ])("is not found in a file with %s", (_, file) => expect(extractWorkflow(file)).toBeUndefined());
});

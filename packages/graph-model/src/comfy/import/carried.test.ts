import { describe, expect, test } from "vitest";
import type { Library } from "../../library.ts";
import { extractWorkflow } from "./carried.ts";
import { importComfy } from "./import.ts";

const nobody: Library = { find: () => undefined, all: () => [] };

function chunk(type: string, body: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(Buffer.byteLength(body));
  return Buffer.concat([length, Buffer.from(type), Buffer.from(body), Buffer.alloc(4)]);
}
const png = (texts: Record<string, string>) =>
  Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    ...Object.entries(texts).map(([name, text]) => chunk("tEXt", `${name}\0${text}`)),
  ]);
/** As Python's json.dumps writes it. */
const prompt = `{"1": {"inputs": {"scale": Infinity, "least": -Infinity, "words": "NaN, \\"Infinity\\" \\\\", "steps": 4, "of": ["2", 0]}, "class_type": "Odd", "is_changed": [NaN]}, "2": {"inputs": {}, "class_type": "Load", "is_changed": NaN}}`;

describe("[G8] a prompt in which Python wrote NaN or Infinity", () => {
  test.each([
    ["PNG", png({ prompt })],
    ["MP4", Buffer.concat([Buffer.from("\0\0\0\x20ftypisom"), Buffer.from(prompt)])],
    ["WebM whose pack writes it below a key", Buffer.concat([Buffer.from([0x1a, 0x45]), Buffer.from(`{"prompt": ${prompt}}`)])],
  ])("is read from a %s, and what is left out of it is said", (_, file) => {
    const { graph, issues } = importComfy(JSON.parse(extractWorkflow(file) ?? ""), nobody);
    expect(graph?.nodes.map(({ service, params }) => [service, params])).toEqual([
      ["Odd", { words: 'NaN, "Infinity" \\', steps: 4 }],
      ["Load", undefined],
    ]);
    expect(issues.map(({ message, place }) => [place?.node, message])).toEqual([
      ["1", "scale is Infinity in the file, which is no number that can be set here: it is left out. Set it anew."],
      ["1", "least is -Infinity in the file, which is no number that can be set here: it is left out. Set it anew."],
    ]);
  });

  test("still says with what the file was made where it carries a workflow, too", () => {
    const workflow = JSON.stringify({
      last_node_id: 1,
      nodes: [{ id: 1, type: "Odd", inputs: [{ name: "scale", widget: { name: "scale" } }], widgets_values: [2] }],
      links: [],
    });
    const made = `{"1": {"inputs": {"scale": Infinity}, "class_type": "Odd", "is_changed": [NaN]}}`;
    const knows: Library = { ...nobody, find: (_, service) => (service === "Odd" ? (odd as never) : undefined) };
    const odd = {
      service: "Odd",
      label: "Odd",
      inputs: [{ name: "scale", label: "scale", type: "number", required: true, schema: { type: "number" } }],
      outputs: [],
      parameters: [],
      engines: [],
    };
    const { issues } = importComfy(JSON.parse(extractWorkflow(png({ workflow, prompt: made })) ?? ""), knows);
    expect(issues.map(({ message }) => message)).toEqual([
      "The file was made with another value of scale: Infinity, and its workflow has 2.",
    ]);
  });
});

import { expect, test } from "vitest";
import { readPacks } from "./packs.ts";

test("the Manager's list becomes classes with their packs, by their address on GitHub or their name in the registry", () => {
  const read = readPacks({
    "https://github.com/somebody/ComfyUI-Odd.git": [["Odd", "Both"], { title_aux: "Odd" }],
    "https://github.com/other/Both/": [["Both"], {}],
    "comfyui-registered": [["Registered"], {}],
    "https://gist.github.com/x/raw/node.py": [["Gist"], {}],
  });
  expect(Object.fromEntries(read)).toEqual({
    Odd: "somebody/ComfyUI-Odd",
    Both: "somebody/ComfyUI-Odd or other/Both",
    Registered: "comfyui-registered",
    Gist: "https://gist.github.com/x/raw/node.py",
  });
});

test("several packs with a class of one name are named up to the third", () => {
  const four = Object.fromEntries(["a", "b", "c", "d"].map((name) => [name, [["Same"], {}]]));
  expect(readPacks(four).get("Same")).toBe("a or b or c");
});

test.each([null, 7, "x", [], [[["A"]]], { a: 1, b: [], c: [1], d: [[1, null, {}]], ["x".repeat(500)]: [["Long"], {}] }])(
  "a list that is none, or is broken in places, gives what can be read: %j",
  (mappings) => {
    expect([...readPacks(mappings)]).toEqual([]);
  },
);

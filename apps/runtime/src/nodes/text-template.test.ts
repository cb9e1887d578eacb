import { describe, expect, test } from "vitest";
import template from "./text-template.node.ts";

const fill = async (text: string, values: object): Promise<unknown> =>
  (await template.run?.({ input: { template: text, values }, progress: () => {} } as never))?.text;
const nested = (depth: number, inside: string): string => "{{#a}}".repeat(depth) + inside + "{{/a}}".repeat(depth);

describe("a template", () => {
  test("is filled, sections and all", async () =>
    expect(
      await fill("{{#people}}{{name}}{{^last}}, {{/last}}{{/people}} & {{n}}", {
        people: [{ name: "Ada" }, { name: "Eve", last: true }],
        n: 3,
      }),
    ).toBe("Ada, Eve & 3"));
  test("may list some thousand things", async () =>
    expect(await fill("{{#a}}{{.}};{{/a}}", { a: Array(20_000).fill("x") })).toHaveLength(40_000));
  test("goes through a list once, however often it stands there", async () => {
    let texts = 0;
    const inside = { toString: () => `${++texts}` };
    expect(await fill("{{a}}{{a}}{{{a}}}", { a: [[inside]] })).toBe("111");
    expect(texts).toBe(1);
  });
  test.each<[string, string, object, RegExp]>([
    [
      "lists whose text is empty",
      "{{#a}}{{b}}{{/a}}",
      {
        a: Array(1000)
          .fill(1)
          .map(() => ({ b: Array(1000).fill([]) })),
      },
      /more than 200,000 steps/,
    ],
    [
      "nine sections inside one another over ten elements",
      nested(9, "x"),
      { a: Array(10).fill(1) },
      /more than 200,000 steps.*fewer sections/,
    ],
    ["the same without a text", nested(9, ""), { a: Array(10).fill(1) }, /more than 200,000 steps/],
    [
      "a long name that is looked up often",
      `{{#a}}{{b${".b".repeat(20_000)}}}{{/a}}`,
      { a: Array(1000).fill(1) },
      /more than 200,000 steps/,
    ],
    ["a text that is repeated", "{{#a}}{{b}}{{/a}}", { a: Array(100).fill(1), b: "x".repeat(100_000) }, /longer than 4 MiB/],
    ["the same unescaped", "{{#a}}{{{b}}}{{/a}}", { a: Array(100).fill(1), b: "x".repeat(100_000) }, /longer than 4 MiB/],
    ["sections too deep", nested(60, "x"), { a: 1 }, /more than 50 sections/],
    ["a section that is left open", "{{#a}}", {}, /not valid: Unclosed section/],
  ])("ends with the bound it goes over: %s", (_, text, values, why) =>
    expect(fill(text, values)).rejects.toMatchObject({ name: "UserError", message: expect.stringMatching(why) }),
  );
});

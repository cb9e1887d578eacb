import { Validator } from "@cfworker/json-schema";
import fc from "fast-check";
import { expect, test } from "vitest";
import { whyInvalid } from "./invalid.ts";

const KEYWORDS = {
  title: fc.string(),
  description: fc.string(),
  default: fc.string(),
  "x-multiline": fc.boolean(),
  maxLength: fc.nat({ max: 4 }),
  minLength: fc.nat({ max: 4 }),
  pattern: fc.constantFrom("^a", "b$", "."),
  enum: fc.array(fc.constantFrom("a", "ab", ""), { minLength: 1 }),
  const: fc.constantFrom("a", "b"),
  not: fc.constant({ const: "a" }),
  format: fc.constantFrom("date", "uri"),
};
/** Two keywords at most, so that many schemas can be met. */
const keywords = fc
  .subarray(Object.keys(KEYWORDS) as (keyof typeof KEYWORDS)[], { maxLength: 2 })
  .chain((names) => fc.record(Object.fromEntries(names.map((name) => [name, KEYWORDS[name]]))));
const types = fc.constantFrom("string", "number", ["string", "null"], undefined);
/** Characters of one and of two units of UTF-16, which a length tells apart. */
const texts = fc.array(fc.constantFrom("a", "b", "é", "😀"), { maxLength: 6 }).map((parts) => parts.join(""));

test("a text is judged as the validator judges it, whatever its schema asks", () => {
  let fit = 0;
  fc.assert(
    fc.property(keywords, types, texts, (asked, type, text) => {
      const schema = type === undefined ? asked : { ...asked, type };
      const { valid } = new Validator(schema, "2020-12", false).validate(text);
      expect(whyInvalid(text, schema) === undefined).toBe(valid);
      if (valid) fit++;
    }),
    { numRuns: Number(process.env.SEEDS ?? 2000), ...(process.env.SEEDS ? {} : { seed: 1 }) },
  );
  expect(fit).toBeGreaterThan(100);
});

test.each<[schema: Record<string, unknown>, value: unknown, says: string]>([
  [{ type: "integer", minimum: 1, maximum: 600, "x-unit": "s" }, 9999, "From 1 to 600 s; this is 9999."],
  [{ type: "number", minimum: 0 }, -1, "At least 0; this is -1."],
  [{ type: "number", maximum: 0 }, 2, "At most 0; this is 2."],
  [{ type: "number", exclusiveMinimum: 0, maximum: 1 }, 0, "More than 0, at most 1; this is 0."],
  [{ type: "number", exclusiveMaximum: 10 }, 10, "Less than 10; this is 10."],
  [{ type: "integer" }, 2.5, "A whole number is needed; this is 2.5."],
  [{ type: ["string", "null"] }, 2, "A text or nothing is needed; this is 2."],
  [{ type: "number", multipleOf: 8 }, 7, "A multiple of 8 is needed; this is 7."],
  [{ type: "string", maxLength: 3 }, "four", "At most 3 characters; this has 4."],
  [{ type: "string", format: "date" }, "tomorrow", "A date is needed, as in 2030-01-31."],
  [{ enum: ["a", "b"] }, "c", '"a" or "b" is needed; this is "c".'],
  [{ type: "array", minItems: 2 }, [1], "At least 2 entries; this has 1."],
  [{ anyOf: [{ type: "string" }, { type: "null" }] }, 3, "A text or nothing is needed; this is 3."],
  [{ $ref: "#/$defs/size", $defs: { size: { type: "number", minimum: 8 } } }, 2, "At least 8; this is 2."],
  [
    {
      type: "array",
      items: { type: "object", properties: { a: { type: "string", minLength: 2 } }, required: ["b"], additionalProperties: false },
    },
    [{ a: "", c: 1 }],
    '0: It lacks "b". 0.a: At least 2 characters; this has 0. 0: It has "c", which nothing asks for.',
  ],
])("what does not fit is said for a person: %j, %j", (schema, value, says) => {
  expect(whyInvalid(value, schema)).toBe(says);
});

test.each([
  [-8, 8],
  [-0.3, 0.1],
  [0.3, 0.1],
  [-1.1, 0.1],
  [1e22, 0.5],
  [-3e-9, 1e-9],
  [0.1 + 0.2, 0.1],
  [-0.1 - 0.2, 0.1],
  [1.1 * 3, 0.1],
  [0.7 * 3, 0.7],
  [1, 1 / 3],
  [-2, 1 / 3],
])("%d is a multiple of %d", (value, multipleOf) => {
  expect(whyInvalid(value, { type: "number", multipleOf })).toBeUndefined();
  const step = { multipleOf };
  expect(whyInvalid([value], { items: { anyOf: [{ type: "string" }, step] } })).toBeUndefined();
  expect(whyInvalid({ a: value }, { properties: { a: { $ref: "#/$defs/step" } }, $defs: { step } })).toBeUndefined();
  const inner = { anyOf: [{ type: "string" }, step] };
  expect(whyInvalid(value, { anyOf: [{ type: "boolean" }, { allOf: [inner] }] })).toBeUndefined();
  expect(whyInvalid(value, { oneOf: [step, { type: "string" }], allOf: [step] })).toBeUndefined();
});

test.each([
  [-7, 8],
  [-0.35, 0.1],
  [0.35, 0.1],
  [1.5e-9, 1e-9],
  [0.3 + 1e-12, 0.1],
  [-0.3 - 1e-12, 0.1],
  [4503599627370497, 2],
  [1, 0.3],
])("%d is no multiple of %d", (value, multipleOf) => {
  expect(whyInvalid(value, { type: "number", multipleOf })).toBe(`A multiple of ${multipleOf} is needed; this is ${value}.`);
  expect(whyInvalid([multipleOf * 3, value], { items: { anyOf: [{ multipleOf }] } })).toBe("1: It has none of the forms that are allowed.");
});

test("beside a computed multiple, what is wrong is still said", () => {
  expect(whyInvalid(0.1 + 0.2, { multipleOf: 0.1, minimum: 1 })).toBe("At least 1; this is 0.30000000000000004.");
  expect(whyInvalid([0.1 + 0.2, 0.35], { items: { multipleOf: 0.1 } })).toBe("1: A multiple of 0.1 is needed; this is 0.35.");
  expect(whyInvalid(0.1 + 0.2, { oneOf: [{ multipleOf: 0.1 }, { multipleOf: 0.3 }] })).toBe("It has none of the forms that are allowed.");
});

test("what every object has is no property of a value", () => {
  expect(whyInvalid({}, { type: "object", required: ["toString"] })).toBe('It lacks "toString".');
});

test("places with letters that addresses do not have, and members that nothing names, are said and rounded as others are", () => {
  const tenth = { type: "number", multipleOf: 0.1 };
  const named = (schema: object) => ({ properties: { "max size": schema, "größe 100% a/b~c": schema } });
  expect(whyInvalid({ "max size": 12 }, named({ maximum: 10 }))).toBe("max size: At most 10; this is 12.");
  expect(whyInvalid({ "größe 100% a/b~c": 12 }, named({ maximum: 10 }))).toBe("größe 100% a/b~c: At most 10; this is 12.");
  for (const schema of [named(tenth), { additionalProperties: tenth }, { patternProperties: { "^m": tenth } }]) {
    expect(whyInvalid({ "max size": 0.1 + 0.2 }, schema)).toBeUndefined();
    expect(whyInvalid({ "max size": 0.31 }, schema)).toBe("max size: A multiple of 0.1 is needed; this is 0.31.");
  }
  expect(whyInvalid({ a: 1, b: 2 }, { properties: { a: {} }, additionalProperties: false })).toBe('It has "b", which nothing asks for.');
});

test("of the fields that are needed, those that lack are named", () => {
  const schema = { type: "object", required: ["a", "b", "c"] };
  expect(whyInvalid({ b: 1 }, schema)).toMatch(/lacks "a" and "c"/);
});

import { Validator } from "@cfworker/json-schema";
import fc from "fast-check";
import { expect, test } from "vitest";
import { whyInvalid } from "./node.ts";

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

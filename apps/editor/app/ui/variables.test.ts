import { expect, test } from "vitest";
import { beginningAt, completed, namesFor, unknownIn } from "./variables";

test.each([
  ["Hello {{name}} and {{ text }}", ["text"], ["name"]],
  ["{{a.b}} {{{c}}} {{&d}}", ["a"], ["c", "d"]],
  ["{{#items}}{{inner}}{{/items}} {{after}}", ["items"], ["after"]],
  ["{{! a remark }}{{> part}}{{}}", [], []],
  ["{{", ["x"], []],
])("of %j nothing gives %j", (text, known, unknown) => {
  expect(unknownIn(text, { names: known, isOpen: false }).map(({ name }) => name)).toEqual(unknown);
});

test("where the run may give any name, none is unknown", () => {
  expect(unknownIn("{{any}}", { names: [], isOpen: true })).toEqual([]);
});

test("a name is completed where it is written, and closed once", () => {
  expect(beginningAt("a {{te", 6)).toEqual({ typed: "te", from: 4 });
  expect(beginningAt("a {{te}} b", 10)).toBeUndefined();
  expect(namesFor("te", ["text", "Tense", "other"])).toEqual(["text", "Tense"]);
  expect(completed("a {{te b", 6, 4, "text")).toEqual({ text: "a {{text}} b", caret: 10 });
  expect(completed("a {{te}} b", 6, 4, "text")).toEqual({ text: "a {{text}} b", caret: 10 });
});

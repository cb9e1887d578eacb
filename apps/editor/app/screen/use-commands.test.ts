import { expect, test } from "vitest";
import { whyReserved } from "../ui/keys";
import { COMMANDS } from "./use-commands";

test("each command has an id and a title of its own", () => {
  expect(new Set(COMMANDS.map(({ id }) => id)).size).toBe(COMMANDS.length);
  expect(new Set(COMMANDS.map(({ title }) => title)).size).toBe(COMMANDS.length);
});

test("no two commands have the same keys, and none has keys of the browser", () => {
  const keys = COMMANDS.flatMap((command) => (command.keys ?? []).map((each) => each.toLowerCase()));
  expect(keys.filter((each, index) => keys.indexOf(each) !== index)).toEqual([]);
  expect(keys.filter(whyReserved)).toEqual([]);
});

test("keys without a modifier act on the canvas alone, but for those that open something", () => {
  const elsewhere = COMMANDS.filter(({ where, keys = [] }) => where === "everywhere" && keys.some((each) => !/\$mod/.test(each)));
  expect(elsewhere.map(({ id }) => id)).toEqual([]);
});

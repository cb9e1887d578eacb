import { describe, expect, test } from "vitest";
import { whyReserved } from "../ui/keys";
import type { Command } from "./command";
import { actsAt, COMMANDS, type CommandId, type Focus } from "./use-commands";

test("each command has an id and a title of its own", () => {
  expect(new Set(COMMANDS.map(({ id }) => id)).size).toBe(COMMANDS.length);
  expect(new Set(COMMANDS.map(({ title }) => title)).size).toBe(COMMANDS.length);
});

test("no two commands have the same keys, and none has keys of the browser", () => {
  const keys = COMMANDS.flatMap((command) => (command.keys ?? []).map((each) => each.toLowerCase()));
  expect(keys.filter((each, index) => keys.indexOf(each) !== index)).toEqual([]);
  expect(keys.filter(whyReserved)).toEqual([]);
});

test("an id that no command has does not compile", () => {
  const known: CommandId = "undo";
  // @ts-expect-error: a typo
  const typo: CommandId = "udno";
  const ids: readonly string[] = COMMANDS.map(({ id }) => id);
  expect([ids.includes(known), ids.includes(typo)]).toEqual([true, false]);
});

describe("keys without Ctrl, Alt or Cmd", () => {
  const plain = COMMANDS.filter(({ keys = [] }) => keys.some((each) => !/\$mod|Control|Alt/.test(each)));

  test("never act while something is typed, but for those that go to another part of the page", () => {
    expect(plain.length).toBeGreaterThan(10);
    expect(plain.filter(({ where }) => where === "everywhere").map(({ id }) => id)).toEqual(["region.next", "region.previous"]);
  });
  test("act outside the canvas too only where they find or show something", () => {
    const outside = plain.filter(({ where }) => where === "page");
    expect(outside.map(({ id }) => id).sort()).toEqual(["add", "problem.next", "problem.previous", "shortcuts"]);
  });
});

describe("the keys of a command", () => {
  const acts: Record<Focus, Record<Command["where"], boolean>> = {
    canvas: { canvas: true, page: true, everywhere: true },
    button: { canvas: true, page: true, everywhere: true },
    other: { canvas: false, page: true, everywhere: true },
    lost: { canvas: false, page: false, everywhere: true },
    field: { canvas: false, page: false, everywhere: true },
    layer: { canvas: false, page: false, everywhere: false },
  };
  test.each(Object.entries(acts))("act by where the command acts while the focus is on: %s", (focus, expected) => {
    for (const [where, does] of Object.entries(expected)) expect(actsAt(where as Command["where"], focus as Focus, "d"), where).toBe(does);
  });
  test("with Ctrl act on the page after a field that went, too", () => {
    expect(actsAt("page", "lost", "$mod+z")).toBe(true);
    expect(actsAt("canvas", "lost", "Delete")).toBe(false);
  });
  test("leave Enter to a button on a card, and take it elsewhere on the canvas", () => {
    expect(actsAt("canvas", "button", "Enter")).toBe(false);
    expect(actsAt("canvas", "canvas", "Enter")).toBe(true);
    expect(actsAt("everywhere", "button", "Enter")).toBe(true);
  });
});

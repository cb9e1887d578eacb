import { expect, test } from "vitest";
import { isPressOf, keysOf, keyWords, whyReserved } from "./keys";

/** A press as a browser reports it: `Ctrl+Shift+a`, or the sign that came out with the key it lies on. */
function press(keys: string, code = ""): Parameters<typeof keysOf>[0] {
  const parts = keys.split(/\b\+/);
  const key = parts.pop() as string;
  return { key, code, getModifierState: (name: string) => parts.includes(name) };
}

test.each([
  ["$mod+Enter", press("Control+Enter"), true],
  ["$mod+Enter", press("Enter"), false],
  ["$mod+Enter", press("Control+Shift+Enter"), false],
  ["/", press("/", "Slash"), true],
  ["/", press("Shift+/", "Digit7"), true],
  ["Shift+u", press("u"), false],
  ["Shift+u", press("Shift+U"), true],
  ["Alt+KeyM", press("Alt+µ", "KeyM"), true],
  ["$mod+Alt+Enter", press("Control+Alt+Enter"), true],
  ["$mod+Alt+Enter", press("Control+Alt+AltGraph+Enter"), false],
])("%s and a press %#: %s", (keys, event, is) => expect(isPressOf(keys as string, event as never)).toBe(is));

test("a press gives the keys that it is a press of", () => {
  for (const event of [press("Control+Shift+Enter"), press("/", "Slash"), press("Shift+/", "Digit7"), press("Alt+µ", "KeyM"), press("F8")])
    expect(isPressOf(keysOf(event) ?? "", event)).toBe(true);
  expect(keysOf(press("Control"))).toBeUndefined();
});

test("keys read as they are printed on the keyboard", () => {
  expect(["$mod+Shift+Enter", "Alt+KeyM", "?", "`"].map((keys) => keyWords(keys, false))).toEqual([
    "Ctrl Shift Enter",
    "Alt M",
    "?",
    "Backtick",
  ]);
  expect(keyWords("$mod+Shift+k", true)).toBe("⌘⇧K");
});

test("the keys of the browser are nobody's", () => {
  expect([whyReserved("$mod+T"), whyReserved("$mod+3"), whyReserved("$mod+d")]).toEqual([
    expect.any(String),
    expect.any(String),
    undefined,
  ]);
});

// The words of the notices, as a page says them.
import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { when } from "../ui/words";
import { DocumentNotices } from "./document-notices";

const read = new Map<string, string>();
beforeEach(() => void vi.stubGlobal("localStorage", { getItem: (key: string) => read.get(key) ?? null })); // Node has none
afterEach(() => {
  read.clear();
  vi.unstubAllGlobals();
});

const AT = "2026-01-02T03:04:05.000Z";
const words = (edits: number): string => {
  const props = { id: "g", graph: undefined, closing: undefined, takenBack: undefined, setAside: { edits, at: AT } };
  return renderToStaticMarkup(createElement(DocumentNotices, props))
    .replaceAll(/<[^>]+>/g, " ")
    .replaceAll(/\s+/g, " ")
    .trim();
};

test.each([
  [1, "1 edit of this graph could not be applied and was set aside on"],
  [12, "12 edits of this graph could not be applied and were set aside on"],
])("of %i edits that were set aside, a person reads how many, when, and what to do", (edits, said) => {
  expect(words(edits)).toBe(`${said} ${when(AT)}. Everything else is here: look for what is missing, and add it again. Dismiss`);
});

test("what was read once is not said again, until more is set aside", () => {
  read.set("spindle.set-aside.g", AT);
  expect(words(1)).toBe("");
  read.set("spindle.set-aside.g", "2026-01-01T00:00:00.000Z");
  expect(words(1)).not.toBe("");
});

// The words of the notices, as a page says them.
import { createElement } from "react";
import { renderToStaticMarkup } from "react-dom/server";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { OTHER_EPOCH, OTHER_LAYOUT } from "../session/closing";
import { when } from "../ui/words";
import { DocumentNotices } from "./document-notices";

const read = new Map<string, string>();
beforeEach(() => void vi.stubGlobal("localStorage", { getItem: (key: string) => read.get(key) ?? null })); // Node has none
afterEach(() => {
  read.clear();
  vi.unstubAllGlobals();
});

const AT = "2026-01-02T03:04:05.000Z";
type Props = Parameters<typeof DocumentNotices>[0];
const NONE: Props = {
  id: "g",
  graph: undefined,
  closing: undefined,
  takenBack: undefined,
  refused: undefined,
  setAside: undefined,
  onRestore() {},
};
const said = (props: Partial<Props>): string =>
  renderToStaticMarkup(createElement(DocumentNotices, { ...NONE, ...props }))
    .replaceAll(/<[^>]+>/g, " ")
    .replaceAll(/\s+/g, " ")
    .trim();
const words = (edits: number): string => said({ setAside: { edits, at: AT } });

test.each([
  [1, "1 edit of this graph could not be applied and was set aside on"],
  [12, "12 edits of this graph could not be applied and were set aside on"],
])("of %i edits that were set aside, a person reads how many, when, and what to do", (edits, begin) => {
  expect(words(edits)).toBe(`${begin} ${when(AT)}. Everything else is here: look for what is missing, and add it again. Dismiss`);
});

test("what was read once is not said again, until more is set aside", () => {
  read.set("spindle.set-aside.g", AT);
  expect(words(1)).toBe("");
  read.set("spindle.set-aside.g", "2026-01-01T00:00:00.000Z");
  expect(words(1)).not.toBe("");
});

test("a document that cannot be opened says why, and keeps nothing that is not there", () => {
  const closing = { code: OTHER_LAYOUT, reason: "This graph is too large to open." };
  expect(said({ closing })).toBe("This graph is too large to open. Reload");
  expect(said({ closing, graph: { nodes: [] } as never })).toContain("What you see is kept until you close this page");
});

test("[C5] of edits that were refused and are kept, a person reads why, and what can be done with them", () => {
  const refused = (edits: number) => ({
    edits,
    reason: "It is so.",
    at: AT,
    graph: () => ({}) as never,
    apply: async () => {},
    discard() {},
  });
  expect(said({ refused: refused(1) })).toBe(
    `An edit of yours was refused on ${when(AT)}: It is so. It is kept for you. Apply it to the graph as it is now, or discard it. Apply Download a copy with it Discard`,
  );
  expect(said({ refused: refused(3) })).toContain("3 edits of yours were refused, the last on");
});

test.each([
  [{ added: 0, changed: 0, others: 4 }, "The graph has all of it. Download your copy Dismiss"],
  [
    { added: 2, changed: 1, others: 1 },
    "Your copy has 2 parts that the graph lacks, and differs in 1 part. Apply that to the graph as one step, which you can undo. 1 node that only the graph has stays. Apply to the graph Download your copy Dismiss",
  ],
  [
    { added: 0, changed: 3, others: 0 },
    "Your copy differs in 3 parts. Apply that to the graph as one step, which you can undo. Apply to the graph Download your copy Dismiss",
  ],
])("[C1] of what was edited on another epoch, a person reads how it differs, and can apply it: %j", (difference, words) => {
  const takenBack = {
    closing: { code: OTHER_EPOCH, reason: "It was restored." },
    graph: {} as never,
    difference,
    apply() {},
    dismiss() {},
  };
  const begin = "It was restored. You see that state now. What you had is kept in this browser until you dismiss this.";
  expect(said({ takenBack })).toBe(`${begin} ${words}`);
});

// Text that is being typed. It becomes an edit at rest, so that each word is not an edit of its own; and before the field, the page or
// the person's next act would leave it behind.
import { placeAfter } from "@spindle/graph-model";
import { type RefObject, useCallback, useEffect, useLayoutEffect, useRef, useState, useSyncExternalStore } from "react";

const REST_MS = 400;

/** For each field whose text is not stored yet, the function that stores it. */
const unstored = new Set<() => void>();
const watchers = new Set<() => void>();

function note(store: () => void, isUnstored: boolean): void {
  if (unstored.has(store) === isUnstored) return;
  if (isUnstored) unstored.add(store);
  else unstored.delete(store);
  for (const watcher of watchers) watcher();
}

const watch = (watcher: () => void) => {
  watchers.add(watcher);
  return () => void watchers.delete(watcher);
};

/** Stores what every field holds, as leaving each of them would. */
export function flushTyping(): void {
  for (const store of [...unstored]) store();
}

/** Whether a field holds text that is not stored yet. */
export function useIsTyping(): boolean {
  return useSyncExternalStore(
    watch,
    () => unstored.size > 0,
    () => false,
  );
}

export interface TypingState {
  text: string;
  type(text: string): void;
  /** Stores at once; for the field's `onBlur`. */
  leave(): void;
}

type Field = HTMLInputElement | HTMLTextAreaElement;

/** For the `ref` of a field that has a caret: it stays at its place in the words when another person's words come into `text`. */
export function useCaret<F extends Field>(text: string): RefObject<F> {
  const field = useRef<F>(null);
  const at = field.current;
  // Text that the person types is in the field before it is drawn. Other text comes from elsewhere, and would move the caret to the end.
  const moved =
    at && document.activeElement === at && at.value !== text ? { from: at.value, caret: [at.selectionStart, at.selectionEnd] } : undefined;
  useLayoutEffect(() => {
    if (!moved || !field.current) return;
    const [start, end] = moved.caret.map((place) => placeAfter(place ?? 0, moved.from, text));
    field.current.setSelectionRange(start ?? 0, end ?? 0);
  });
  return field;
}

/**
 * @param value the stored text
 * @param commit stores a text that was typed into `base`, and returns the text that stands for it from then on
 * @param atRest false for a field that is stored only when it is left
 */
export function useTyping(value: string, commit: (text: string, base: string) => string, atRest = true): TypingState {
  // What the field shows until the stored value changes: the value of an edit arrives a frame after it, or later in a large graph.
  const [draft, setDraft] = useState<string>();
  const typed = useRef<string>();
  const base = useRef("");
  const latest = useRef(commit);
  latest.current = commit;
  const store = useCallback(() => {
    const text = typed.current;
    if (text === undefined) return;
    typed.current = undefined;
    note(store, false);
    setDraft(latest.current(text, base.current));
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the stored value has changed, so it is what counts
  useEffect(() => {
    if (typed.current === undefined) setDraft(undefined);
  }, [value]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: each letter starts the rest anew
  useEffect(() => {
    if (!atRest || typed.current === undefined) return;
    const timer = setTimeout(store, REST_MS);
    return () => clearTimeout(timer);
  }, [draft, atRest, store]);
  // A layout effect is undone before any passive effect, so the document is still open when the field goes together with the page.
  useLayoutEffect(() => store, [store]);
  return {
    text: draft ?? value,
    type: (text) => {
      if (typed.current === undefined) base.current = draft ?? value;
      typed.current = text;
      note(store, true);
      setDraft(text);
    },
    leave: store,
  };
}

// The search of the graph: what answers is marked on the canvas, and gone through one by one.
import type { Graph, Issue, Library } from "@spindle/graph-model";
import { ChevronDown, ChevronUp, Search, X } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { focusCanvas } from "../ui/focus";
import { FIND_HINT, find, IS_WORDS } from "./find";

interface Props {
  graph: Graph;
  library: Library;
  issues: readonly Issue[];
  onJump(node: string): void;
  onSelect(found: readonly string[]): void;
  onClose(): void;
}

export function FindBar({ graph, library, issues, onJump, onSelect, onClose }: Props) {
  const [text, setText] = useState("");
  const [at, setAt] = useState(-1);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);
  const found = useMemo(() => find(graph, library, issues, text), [graph, library, issues, text]);
  const count = found?.length ?? 0;
  const goOn = (step: 1 | -1) => {
    if (!found || count === 0) return;
    const next = at < 0 ? (step > 0 ? 0 : count - 1) : (at + step + count) % count;
    setAt(next);
    onJump(found[next] ?? "");
  };
  const leave = () => {
    focusCanvas(); // at once: a key that follows is the canvas's
    onClose();
  };
  return (
    <search className="floating find-bar">
      <Search size={14} className="glyph" />
      <input
        ref={field}
        value={text}
        aria-label="Find in the graph"
        placeholder={FIND_HINT}
        title={`is: takes ${IS_WORDS.join(", ")}. Enter goes to the next, Shift+Enter back.`}
        onChange={(event) => {
          setText(event.target.value);
          setAt(-1);
        }}
        onKeyDown={(event) => {
          if (event.nativeEvent.isComposing) return;
          if (event.key === "Escape") leave();
          else if (event.key === "Enter") goOn(event.shiftKey ? -1 : 1);
          else return;
          event.preventDefault();
          event.stopPropagation();
        }}
      />
      <output className="text-small text-faint digits find-count">
        {found === undefined ? "" : count === 0 ? "Nothing" : at < 0 ? `${count}` : `${Math.min(at, count - 1) + 1} of ${count}`}
      </output>
      <button type="button" className="button icon" aria-label="Previous match" disabled={count === 0} onClick={() => goOn(-1)}>
        <ChevronUp size={14} />
      </button>
      <button type="button" className="button icon" aria-label="Next match" disabled={count === 0} onClick={() => goOn(1)}>
        <ChevronDown size={14} />
      </button>
      <button type="button" className="button" disabled={count === 0} onClick={() => onSelect(found ?? [])}>
        Select
      </button>
      <button type="button" className="button icon" aria-label="Close the search" onClick={leave}>
        <X size={14} />
      </button>
    </search>
  );
}

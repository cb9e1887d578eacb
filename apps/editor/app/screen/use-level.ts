// Which level of the graph the canvas shows: the graph itself, or a subgraph that a person went into. The address says which.
import { useSearchParams } from "@remix-run/react";
import type { Graph, Library } from "@spindle/graph-model";
import { nodeTitle, resolver } from "@spindle/graph-model";
import { sheetOn } from "@spindle/graph-model/shared-doc";
import type { Viewport } from "@xyflow/react";
import { useEffect, useMemo, useRef, useState } from "react";
import { addressOf, callsOf, type GraphLevel, levelAt } from "../canvas/levels";
import { type Selection, selectionOf } from "../canvas/selection";
import type { DocumentState } from "../session/use-document";
import { toast } from "../ui/toast";

const INSIDE = "in";
const NOTHING = selectionOf({});

export interface ShownLevel extends GraphLevel {
  /** What the page shows of the document: the sheet and the graph are those of the level. */
  shared: DocumentState | undefined;
  /** What the level is called within the one around it, and the calls that lead there; the graph itself first, without a name. */
  trail: readonly { title: string; calls: readonly string[] }[];
  selection: Selection;
  select(next: Selection | ((now: Selection) => Selection)): void;
  /** Shows another level, with what is to be selected there: by default, on the way out, the node that one comes out of. */
  open(calls: readonly string[], selection?: Selection): void;
  /** Where each level was seen last, by its address. */
  views: Map<string, Viewport>;
  address: string;
}

const NO_GRAPH = { schema: "langgraph.v1", workflowId: "", nodes: [] as never, edges: [] } as Graph;

/** @param shared the whole document */
export function useLevel(shared: DocumentState | undefined, library: Library): ShownLevel {
  const [params, setParams] = useSearchParams();
  const asked = params.get(INSIDE) ?? "";
  const isLoaded = shared?.loaded === true;
  const whole = shared?.graph;
  const level = useMemo(() => levelAt(whole ?? NO_GRAPH, callsOf(asked)), [whole, asked]);
  const address = addressOf(level.calls);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the same calls stay the same list
  const calls = useMemo(() => level.calls, [address]);
  const [views] = useState(() => new Map<string, Viewport>());
  const [held, hold] = useState({ address: "", selection: NOTHING });
  const selection = held.address === address ? held.selection : NOTHING;
  const now = useRef({ address, calls });
  now.current = { address, calls };
  const navigate = (next: readonly string[], isReplacing = false) =>
    setParams(
      (before) => {
        const after = new URLSearchParams(before);
        if (next.length === 0) after.delete(INSIDE);
        else after.set(INSIDE, addressOf(next));
        return after;
      },
      { preventScrollReset: true, replace: isReplacing },
    );
  const acts = useRef({
    select: (next: Selection | ((now: Selection) => Selection)) =>
      hold((before) => {
        const known = before.address === now.current.address ? before.selection : NOTHING;
        const selected = typeof next === "function" ? next(known) : next;
        // What is to be selected on a level that is about to open stays, as long as nothing else is chosen.
        return selected === known ? before : { address: now.current.address, selection: selected };
      }),
    open: (_: readonly string[], __?: Selection) => {},
  });
  acts.current.open = (next, chosen) => {
    const left = now.current.calls[next.length];
    const isOut = left !== undefined && next.every((call, index) => call === now.current.calls[index]);
    hold({ address: addressOf(next), selection: chosen ?? (isOut ? selectionOf({ nodes: [left] }) : NOTHING) });
    if (addressOf(next) !== now.current.address) navigate(next);
  };
  const isLost = isLoaded && addressOf(callsOf(asked)) !== address;
  // biome-ignore lint/correctness/useExhaustiveDependencies: said once, when it goes
  useEffect(() => {
    if (!isLost) return;
    toast("info", "The subgraph that was shown is gone: its node was deleted, or calls another one.");
    navigate(calls, true);
  }, [isLost]);
  const shown = useMemo(() => shared && { ...shared, graph: level.graph, sheet: sheetOn(shared.sheet, level.definition) }, [shared, level]);
  const resolveNext = useMemo(() => resolver(library), [library]);
  if (isLoaded && level.definition !== undefined) resolveNext(level.graph); // so that an edit costs what it touches
  return {
    ...level,
    calls,
    shared: shown,
    trail: trailOf(whole ?? NO_GRAPH, calls),
    selection,
    select: acts.current.select,
    open: (next, chosen) => acts.current.open(next, chosen),
    views,
    address,
  };
}

const trailOf = (whole: Graph, calls: readonly string[]): ShownLevel["trail"] => [
  { title: "", calls: [] },
  ...calls.map((call, index) => {
    const node = levelAt(whole, calls.slice(0, index)).graph.nodes.find(({ id }) => id === call);
    return { title: node ? nodeTitle(node) : call, calls: calls.slice(0, index + 1) };
  }),
];

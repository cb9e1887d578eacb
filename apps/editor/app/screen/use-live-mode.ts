// Runs what this person's edits made stale, half a second after the last of them, one run at a time (DESIGN E12).
import type { Graph, Library } from "@spindle/graph-model";
import { docOf } from "@spindle/graph-model/shared-doc";
import { isEndedRunState } from "@spindle/schemas";
import { useEffect, useRef, useState } from "react";
import type * as Y from "yjs";
import { editedSince, liveWork } from "../canvas/live-mode";
import { toggleLive, useLiveSwitch } from "../session/live-switch";
import { useTRPCClient } from "../session/provider";
import { useOpenRun, useRunStore } from "../session/run-store";
import { type DocumentState, ME } from "../session/use-document";

const REST_MS = 500;

export interface LiveMode {
  isOn: boolean;
  toggle(): void;
  /** Nodes that this person's edits made stale and that a person starts. */
  waiting: readonly string[];
  /** Why nothing runs; undefined where nothing keeps it. */
  why: string | undefined;
}

interface Acts {
  values(): Record<string, unknown>;
  /** Shows the run. */
  follow(run: string): void;
}

/** @param shared the whole document */
export function useLiveMode(id: string, shared: DocumentState | undefined, library: Library, { values, follow }: Acts): LiveMode {
  const api = useTRPCClient();
  const isOn = useLiveSwitch((state) => state.isOn);
  const open = useOpenRun(({ id }) => id);
  const [shown, show] = useState<Pick<LiveMode, "waiting" | "why">>({ waiting: [], why: undefined });
  const edited = useRef(new Set<string>());
  const before = useRef<Graph>(undefined);
  const isMine = useRef(false);
  const round = useRef(0);
  const own = useRef<string>(undefined);
  useEffect(() => void useLiveSwitch.persist.rehydrate(), []);

  const work = useRef(async (_round: number) => {});
  work.current = async (now) => {
    if (!shared?.online || isOthers(own.current)) return;
    const isStill = () => round.current === now;
    try {
      await shared.stored();
      const plan = await api.runs.plan.query({ graphId: id, inputs: values() });
      if (!isStill()) return;
      const { targets, waiting } = liveWork(shared.graph, library, edited.current, plan.nodes);
      show({ waiting, why: undefined });
      for (const node of targets) {
        const run = await api.runs.start.mutate({ graphId: id, inputs: values(), options: { part: { of: "to", node }, priority: "low" } });
        own.current = run;
        follow(run);
        if (!isStill()) return void api.runs.cancel.mutate({ id: run });
        if ((await endOf(run, isStill)) !== "succeeded") return;
      }
      edited.current = new Set(waiting);
    } catch (error) {
      if (isStill()) show({ waiting: [], why: (error as Error).message });
    }
  };

  // Whose an edit was is known by its transaction, and what it changed once the page has the graph.
  useEffect(() => {
    if (!shared || !isOn) return;
    const doc = docOf(shared.sheet);
    const mark = ({ local, origin }: Y.Transaction) => {
      if (local && (origin === ME || origin === shared.undo)) isMine.current = true;
    };
    doc.on("beforeObserverCalls", mark);
    return () => doc.off("beforeObserverCalls", mark);
  }, [shared, isOn]);
  const graph = shared?.loaded ? shared.graph : undefined;
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  // biome-ignore lint/correctness/useExhaustiveDependencies: only another graph is an edit
  useEffect(() => {
    const old = before.current;
    before.current = graph;
    const wasMine = isMine.current;
    isMine.current = false;
    if (!isOn || !graph || !old || !wasMine) return;
    const found = editedSince(old, graph, library);
    if (found.size === 0) return;
    for (const node of found) edited.current.add(node);
    const now = ++round.current;
    if (own.current !== undefined && own.current === useRunStore.getState().run?.id && !isEnded())
      void api.runs.cancel.mutate({ id: own.current });
    clearTimeout(timer.current);
    timer.current = setTimeout(() => void work.current(now), REST_MS);
  }, [graph, isOn]);
  // A run of somebody, or one that a person started, comes first.
  useEffect(() => {
    if (isOn && open === undefined && edited.current.size > 0 && own.current !== useRunStore.getState().run?.id)
      void work.current(++round.current);
  }, [open, isOn]);
  useEffect(() => {
    if (isOn) return;
    round.current++;
    clearTimeout(timer.current);
    edited.current.clear();
    show({ waiting: [], why: undefined });
  }, [isOn]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return { isOn, toggle: toggleLive, ...shown };
}

const isEnded = (): boolean => {
  const { run } = useRunStore.getState();
  return run === undefined || isEndedRunState(run.state);
};
/** A run goes on that live mode did not start. */
const isOthers = (own: string | undefined): boolean => !isEnded() && useRunStore.getState().run?.id !== own;

/** The state in which a run ended that the page follows; undefined as soon as nobody waits for it any more. */
function endOf(run: string, isStill: () => boolean): Promise<string | undefined> {
  return new Promise((resolve) => {
    const check = () => {
      const { run: shown } = useRunStore.getState();
      const state = shown?.id === run && isEndedRunState(shown.state) ? shown.state : undefined;
      if (state === undefined && isStill()) return;
      stop();
      resolve(state);
    };
    const stop = useRunStore.subscribe(check);
    check();
  });
}

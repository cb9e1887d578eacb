// The critical path of the run that is looked at, drawn on the cards and wires as long as a person wants it.
import { type Graph, parsePath } from "@spindle/graph-model";
import { useQuery } from "@tanstack/react-query";
import type { Edge } from "@xyflow/react";
import { useEffect, useMemo } from "react";
import { create } from "zustand";
import { isWithin } from "../session/inner-runs";
import { useTRPC } from "../session/provider";
import { useIsRunOpen, useRunStore } from "../session/run-store";
import { span } from "../ui/words";
import { criticalPath, type PathStep } from "./critical-path";

const NONE: readonly PathStep[] = [];
const usePath = create<{ isOn: boolean; steps: readonly PathStep[] }>(() => ({ isOn: false, steps: NONE }));

export const toggleCriticalPath = (): void => usePath.setState(({ isOn }) => ({ isOn: !isOn }));

/** @param calls those that lead to the graph that is shown */
export function useCriticalPath(graph: Graph | undefined, calls: readonly string[]): void {
  const trpc = useTRPC();
  const isOn = usePath((state) => state.isOn);
  const run = useRunStore((store) => store.run?.id);
  const isOpen = useIsRunOpen();
  const isAsked = isOn && !isOpen && run !== undefined;
  // Of a run that has ended nothing changes, but what was asked while it went on is not all of it.
  const { data } = useQuery({ ...trpc.runs.nodeRuns.queryOptions({ id: run ?? "" }), enabled: isAsked, refetchOnMount: "always" });
  useEffect(() => {
    const own = isAsked && data ? data.filter(({ path }) => isWithin(path, calls) && parsePath(path).element === undefined) : [];
    usePath.setState({ steps: graph && own.length > 0 ? criticalPath(graph, own) : NONE });
  }, [isAsked, data, graph, calls]);
  useEffect(() => () => usePath.setState({ isOn: false, steps: NONE }), []);
}

/** The wires, those on the path marked. */
export function useMarkedWires(edges: Edge[]): Edge[] {
  const steps = usePath((state) => state.steps);
  return useMemo(() => {
    if (steps.length < 2) return edges;
    const pairs = new Set(steps.slice(1).map(({ node }, index) => `${steps[index]?.node}\n${node}`));
    return edges.map((edge) =>
      pairs.has(`${edge.source}\n${edge.target}`) ? { ...edge, className: `${edge.className ?? ""} critical` } : edge,
    );
  }, [edges, steps]);
}

/** What the node spent on the path: how long it was queued, and how long it worked. */
export function CriticalStep({ id }: { id: string }) {
  const step = usePath(({ steps }) => steps.find(({ node }) => node === id));
  const at = usePath(({ steps }) => steps.findIndex(({ node }) => node === id) + 1);
  const count = usePath(({ steps }) => steps.length);
  if (!step) return null;
  const { queuedMs, workedMs } = step;
  const share = `${Math.round((100 * queuedMs) / Math.max(1, queuedMs + workedMs))}%`;
  return (
    <div className="card-path" style={{ "--queued": share } as React.CSSProperties}>
      <span className="strong">
        {at} of {count} on the critical path
      </span>
      <span className="card-path-bar" aria-hidden />
      <span className="digits">
        <i className="path-queued" aria-hidden /> Queued {span(queuedMs)}
      </span>
      <span className="digits">
        <i className="path-worked" aria-hidden /> Worked {span(workedMs)}
      </span>
    </div>
  );
}

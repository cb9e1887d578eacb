import type { Graph } from "@spindle/graph-model";
import { CircleAlert, Hand, LoaderCircle, RotateCcw, Square } from "lucide-react";
import type { CSSProperties } from "react";
import { useOpenRun, useRunStore } from "../session/run-store";
import type { ShownNodeRun } from "../session/types";
import { span } from "../ui/words";

/** DESIGN E15: the share of the run that is done, by weight, and a remaining time only once one is measured. */
export function useRunProgress(graph: Graph | undefined): { share: number; remaining: number | undefined } {
  const nodes = useRunStore((store) => store.nodes);
  const live = useRunStore((store) => store.live);
  const list = graph?.nodes ?? [];
  const weight = (id: string) => list.find((node) => node.id === id)?.progressWeight ?? 1;
  let total = 0;
  let done = 0;
  let remaining: number | undefined;
  for (const nodeRun of Object.values(nodes)) {
    total += weight(nodeRun.node);
    const ended = nodeRun.state === "succeeded" || nodeRun.state === "skipped";
    done += weight(nodeRun.node) * (ended ? 1 : (live[nodeRun.node]?.progress ?? 0));
    const left = nodeRun.state === "running" ? live[nodeRun.node]?.remaining : undefined;
    if (left !== undefined) remaining = Math.max(remaining ?? 0, left);
  }
  return { share: total > 0 ? Math.min(1, done / total) : 0, remaining };
}

/** What holds the run up that a person can see to, while nothing of it is running. */
const heldUp = ({ nodes }: { nodes: Record<string, ShownNodeRun> }) => {
  const all = Object.values(nodes);
  if (all.some((node) => node.state === "running" && !node.notRunning)) return undefined;
  return all.find((node) => node.state !== "waiting" && node.notRunning?.action)?.notRunning ?? undefined;
};

export function RunBar({ graph, onCancel, onRetry }: { graph: Graph; onCancel(): void; onRetry(node: string): void }) {
  const run = useRunStore((store) => store.run);
  const open = useOpenRun();
  const { share, remaining } = useRunProgress(graph);
  const why = useRunStore(heldUp);
  if (!run) return null;
  if (!open && run.state !== "failed") return null;
  const failed = run.error?.node;
  return (
    <div className="floating run-bar" role="status" data-testid="run-bar">
      {run.state === "waiting" ? (
        <Hand size={16} className="text-warn" />
      ) : open ? (
        <LoaderCircle size={16} className="text-live spinning" />
      ) : (
        <CircleAlert size={16} className="text-bad" />
      )}
      <span className="strong">Run {run.number}</span>
      {open ? (
        <>
          <span className="bar">
            <i style={{ "--share": `${Math.round(share * 100)}%` } as CSSProperties} />
          </span>
          <span className="text-muted digits">
            {Math.round(share * 100)}%{remaining !== undefined ? `, this node about ${span(remaining)}` : ""}
          </span>
          {why && (
            <span className="text-warn ellipsis run-error" title={`${why.text} ${why.action}`}>
              {why.text}
            </span>
          )}
          <button type="button" className="button quiet danger" disabled={run.cancelling} onClick={onCancel}>
            <Square size={14} /> {run.cancelling ? "Cancelling" : "Cancel"}
          </button>
        </>
      ) : (
        <>
          <span className="text-bad ellipsis run-error">{String(run.error?.message ?? "Failed")}</span>
          {typeof failed === "string" && (
            <button
              type="button"
              className="button"
              title="A new run of the same graph from this node on; what lies before it is taken from this run"
              onClick={() => onRetry(failed)}
            >
              <RotateCcw size={14} /> Try again
            </button>
          )}
        </>
      )}
    </div>
  );
}

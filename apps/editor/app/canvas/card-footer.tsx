import { parsePath } from "@spindle/graph-model";
import { Check, CircleAlert, Clock, Hand, LoaderCircle, SkipForward } from "lucide-react";
import { useRunStore } from "../session/run-store";
import type { Live, NodeCount, NodeRunView, NodeState } from "../session/types";
import { duration, type Look, lookOf, queueWords, span, stateWord } from "../ui/words";

const ICONS: Record<Look, React.ReactNode> = {
  idle: null,
  queued: <Clock size={14} className="text-faint" aria-label="Queued" />,
  waiting: <Hand size={14} className="text-warn" aria-label="Waiting for you" />,
  running: <LoaderCircle size={14} className="text-live spinning" aria-label="Running" />,
  done: <Check size={14} className="text-ok" aria-label="Succeeded" />,
  failed: <CircleAlert size={14} className="text-bad" aria-label="Failed" />,
  skipped: <SkipForward size={14} className="text-faint" aria-label="Skipped" />,
};

export const StateIcon = ({ state }: { state: NodeState | undefined }) => ICONS[lookOf(state)];

/** How many elements of a map are done, or which visit of a loop this is. */
function countWords(node: NodeRunView, { total, done, failed }: NodeCount): string {
  const visits = parsePath(node.path).visits;
  if (visits.length > 0) return `visit ${visits.map((visit) => visit.index + 1).join(".")}`;
  return `${done} of ${total}${failed > 0 ? `, ${failed} failed` : ""}`;
}

function standing(node: NodeRunView, live: Live | undefined): string {
  if (node.state === "dispatched" && live?.queue) return queueWords(live.queue);
  if (node.held) return `Waiting for you: held ${node.held} it`;
  return stateWord(node.state, node.reused);
}

function Step({ live }: { live: Live }) {
  if (live.steps)
    return (
      <span className="digits">
        {live.step} of {live.steps}
      </span>
    );
  return live.note ? <span className="ellipsis">{live.note}</span> : null;
}

export function CardFooter({ id }: { id: string }) {
  const node = useRunStore((store) => store.nodes[id]);
  const live = useRunStore((store) => store.live[id]);
  const count = useRunStore((store) => store.counts[id]);
  if (!node) return null;
  const running = node.state === "running";
  const elements = count && parsePath(node.path).visits.length === 0 ? count : undefined;
  const share = elements ? (elements.done + elements.failed) / Math.max(1, elements.total) : live?.progress;
  const percent = running && share !== undefined ? Math.round(share * 100) : undefined;
  const failed = lookOf(node.state) === "failed" || node.state === "skipped";
  const reason = failed || (node.error && node.state === "dispatched") ? String(node.error?.message ?? "") : "";
  return (
    <>
      {reason && (
        <div className={`card-issue ${failed && node.state !== "skipped" ? "bad" : "warn"}`}>
          <CircleAlert className="glyph" />
          <span>{reason.slice(0, 220)}</span>
        </div>
      )}
      <div className="card-footer">
        {percent !== undefined && (
          <span className="bar">
            <i style={{ "--share": `${percent}%` } as React.CSSProperties} />
          </span>
        )}
        <StateIcon state={node.state} />
        {percent !== undefined ? <span className="strong text-live digits">{percent}%</span> : <span>{standing(node, live)}</span>}
        {running && !elements && live && <Step live={live} />}
        {count && count.total > 0 && <span className="text-faint digits">{countWords(node, count)}</span>}
        {node.attempt > 1 && <span className="text-faint">try {node.attempt}</span>}
        <span className="at-end digits">
          {running && !elements && live?.remaining !== undefined ? `${span(live.remaining)} left` : duration(node)}
        </span>
      </div>
    </>
  );
}

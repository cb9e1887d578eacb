import { type NodeSettings, parsePath } from "@spindle/graph-model";
import { isEndedNodeState } from "@spindle/schemas";
import {
  Check,
  CheckCheck,
  CircleAlert,
  CircleSlash,
  Clock,
  CornerUpRight,
  Hand,
  History,
  LoaderCircle,
  type LucideIcon,
  Pin,
  SkipForward,
} from "lucide-react";
import { useShownRuns } from "../session/run-store";
import type { Live, NodeCount, ShownNodeRun } from "../session/types";
import { type Appearance, appearanceOf, duration, span, stateWord } from "../ui/words";

const ICONS: Record<Exclude<Appearance, "idle">, [icon: LucideIcon, className: string]> = {
  queued: [Clock, "text-faint"],
  waiting: [Hand, "text-warn"],
  running: [LoaderCircle, "text-live spinning"],
  done: [Check, "text-ok"],
  reused: [CheckCheck, "text-ok"],
  failed: [CircleAlert, "text-bad"],
  skipped: [SkipForward, "text-faint"],
};

/** The icon of a node run's state, named by the state's word; none before the node has a run. */
export function StateIcon({ nodeRun }: { nodeRun: ShownNodeRun | undefined }) {
  const tone = appearanceOf(nodeRun?.state, nodeRun?.reused);
  if (!nodeRun || tone === "idle") return null;
  const [Icon, className] = ICONS[tone];
  return <Icon size={14} className={className} role="img" aria-label={stateWord(nodeRun.state, nodeRun.reused)} />;
}

/** How many elements of a map are done, or which visit of a loop this is. */
function countWords(node: ShownNodeRun, { total, done, failed }: NodeCount): string {
  const visits = parsePath(node.path).visits;
  if (visits.length > 0) return `visit ${visits.map((visit) => visit.index + 1).join(".")}`;
  return `${done} of ${total}${failed > 0 ? `, ${failed} failed` : ""}`;
}

function standing(node: ShownNodeRun): string {
  // A map runs while its elements wait, and a server may fall silent under a node.
  if ((node.state === "dispatched" || node.state === "running") && node.notRunning) return node.notRunning.text;
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

/** What is set outweighs what the last run did: a node that is off or bypassed, or whose output is pinned, does not run. */
function setWord({ disabled, bypassed, pinned }: NodeSettings, isOff: boolean): [Icon: LucideIcon, word: string] | undefined {
  if (disabled) return [CircleSlash, "Off"];
  if (bypassed) return [CornerUpRight, isOff ? "Bypassed, has nothing to pass on" : "Bypassed, passes on what it takes"];
  return pinned ? [Pin, "Pinned, does not run"] : undefined;
}

interface CardFooterProps {
  id: string;
  settings: NodeSettings;
  /** It is skipped. */
  isOff: boolean;
  isStale: boolean;
}

export function CardFooter({ id, settings, isOff, isStale }: CardFooterProps) {
  const node = useShownRuns((store) => store.nodes[id]);
  const live = useShownRuns((store) => store.live[id]);
  const count = useShownRuns((store) => store.counts[id]);
  const [SetIcon, word] = setWord(settings, isOff) ?? [];
  if (SetIcon && (!node || isEndedNodeState(node.state)))
    return (
      <div className="card-footer">
        <SetIcon size={14} /> <span>{word}</span>
      </div>
    );
  if (!node) return null;
  const running = node.state === "running";
  const elements = count && parsePath(node.path).visits.length === 0 ? count : undefined;
  const share = elements ? (elements.done + elements.failed) / Math.max(1, elements.total) : live?.progress;
  const percent = running && share !== undefined ? Math.round(share * 100) : undefined;
  const failed = appearanceOf(node.state) === "failed" || node.state === "skipped";
  const tells = failed || (node.error && node.state === "dispatched");
  const heldUp = node.state !== "waiting" && node.notRunning?.action ? `${node.notRunning.text} ${node.notRunning.action}` : "";
  const reason = heldUp || (tells ? String(node.error?.message ?? "") : "");
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
        {isStale ? <History size={14} className="text-warn" /> : <StateIcon nodeRun={node} />}
        {percent !== undefined ? (
          <span className="strong text-live digits">{percent}%</span>
        ) : (
          <span>{isStale ? "Stale" : standing(node)}</span>
        )}
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

import { type Graph, type Library, type LibraryEngine, resolve } from "@spindle/graph-model";
import { CircleAlert, Hand, LoaderCircle, RotateCcw, Square } from "lucide-react";
import { type CSSProperties, useMemo } from "react";
import { useIsRunOpen, useRunStore } from "../session/run-store";
import type { RunView, ShownNodeRun } from "../session/types";
import { span } from "../ui/words";

/** DESIGN E15: the share of the run that is done, by weight, and a remaining time only once one is measured. */
export function useRunProgress(graph: Graph | undefined): { share: number; remaining: number | undefined } {
  const nodes = useRunStore((store) => store.nodes);
  const live = useRunStore((store) => store.live);
  const weights = useMemo(() => new Map(graph?.nodes.map(({ id, progressWeight }) => [id, progressWeight])), [graph]);
  const weight = (id: string) => weights.get(id) ?? 1;
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

interface RunBarProps {
  graph: Graph;
  library: Library;
  /** Why nothing of the run is running; null while something is. */
  notRunning: RunView["notRunning"];
  onCancel(): void;
  onRetry(node: string): void;
  /** Ends the run, and starts another with these engines and versions, by node. */
  onRunWith(engines: ReadonlyMap<string, LibraryEngine>, versions: ReadonlyMap<string, string>): void;
}

export function RunBar({ graph, library, notRunning, onCancel, onRetry, onRunWith }: RunBarProps) {
  const run = useRunStore((store) => store.run);
  const nodes = useRunStore((store) => store.nodes);
  const open = useIsRunOpen();
  const { share, remaining } = useRunProgress(graph);
  // That it begins in its turn is no news.
  const why = notRunning?.kind === "turn" ? null : notRunning;
  const others = why ? otherEngines(graph, library, Object.values(nodes)) : NO_ENGINES;
  const versions = why ? offeredVersions(Object.values(nodes)) : NO_VERSIONS;
  if (!run) return null;
  if (!open && run.state !== "failed") return null;
  const failed = run.error?.node;
  return (
    <section className="floating run-bar" aria-label={`Run ${run.number}`} data-testid="run-bar">
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
            <span
              className={`${why.action ? "text-warn" : "text-muted"} ellipsis run-error`}
              title={`${why.text}${why.action ? ` ${why.action}` : ""}`}
            >
              {why.text}
            </span>
          )}
          {versions.size > 0 && (
            <button
              type="button"
              className="button"
              title="Cancels this run, and runs the graph again with the version that workers have now"
              disabled={run.cancelling}
              onClick={() => onRunWith(NO_ENGINES, versions)}
            >
              <RotateCcw size={14} /> Run with version {[...new Set(versions.values())].join(", ")}
            </button>
          )}
          {others.size > 0 && (
            <button
              type="button"
              className="button"
              title="Cancels this run, chooses the engine in the graph, and runs it again"
              disabled={run.cancelling}
              onClick={() => onRunWith(others, NO_VERSIONS)}
            >
              <RotateCcw size={14} /> Run with {enginesWord(others)}
            </button>
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
    </section>
  );
}

const NO_ENGINES: ReadonlyMap<string, LibraryEngine> = new Map();

/** An engine that can run now, for each node whose own cannot: of equals one that a run may choose by itself. */
export function otherEngines(
  graph: Graph,
  library: Library,
  nodeRuns: readonly Pick<ShownNodeRun, "node" | "engine" | "notRunning">[],
): ReadonlyMap<string, LibraryEngine> {
  const level = resolve(graph, library).root;
  return new Map(
    nodeRuns.flatMap(({ node, engine, notRunning }) => {
      if (notRunning?.kind !== "no-worker" && notRunning?.kind !== "engine-not-live") return [];
      const live = (level.node(node)?.definition?.engines ?? []).filter((one) => one.live && one.id !== engine);
      const other = live.find((one) => one.auto !== false) ?? live[0];
      return other ? [[node, other] as const] : [];
    }),
  );
}

const NO_VERSIONS: ReadonlyMap<string, string> = new Map();

/** The version that workers have, for each node that waits because nobody has its own. */
export const offeredVersions = (nodeRuns: readonly Pick<ShownNodeRun, "node" | "notRunning">[]): ReadonlyMap<string, string> =>
  new Map(nodeRuns.flatMap(({ node, notRunning }) => (notRunning?.version === undefined ? [] : [[node, notRunning.version] as const])));

function enginesWord(engines: ReadonlyMap<string, LibraryEngine>): string {
  const labels = new Set([...engines.values()].map(({ label }) => label));
  const [only = ""] = labels;
  return labels.size === 1 ? only : "other engines";
}

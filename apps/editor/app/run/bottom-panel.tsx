import { edgeId, type Graph, type Issue, nodeTitle } from "@spindle/graph-model";
import { CircleAlert, Info, TriangleAlert } from "lucide-react";
import { Tabs } from "radix-ui";
import { useRunStore } from "../session/run-store";
import type { ShownNodeRun } from "../session/types";
import { PlaneMark } from "../ui/plane-mark";
import { Viewer } from "../ui/viewer";
import { between, lookOf, runWord, stateWord } from "../ui/words";

const ICONS = {
  error: <CircleAlert size={14} className="text-bad" />,
  warning: <TriangleAlert size={14} className="text-warn" />,
  info: <Info size={14} className="text-faint" />,
};

export function BottomPanel({ graph, issues, onJump }: { graph: Graph; issues: Issue[]; onJump(id: string): void }) {
  const run = useRunStore((store) => store.run);
  const outputs = Object.entries(run?.outputs ?? {});
  const problems = issues.filter((issue) => issue.severity !== "info").length;
  return (
    <div className="bottom">
      <Tabs.Root defaultValue="run" className="tabbed">
        <Tabs.List className="tabs" aria-label="Run panel">
          <Tabs.Trigger className="tab" value="problems">
            Problems {problems > 0 && <span className="count bad">{problems}</span>}
          </Tabs.Trigger>
          <Tabs.Trigger className="tab" value="run">
            Run{run ? ` ${run.number}` : ""}
          </Tabs.Trigger>
          <Tabs.Trigger className="tab" value="results">
            Results {outputs.length > 0 && <span className="count">{outputs.length}</span>}
          </Tabs.Trigger>
        </Tabs.List>
        <Tabs.Content className="panel" value="problems">
          <Problems graph={graph} issues={issues} onJump={onJump} />
        </Tabs.Content>
        <Tabs.Content className="panel" value="run">
          <Timeline graph={graph} onJump={onJump} />
        </Tabs.Content>
        <Tabs.Content className="panel" value="results">
          {outputs.length === 0 ? (
            <p className="text-faint text-small panel-hint">What a run gives shows up here.</p>
          ) : (
            <div className="results">
              {outputs.map(([name, value]) => (
                <Viewer key={name} name={name} value={value} />
              ))}
            </div>
          )}
        </Tabs.Content>
      </Tabs.Root>
    </div>
  );
}

function Problems({ graph, issues, onJump }: { graph: Graph; issues: Issue[]; onJump(id: string): void }) {
  if (issues.length === 0) return <p className="text-faint text-small panel-hint">No problems. The graph can run.</p>;
  return (
    <ul data-testid="problems">
      {issues.map((issue, index) => {
        const node = nodeOf(graph, issue);
        const title = graph.nodes.find((each) => each.id === node);
        return (
          <li key={`${issue.code} ${index + 1}`}>
            <button type="button" className="problem" onClick={() => node && onJump(node)}>
              {ICONS[issue.severity]}
              <span className="ellipsis medium">{title ? nodeTitle(title) : (issue.place.edge ?? "Graph")}</span>
              <span className="text-muted">
                {issue.message} {issue.fix}
              </span>
              <span className="text-faint monospace text-tiny">{issue.code}</span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}

/** The node that an issue is about, or that its wire leads to; undefined if it is about the whole graph. */
export const nodeOf = (graph: Graph, { place: { node, edge } }: Issue): string | undefined =>
  node ?? (edge === undefined ? undefined : graph.edges.find((each, index) => edgeId(each, index) === edge)?.to);

/** A row for each node: when it ran, and for how long. */
function Timeline({ graph, onJump }: { graph: Graph; onJump(id: string): void }) {
  const run = useRunStore((store) => store.run);
  const nodes = useRunStore((store) => store.nodes);
  if (!run) return <p className="text-faint text-small panel-hint">Press Run to run the graph.</p>;
  const start = Date.parse(run.startedAt ?? run.createdAt);
  /** Milliseconds from the start of the run to the end of a node run, or to now while it runs. */
  const endOf = ({ startedAt, finishedAt }: ShownNodeRun): number => {
    if (finishedAt) return Date.parse(finishedAt) - start;
    return startedAt ? Date.now() - start : 0;
  };
  const length = Math.max(1, ...Object.values(nodes).map(endOf));
  return (
    <div>
      <div className="run-row time-axis text-faint">
        <span />
        <span>{runWord(run.state)}</span>
        <span />
        <span className="duration">{between(run.startedAt, run.finishedAt)}</span>
      </div>
      {run.error && (
        <p className="text-bad text-small panel-error" role="alert">
          {String(run.error.message ?? "")}
        </p>
      )}
      {graph.nodes.map((node) => {
        const nodeRun = nodes[node.id];
        if (!nodeRun) return null;
        const from = nodeRun.startedAt ? Date.parse(nodeRun.startedAt) - start : 0;
        const until = endOf(nodeRun);
        return (
          <button type="button" className="run-row" key={node.id} onClick={() => onJump(node.id)}>
            <PlaneMark plane={node.plane} small />
            <span className="ellipsis">{nodeTitle(node)}</span>
            <span className="lane">
              {nodeRun.startedAt && (
                <span
                  className="lane-bar"
                  data-state={lookOf(nodeRun.state)}
                  style={{ left: `${(100 * from) / length}%`, width: `${(100 * Math.max(0, until - from)) / length}%` }}
                />
              )}
            </span>
            <span className="duration">
              {nodeRun.finishedAt && nodeRun.startedAt
                ? between(nodeRun.startedAt, nodeRun.finishedAt)
                : stateWord(nodeRun.state, nodeRun.reused)}
            </span>
          </button>
        );
      })}
    </div>
  );
}

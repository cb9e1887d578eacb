import { edgeId, type Graph, type Issue, type Library, nodeTitle } from "@spindle/graph-model";
import { CircleAlert, Info, TriangleAlert } from "lucide-react";
import { Tabs } from "radix-ui";
import { useRunStore } from "../session/run-store";
import { Viewer } from "../ui/viewer";
import { Timeline } from "./timeline";

const ICONS = {
  error: <CircleAlert size={14} className="text-bad" />,
  warning: <TriangleAlert size={14} className="text-warn" />,
  info: <Info size={14} className="text-faint" />,
};

interface Props {
  graph: Graph;
  library: Library;
  issues: Issue[];
  onJump(id: string): void;
}

export function BottomPanel({ graph, library, issues, onJump }: Props) {
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
          <Timeline graph={graph} library={library} onJump={onJump} />
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

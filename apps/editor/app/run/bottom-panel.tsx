import { Tabs } from "radix-ui";
import { useRunStore } from "../session/run-store";
import { Viewer } from "../ui/viewer";
import { ProblemList, type ProblemListProps } from "./problems";
import { Timeline } from "./timeline";

interface Props extends ProblemListProps {
  /** Goes to a node of the graph itself. */
  onJump(id: string): void;
}

export function BottomPanel({ onJump, ...problemsProps }: Props) {
  const { graph, library, issues } = problemsProps;
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
          <ProblemList {...problemsProps} />
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

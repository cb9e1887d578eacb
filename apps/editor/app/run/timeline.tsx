// The run that is looked at, in time: a row for each node, and one for each ComfyUI prompt, whose nodes run together.
import { type Graph, type GraphNode, type Library, nodeTitle, resolve } from "@spindle/graph-model";
import { useRunStore } from "../session/run-store";
import type { ShownNodeRun } from "../session/types";
import { PlaneMark } from "../ui/plane-mark";
import { appearanceOf, between, runWord, stateWord } from "../ui/words";

interface Props {
  graph: Graph;
  library: Library;
  onJump(id: string): void;
}

export function Timeline({ graph, library, onJump }: Props) {
  const run = useRunStore((store) => store.run);
  const nodes = useRunStore((store) => store.nodes);
  if (!run) return <p className="text-faint text-small panel-hint">Press Run to run the graph.</p>;
  const start = Date.parse(run.startedAt ?? run.createdAt);
  const length = Math.max(1, ...Object.values(nodes).map((nodeRun) => endOf(nodeRun, start)));
  const row = (node: GraphNode, isInPrompt: boolean) => {
    const nodeRun = nodes[node.id];
    return (
      nodeRun && (
        <button type="button" className={`run-row${isInPrompt ? " in-prompt" : ""}`} key={node.id} onClick={() => onJump(node.id)}>
          <PlaneMark plane={node.plane} small />
          <span className="ellipsis">{nodeTitle(node)}</span>
          {!isInPrompt && <Lane nodeRun={nodeRun} start={start} length={length} />}
          <span className="duration">{howLong(nodeRun)}</span>
        </button>
      )
    );
  };
  return (
    <div data-testid="timeline">
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
      {rowsOf(graph, library, nodes).map(({ prompt, members: [first, ...others] }) => {
        const own = prompt === undefined ? undefined : nodes[prompt];
        if (!own || !first) return first && row(first, false);
        return (
          <div key={prompt}>
            <div className="run-row">
              <PlaneMark plane={first.plane} small />
              <span className="ellipsis">ComfyUI prompt, {others.length === 0 ? "1 node" : `${others.length + 1} nodes together`}</span>
              <Lane nodeRun={own} start={start} length={length} />
              <span className="duration">{howLong(own)}</span>
            </div>
            {[first, ...others].map((node) => row(node, true))}
          </div>
        );
      })}
    </div>
  );
}

/** In the order of the graph, the nodes of one prompt at the place of the first of them. */
function rowsOf(
  graph: Graph,
  library: Library,
  nodes: Readonly<Record<string, ShownNodeRun>>,
): { prompt?: string; members: GraphNode[] }[] {
  const { root } = resolve(graph, library);
  const prompts = new Map<string, GraphNode[]>();
  return graph.nodes.flatMap((node) => {
    // A region of one node, or one that is new since the run, has no row of its own.
    const prompt = root.node(node.id)?.region?.id;
    if (prompt === undefined || !nodes[prompt]) return [{ members: [node] }];
    const known = prompts.get(prompt);
    if (known) known.push(node);
    const members = known ?? [node];
    prompts.set(prompt, members);
    return known ? [] : [{ prompt, members }];
  });
}

/** Milliseconds from the start of the run to the end of a node run, or to now while it runs. */
function endOf({ startedAt, finishedAt }: ShownNodeRun, start: number): number {
  if (finishedAt) return Date.parse(finishedAt) - start;
  return startedAt ? Date.now() - start : 0;
}

const howLong = ({ startedAt, finishedAt, state, reused }: ShownNodeRun): string =>
  finishedAt && startedAt ? between(startedAt, finishedAt) : stateWord(state, reused);

function Lane({ nodeRun, start, length }: { nodeRun: ShownNodeRun; start: number; length: number }) {
  const from = nodeRun.startedAt ? Date.parse(nodeRun.startedAt) - start : 0;
  const until = endOf(nodeRun, start);
  return (
    <span className="lane">
      {nodeRun.startedAt && (
        <span
          className="lane-bar"
          data-state={appearanceOf(nodeRun.state)}
          style={{ left: `${(100 * from) / length}%`, width: `${(100 * Math.max(0, until - from)) / length}%` }}
        />
      )}
    </span>
  );
}

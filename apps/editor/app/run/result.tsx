// What a node got and gave in the run that is looked at, each visit of a loop and each element of a map among them.
import { type Graph, nodeSettings, parsePath } from "@spindle/graph-model";
import { type Sheet, setSetting } from "@spindle/graph-model/shared-doc";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Pin, PinOff, Square } from "lucide-react";
import { useState } from "react";
import { isWithin } from "../session/inner-runs";
import { useTRPC } from "../session/provider";
import { useRunStore, useShownRuns } from "../session/run-store";
import type { ShownNodeRun } from "../session/types";
import { ME } from "../session/use-document";
import { toastError } from "../ui/toast";
import { Viewer } from "../ui/viewer";
import { between, stateWord } from "../ui/words";
import { Log } from "./log";

const NO_CALLS: readonly string[] = [];

export function Result({ sheet, graph, id }: { sheet: Sheet; graph: Graph; id: string }) {
  const run = useRunStore((store) => store.run?.id);
  const last = useShownRuns((store) => store.nodes[id]);
  const several = useShownRuns((store) => (store.counts[id]?.total ?? 0) > 0);
  const [path, setPath] = useState<string>();
  const trpc = useTRPC();
  const { data: all = [] } = useQuery({
    ...trpc.runs.nodeRuns.queryOptions({ id: run ?? "", node: id }),
    enabled: run !== undefined && several,
    refetchInterval: last?.state === "running" ? 1500 : false,
  });
  const calls = useRunStore((store) => store.inside?.calls ?? NO_CALLS);
  const own = all.filter((one) => isWithin(one.path, calls));
  const shown = own.find((one) => one.path === path) ?? last;
  const pinned = nodeSettings(graph, id).pinned;
  if (!shown && !pinned) return <p className="section text-faint text-small">This node has not run yet.</p>;
  return (
    <>
      {pinned && (
        <section className="section text-small">
          <div className="row">
            <Pin size={14} className="text-muted" />
            <span className="text-muted grow">Pinned: it does not run, and gives this.</span>
            <button type="button" className="button" onClick={() => setSetting(sheet, ME, id, "pinned", undefined)}>
              <PinOff size={14} /> Unpin
            </button>
          </div>
          {!shown && <Values of={pinned} />}
        </section>
      )}
      {shown && own.length > 1 && (
        <section className="section">
          <h4>{own.length} node runs</h4>
          <select className="field" aria-label="Node run" value={shown.path} onChange={(event) => setPath(event.target.value)}>
            {own.map((nodeRun) => (
              <option key={nodeRun.path} value={nodeRun.path}>
                {pathWords(nodeRun.path)}: {stateWord(nodeRun.state)}
              </option>
            ))}
          </select>
        </section>
      )}
      {shown && <Shown run={run} node={shown} onPin={pinned ? undefined : (output) => setSetting(sheet, ME, id, "pinned", output)} />}
    </>
  );
}

function Shown({
  run,
  node,
  onPin,
}: {
  run: string | undefined;
  node: ShownNodeRun;
  onPin: ((output: Record<string, unknown>) => void) | undefined;
}) {
  return (
    <>
      <section className="section text-small">
        <div className="row">
          <span className="text-muted">{stateWord(node.state)}</span>
          <span className="text-faint digits">{node.finishedAt ? between(node.startedAt, node.finishedAt) : ""}</span>
          <span className="grow" />
          <span className="text-faint">
            {node.engine}
            {node.draft ? ", draft" : ""}
            {node.licence ? `, ${node.licence}` : ""}
            {node.attempt > 0 ? `, try ${node.attempt}` : ""}
          </span>
        </div>
        {node.why && (
          <p className="text-faint">
            {node.reused
              ? `Not run: ${node.why.charAt(0).toLowerCase()}${node.why.slice(1)}`
              : `Ran: ${node.why.charAt(0).toLowerCase()}${node.why.slice(1)}`}
          </p>
        )}
        {run && (node.state === "running" || node.state === "dispatched" || node.state === "waiting") && (
          <CancelNode run={run} node={node} />
        )}
        {node.error && <p className={node.state === "skipped" ? "text-muted" : "text-bad"}>{String(node.error.message ?? "")}</p>}
      </section>
      {node.valuesLeftOut && (
        <p className="section text-small text-muted">
          The run's values are too large to show together.{" "}
          <a className="link" href={`/api/runs/${run}/nodes?path=${encodeURIComponent(node.path)}`} target="_blank" rel="noreferrer">
            Open the inputs and outputs of this node
          </a>
        </p>
      )}
      {node.output && (
        <section className="section">
          <h4>
            Outputs
            {onPin && (
              <button
                type="button"
                className="button quiet at-end"
                title="Later runs take these outputs instead of running the node"
                onClick={() => node.output && onPin(node.output)}
              >
                <Pin size={14} /> Pin
              </button>
            )}
          </h4>
          <Values of={node.output} />
        </section>
      )}
      {node.input && (
        <section className="section">
          <h4>Inputs</h4>
          <Values of={node.input} />
        </section>
      )}
      {run && (
        <section className="section">
          <Log run={run} path={node.path} ended={node.finishedAt !== null} />
        </section>
      )}
    </>
  );
}

/** Cancelling one node lets the rest of the run go on, for which the node has failed. */
function CancelNode({ run, node }: { run: string; node: ShownNodeRun }) {
  const trpc = useTRPC();
  const cancel = useMutation(trpc.runs.cancelNode.mutationOptions({ onError: toastError }));
  return (
    <button
      type="button"
      className="button danger"
      title="The rest of the run goes on; for it, this node failed"
      disabled={cancel.isPending || cancel.isSuccess}
      onClick={() => cancel.mutate({ id: run, path: node.path })}
    >
      <Square size={14} /> Cancel this node
    </button>
  );
}

const Values = ({ of }: { of: Record<string, unknown> }) => (
  <>
    {Object.entries(of).map(([name, value]) => (
      <Viewer key={name} name={name} value={value} />
    ))}
  </>
);

/** The words for a path, such as "Visit 3, element 5". */
export function pathWords(path: string): string {
  const { visits, element } = parsePath(path);
  const parts = [
    ...(visits.length > 0 ? [`visit ${visits.map((visit) => visit.index + 1).join(".")}`] : []),
    ...(element === undefined ? [] : [`element ${element + 1}`]),
  ];
  const text = parts.join(", ") || "the whole";
  return text.charAt(0).toUpperCase() + text.slice(1);
}

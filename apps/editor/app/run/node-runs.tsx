// Every node run of a run: when it ran and why, what it got and gave; a fork from any of them; another run beside it.
import { useNavigate } from "@remix-run/react";
import { parsePath } from "@spindle/graph-model";
import { useMutation, useQuery } from "@tanstack/react-query";
import { GitFork, RotateCcw } from "lucide-react";
import { Fragment, useState } from "react";
import { useTRPC } from "../session/provider";
import type { RunSummary, RunView, ShownNodeRun } from "../session/types";
import { toastError } from "../ui/toast";
import { Viewer } from "../ui/viewer";
import { appearanceOf, between, span, stateWord, when } from "../ui/words";
import { Log } from "./log";
import { pathWords } from "./result";

export function NodeRuns({ run, others }: { run: RunView; others: RunSummary[] }) {
  const trpc = useTRPC();
  const navigate = useNavigate();
  const [open, setOpen] = useState<string>();
  const { data = [] } = useQuery({ ...trpc.runs.nodeRuns.queryOptions({ id: run.id }), refetchInterval: run.finishedAt ? false : 2000 });
  const fork = useMutation(trpc.runs.fork.mutationOptions({ onSuccess: (id) => navigate(`/runs/${id}`), onError: toastError }));
  const start = Date.parse(run.startedAt ?? run.createdAt);
  const length = Math.max(1, ...data.map((one) => Date.parse(one.finishedAt ?? one.startedAt ?? run.createdAt) - start));
  return (
    <>
      {others.length > 0 && (
        <label className="row text-small">
          <span className="text-muted">Compare with</span>
          <select className="field run-choice" value="" onChange={(event) => navigate(`/runs/${run.id}/compare/${event.target.value}`)}>
            <option value="">Another run of it</option>
            {others.map((other) => (
              <option key={other.id} value={other.id}>
                Run {other.number}, {when(other.createdAt)}
              </option>
            ))}
          </select>
        </label>
      )}
      <table className="table" data-testid="node-runs">
        <thead>
          <tr>
            <th>Node</th>
            <th>State</th>
            <th className="time-column">When</th>
            <th>Why</th>
            <th />
          </tr>
        </thead>
        <tbody>
          {data.map((nodeRun) => (
            <Fragment key={nodeRun.path}>
              <tr>
                <td className="ellipsis node-name">
                  <button
                    type="button"
                    className="link"
                    aria-expanded={open === nodeRun.path}
                    onClick={() => setOpen(open === nodeRun.path ? undefined : nodeRun.path)}
                  >
                    {nameOf(nodeRun)}
                  </button>
                </td>
                <td>{stateWord(nodeRun.state, nodeRun.reused)}</td>
                <td>
                  <Lane nodeRun={nodeRun} start={start} length={length} />
                </td>
                <td className="text-faint text-small">{String(nodeRun.error?.message ?? nodeRun.notRunning?.text ?? nodeRun.why ?? "")}</td>
                <td>
                  {run.finishedAt && parsePath(nodeRun.path).calls.length === 0 && (
                    <button
                      type="button"
                      className={failed(nodeRun) ? "button" : "button icon quiet"}
                      title="A new run from here on; what lies before it is taken from this run"
                      aria-label={failed(nodeRun) ? undefined : `Fork from ${nameOf(nodeRun)}`}
                      disabled={fork.isPending}
                      onClick={() => fork.mutate({ id: run.id, node: nodeRun.node })}
                    >
                      {failed(nodeRun) ? <RotateCcw size={14} /> : <GitFork size={14} />}
                      {failed(nodeRun) && "Try again"}
                    </button>
                  )}
                </td>
              </tr>
              {open === nodeRun.path && (
                <tr>
                  <td colSpan={5}>
                    <div className="compare">
                      <ValueList title="Inputs" of={nodeRun.input} />
                      <ValueList title="Outputs" of={nodeRun.output} />
                    </div>
                    <Log run={run.id} path={nodeRun.path} ended={nodeRun.finishedAt !== null} />
                  </td>
                </tr>
              )}
            </Fragment>
          ))}
        </tbody>
      </table>
    </>
  );
}

const failed = (nodeRun: ShownNodeRun): boolean => appearanceOf(nodeRun.state) === "failed";

export function ValueList({ title, of }: { title: string; of: Record<string, unknown> | null }) {
  return (
    <div>
      <h4 className="text-small medium">{title}</h4>
      {Object.entries(of ?? {}).map(([name, value]) => (
        <Viewer key={name} name={name} value={value} />
      ))}
      {!of && <p className="text-faint text-small">None.</p>}
    </div>
  );
}

export function nameOf({ title, path }: Pick<ShownNodeRun, "title" | "path">): string {
  const { calls } = parsePath(path);
  const words = /[#[]/.test(path.split("/").pop() ?? "") || path.includes("[") ? `, ${pathWords(path).toLowerCase()}` : "";
  return `${calls.length > 0 ? `${calls.join(" / ")} / ` : ""}${title}${words}`;
}

/** When the node was queued and when it ran, within the time of the whole run. */
function Lane({ nodeRun, start, length }: { nodeRun: ShownNodeRun; start: number; length: number }) {
  if (!nodeRun.startedAt) return <span className="text-faint text-small">{nodeRun.finishedAt ? "At once" : ""}</span>;
  const from = Date.parse(nodeRun.startedAt) - start;
  const asked = nodeRun.queuedAt ? Math.min(from, Date.parse(nodeRun.queuedAt) - start) : from;
  const until = nodeRun.finishedAt ? Date.parse(nodeRun.finishedAt) - start : length;
  return (
    <span className="row">
      <span className="lane grow">
        {from > asked && (
          <span
            className="lane-bar"
            data-state="queued"
            title={`Queued for ${span(from - asked)}`}
            style={{ left: `${(100 * asked) / length}%`, width: `${(100 * (from - asked)) / length}%` }}
          />
        )}
        <span
          className="lane-bar"
          data-state={appearanceOf(nodeRun.state)}
          style={{ left: `${(100 * from) / length}%`, width: `${(100 * Math.max(0, until - from)) / length}%` }}
        />
      </span>
      <span className="text-faint digits text-small">{between(nodeRun.startedAt, nodeRun.finishedAt)}</span>
    </span>
  );
}

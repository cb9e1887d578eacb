import { NavLink, useParams } from "@remix-run/react";
import { useQuery } from "@tanstack/react-query";
import { History } from "lucide-react";
import { NodeRuns } from "../run/node-runs";
import { useTRPC } from "../session/provider";
import { usePageTitle } from "../ui/page-title";
import { TopNav } from "../ui/top";
import { Viewer } from "../ui/viewer";
import { between, runTone, runWord, when } from "../ui/words";

export default function RunsPage() {
  const trpc = useTRPC();
  const { id } = useParams();
  const runs = useQuery({ ...trpc.runs.list.queryOptions({ limit: 100 }), refetchInterval: 2000 });
  const run = useQuery({
    ...trpc.runs.get.queryOptions({ id: id ?? "" }),
    enabled: id !== undefined && typeof window !== "undefined",
    refetchInterval: 2000,
  });
  const title = run.data ? `Run ${run.data.number}, ${run.data.title}` : "Runs";
  usePageTitle(title);
  return (
    <div className="page">
      <TopNav />
      <div className="page-scroll">
        <main className="page-body">
          <h1>{title}</h1>
          {run.error && (
            <p className="text-bad" role="alert">
              {run.error.message} Those that there are:
            </p>
          )}
          {run.data && (
            <section className="card run-head">
              <div className="row">
                <span className={`chip ${runTone(run.data.state)}`}>{runWord(run.data.state)}</span>
                <span className="text-faint">{between(run.data.startedAt, run.data.finishedAt)}</span>
              </div>
              {run.data.error && (
                <p className="text-bad" role="alert">
                  {String(run.data.error.message ?? "")}
                </p>
              )}
              {run.data.notRunning && (
                <p className="text-muted" role="status">
                  {run.data.notRunning.text} {run.data.notRunning.action}
                </p>
              )}
              <div className="results">
                {Object.entries(run.data.outputs ?? {}).map(([name, value]) => (
                  <Viewer key={name} name={name} value={value} />
                ))}
              </div>
              <NodeRuns run={run.data} others={(runs.data ?? []).filter((one) => one.id !== id && one.title === run.data?.title)} />
            </section>
          )}
          {runs.isPending && <div className="skeleton of-table" />}
          {runs.error && (
            <p className="text-bad" role="alert">
              The runs cannot be listed: {runs.error.message}
            </p>
          )}
          {runs.data?.length === 0 && (
            <div className="empty-box">
              <History size={28} className="text-faint" />
              <p>Runs of graphs and templates will be here.</p>
              <a className="button large" href="/templates">
                Start from a template
              </a>
            </div>
          )}
          {runs.data && runs.data.length > 0 && (
            <table className="table">
              <thead>
                <tr>
                  <th>Run</th>
                  <th>Graph</th>
                  <th>State</th>
                  <th>Nodes done</th>
                  <th>Took</th>
                  <th>Started</th>
                </tr>
              </thead>
              <tbody>
                {runs.data.map((summary) => (
                  <tr key={summary.id}>
                    <td className="digits">
                      <NavLink className="link" to={`/runs/${summary.id}`}>
                        Run {summary.number}
                      </NavLink>
                    </td>
                    <td className="ellipsis run-title">
                      {summary.graphId ? <a href={`/g/${summary.graphId}`}>{summary.title}</a> : summary.title}{" "}
                      {summary.draft && <span className="tag">Draft</span>}
                    </td>
                    <td>
                      <span className={`chip ${runTone(summary.state)}`}>{runWord(summary.state)}</span>
                      {summary.notRunning && <div className="text-faint text-small">{summary.notRunning.text}</div>}
                    </td>
                    <td className="digits">
                      {summary.done} of {summary.nodes}
                    </td>
                    <td className="digits">{summary.finishedAt ? between(summary.createdAt, summary.finishedAt) : ""}</td>
                    <td className="text-faint">{when(summary.createdAt)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </main>
      </div>
    </div>
  );
}

import { useNavigate } from "@remix-run/react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Download, Ellipsis, FilePlus2, Trash2, Undo2, Upload, Workflow } from "lucide-react";
import { useRef } from "react";
import { graphTextOf } from "../session/files";
import { useTRPC, useTRPCClient } from "../session/provider";
import { Menu } from "../ui/menu";
import { usePageTitle } from "../ui/page-title";
import { toast, toastError } from "../ui/toast";
import { TopNav } from "../ui/top";
import { runTone, runWord, when } from "../ui/words";

export default function GraphsPage() {
  const trpc = useTRPC();
  const api = useTRPCClient();
  const client = useQueryClient();
  const navigate = useNavigate();
  usePageTitle("Graphs");
  const file = useRef<HTMLInputElement>(null);
  const graphs = useQuery({ ...trpc.graphs.list.queryOptions(), refetchInterval: 5000 });
  const create = useMutation(trpc.graphs.create.mutationOptions({ onSuccess: (id) => navigate(`/g/${id}`), onError: toastError }));
  const deleted = useQuery({ ...trpc.graphs.deleted.queryOptions(), refetchInterval: 5000 });
  const onSettled = () =>
    Promise.all([trpc.graphs.list, trpc.graphs.deleted].map((query) => client.invalidateQueries({ queryKey: query.queryKey() })));
  const restore = useMutation(trpc.graphs.restore.mutationOptions({ onSettled, onError: toastError }));
  const remove = useMutation(trpc.graphs.remove.mutationOptions({ onSettled, onError: toastError }));
  const removeGraph = ({ id, name }: { id: string; name: string }) =>
    remove.mutate(
      { id },
      { onSuccess: () => toast("info", `"${name}" was deleted.`, { label: "Undo", act: () => restore.mutate({ id }) }) },
    );
  const open = async (chosen: File | undefined) => {
    if (!chosen) return;
    try {
      navigate(
        `/g/${await api.graphs.import.mutate({ text: await graphTextOf(chosen), name: chosen.name.replace(/\.[^.]+$/, "") || "Imported graph" })}`,
      );
    } catch (error) {
      toastError(error);
    }
  };
  return (
    <div className="page">
      <TopNav>
        <button type="button" className="button" onClick={() => file.current?.click()}>
          <Upload size={14} /> Open a file
        </button>
        <button
          type="button"
          className="button primary"
          disabled={create.isPending}
          onClick={() => create.mutate({ name: "Untitled graph" })}
        >
          <FilePlus2 size={14} /> New graph
        </button>
        <input
          ref={file}
          className="visually-hidden"
          tabIndex={-1}
          type="file"
          aria-label="Open a graph file"
          onChange={(event) => void open(event.target.files?.[0])}
        />
      </TopNav>
      <div className="page-scroll">
        <main className="page-body">
          <h1>Graphs</h1>
          {graphs.error && (
            <p className="text-bad" role="alert">
              The graphs cannot be listed: {graphs.error.message}
            </p>
          )}
          {graphs.isPending && (
            <div className="graph-grid">
              {[1, 2, 3].map((place) => (
                <div key={place} className="skeleton of-graph-card" />
              ))}
            </div>
          )}
          {graphs.data?.length === 0 && (
            <div className="empty-box">
              <Workflow size={28} className="text-faint" />
              <p>Your graphs will be here.</p>
              <a className="button large" href="/templates">
                Start from a template
              </a>
            </div>
          )}
          <div className="graph-grid">
            {graphs.data?.map((graph) => (
              <article className="card graph-card" key={graph.id}>
                <div className="row">
                  <h3 className="ellipsis grow">
                    <a href={`/g/${graph.id}`}>{graph.name}</a>
                  </h3>
                  <Menu
                    trigger={
                      <button type="button" className="button icon quiet" aria-label={`More for ${graph.name}`}>
                        <Ellipsis size={16} />
                      </button>
                    }
                    items={[{ label: "Delete graph", icon: <Trash2 size={16} />, danger: true, onSelect: () => removeGraph(graph) }]}
                  />
                </div>
                {graph.unreadable ? (
                  <>
                    <p className="text-bad text-small">{graph.unreadable}</p>
                    {graph.readable && (
                      <a className="button" href={`/api/graphs/${graph.id}/export?readable=${graph.readable}`}>
                        <Download size={16} /> Export its last readable version
                      </a>
                    )}
                  </>
                ) : (
                  <p className="text-faint text-small">
                    {graph.nodes} {graph.nodes === 1 ? "node" : "nodes"}, edited {when(graph.updatedAt)}
                  </p>
                )}
                {graph.setAside > 0 && (
                  <span className="chip warn">
                    {graph.setAside} {graph.setAside === 1 ? "edit" : "edits"} set aside
                  </span>
                )}
                {graph.lastRun ? (
                  <span className={`chip ${runTone(graph.lastRun.state)}`}>
                    Run {graph.lastRun.number}: {runWord(graph.lastRun.state)}
                  </span>
                ) : (
                  <span className="text-faint text-tiny">Never run</span>
                )}
              </article>
            ))}
          </div>
          {deleted.data && deleted.data.length > 0 && (
            <details className="deleted-graphs">
              <summary>
                Deleted graphs <span className="text-faint">{deleted.data.length}</span>
              </summary>
              <ul>
                {deleted.data.map(({ id, name, deletedAt, until }) => (
                  <li key={id} className="row">
                    <span className="ellipsis">{name}</span>
                    <span className="text-faint text-small grow">
                      deleted {when(deletedAt)}, kept until{" "}
                      {new Intl.DateTimeFormat(undefined, { dateStyle: "medium" }).format(new Date(until))}
                    </span>
                    <button type="button" className="button" aria-label={`Restore ${name}`} onClick={() => restore.mutate({ id })}>
                      <Undo2 size={14} /> Restore
                    </button>
                  </li>
                ))}
              </ul>
            </details>
          )}
        </main>
      </div>
    </div>
  );
}

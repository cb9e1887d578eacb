import { useNavigate, useSearchParams } from "@remix-run/react";
import { keepPreviousData, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { FilePlus2, Search, Undo2, Upload, Workflow } from "lucide-react";
import { useRef, useState } from "react";
import { graphTextOf } from "../session/files";
import { useTRPC, useTRPCClient } from "../session/provider";
import { usePageTitle } from "../ui/page-title";
import { toastError } from "../ui/toast";
import { TopNav } from "../ui/top";
import { ago } from "../ui/words";
import { GraphCard } from "./graph-card";

const SORTS = { edited: "Last edited", created: "Newest", name: "Name" } as const;
type Sort = keyof typeof SORTS;
const isSort = (value: string | null): value is Sort => value !== null && value in SORTS;
/** Graphs that the server lists at most. */
const MOST_LISTED = 200;

export default function GraphsPage() {
  const trpc = useTRPC();
  const api = useTRPCClient();
  const client = useQueryClient();
  const navigate = useNavigate();
  usePageTitle("Graphs");
  const file = useRef<HTMLInputElement>(null);
  const { search, sort, set } = useListed();
  const listed = trpc.graphs.list.queryOptions({ sort, ...(search.trim() ? { search } : {}) });
  const graphs = useQuery({ ...listed, refetchInterval: 5000, placeholderData: keepPreviousData });
  const create = useMutation(trpc.graphs.create.mutationOptions({ onSuccess: (id) => navigate(`/g/${id}`), onError: toastError }));
  const onChanged = () =>
    Promise.all([trpc.graphs.list, trpc.graphs.deleted].map((query) => client.invalidateQueries({ queryKey: query.queryKey() })));
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
          <div className="page-head">
            <h1>Graphs</h1>
            <span className="grow" />
            <label className="field large search-field">
              <Search size={16} className="glyph" />
              <input
                type="search"
                aria-label="Search graphs"
                placeholder="Search graphs"
                maxLength={200}
                value={search}
                onChange={(event) => set({ search: event.target.value })}
              />
            </label>
            <select
              className="field large"
              aria-label="Sort by"
              value={sort}
              onChange={(event) => set({ sort: event.target.value as Sort })}
            >
              {Object.entries(SORTS).map(([value, words]) => (
                <option key={value} value={value}>
                  {words}
                </option>
              ))}
            </select>
          </div>
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
              {search.trim() ? (
                <>
                  <p>No graph has “{search.trim()}” in its name.</p>
                  <button type="button" className="button large" onClick={() => set({ search: "" })}>
                    Show all
                  </button>
                </>
              ) : (
                <>
                  <p>Your graphs will be here.</p>
                  <a className="button large" href="/templates">
                    Start from a template
                  </a>
                </>
              )}
            </div>
          )}
          <div className="graph-grid">
            {graphs.data?.map((graph) => (
              <GraphCard key={graph.id} graph={graph} onChanged={onChanged} />
            ))}
          </div>
          {graphs.data?.length === MOST_LISTED && (
            <p className="text-muted">These are the first {MOST_LISTED}. The search finds the others.</p>
          )}
          <Deleted onChanged={onChanged} />
        </main>
      </div>
    </div>
  );
}

/** What the list shows is in the address too, so that it is the same after a look at one of its graphs. */
function useListed(): { search: string; sort: Sort; set(wanted: { search?: string; sort?: Sort }): void } {
  const [params, setParams] = useSearchParams();
  const [search, setSearch] = useState((params.get("search") ?? "").slice(0, 200));
  const asked = params.get("sort");
  const [sort, setSort] = useState<Sort>(isSort(asked) ? asked : "edited");
  const set = (wanted: { search?: string; sort?: Sort }) => {
    const next = { search, sort, ...wanted };
    setSearch(next.search);
    setSort(next.sort);
    const shown = { ...(next.search ? { search: next.search } : {}), ...(next.sort === "edited" ? {} : { sort: next.sort }) };
    setParams(shown, { replace: true, preventScrollReset: true });
  };
  return { search, sort, set };
}

function Deleted({ onChanged }: { onChanged(): Promise<unknown> }) {
  const trpc = useTRPC();
  const deleted = useQuery({ ...trpc.graphs.deleted.queryOptions(), refetchInterval: 5000 });
  const restore = useMutation(trpc.graphs.restore.mutationOptions({ onSettled: onChanged, onError: toastError }));
  if (!deleted.data || deleted.data.length === 0) return null;
  return (
    <details className="deleted-graphs">
      <summary>
        Deleted graphs <span className="text-faint">{deleted.data.length}</span>
      </summary>
      <ul>
        {deleted.data.map(({ id, name, deletedAt, until }) => (
          <li key={id} className="row">
            <span className="ellipsis">{name}</span>
            <span className="text-faint text-small grow">
              deleted {ago(deletedAt)}, kept until {new Intl.DateTimeFormat(undefined, { dateStyle: "medium" }).format(new Date(until))}
            </span>
            <button type="button" className="button" aria-label={`Restore ${name}`} onClick={() => restore.mutate({ id })}>
              <Undo2 size={14} /> Restore
            </button>
          </li>
        ))}
      </ul>
    </details>
  );
}

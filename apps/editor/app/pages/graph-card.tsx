// A graph of the list: its picture with the last result upon it, its name, and what became of it.
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Copy, Download, Ellipsis, Pencil, Trash2 } from "lucide-react";
import { useState } from "react";
import { useTRPC } from "../session/provider";
import type { ListedGraph } from "../session/types";
import { Media } from "../ui/media";
import { Menu } from "../ui/menu";
import { toast, toastError } from "../ui/toast";
import { ago, runTone, runWord, when } from "../ui/words";

export function GraphCard({ graph, onChanged }: { graph: ListedGraph; onChanged(): Promise<unknown> }) {
  const trpc = useTRPC();
  const client = useQueryClient();
  const [isNamed, setNamed] = useState(false);
  const { id, name } = graph;
  // What follows a success belongs to the mutation, not to its call: a call's is dropped when the list,
  // asked again meanwhile, has taken this card away.
  const options = { onSettled: onChanged, onError: toastError };
  const rename = useMutation(trpc.graphs.rename.mutationOptions({ ...options, onSuccess: () => void client.invalidateQueries() }));
  const restore = useMutation(trpc.graphs.restore.mutationOptions(options));
  const duplicate = useMutation(
    trpc.graphs.duplicate.mutationOptions({ ...options, onSuccess: () => toast("info", `"${name}" was copied.`) }),
  );
  const remove = useMutation(
    trpc.graphs.remove.mutationOptions({
      ...options,
      onSuccess: () => toast("info", `"${name}" was deleted.`, { label: "Undo", act: () => restore.mutate({ id }) }),
    }),
  );
  const renameTo = (text: string) => {
    setNamed(false);
    const next = text.trim();
    if (next && next !== name) rename.mutate({ id, name: next });
  };
  const shownName = rename.isPending ? rename.variables.name : name;
  return (
    <article className="card graph-card">
      <Picture graph={graph} />
      <div className="graph-about">
        <div className="row">
          {isNamed ? (
            <NewName name={name} onTake={renameTo} onLeave={() => setNamed(false)} />
          ) : (
            <h2 className="ellipsis grow">
              <a href={`/g/${id}`} title={shownName}>
                {shownName}
              </a>
            </h2>
          )}
          <Menu
            trigger={
              <button type="button" className="button icon quiet" aria-label={`More for ${name}`}>
                <Ellipsis size={16} />
              </button>
            }
            items={[
              { label: "Rename", icon: <Pencil size={16} />, onSelect: () => setNamed(true) },
              {
                label: "Duplicate",
                icon: <Copy size={16} />,
                why: graph.unreadable && "It cannot be read.",
                onSelect: () => duplicate.mutate({ id }),
              },
              "line",
              { label: "Delete graph", icon: <Trash2 size={16} />, danger: true, onSelect: () => remove.mutate({ id }) },
            ]}
          />
        </div>
        {graph.unreadable ? (
          <>
            <p className="text-bad text-small">{graph.unreadable}</p>
            {graph.readable && (
              <a className="button" href={`/api/graphs/${id}/export?readable=${graph.readable}`}>
                <Download size={16} /> Export its last readable version
              </a>
            )}
          </>
        ) : (
          <p className="text-faint text-small" title={when(graph.updatedAt)}>
            {graph.nodes} {graph.nodes === 1 ? "node" : "nodes"}, edited {ago(graph.updatedAt)}
          </p>
        )}
        <div className="row graph-chips">
          {graph.lastRun ? (
            <span className={`chip ${runTone(graph.lastRun.state)}`}>
              Run {graph.lastRun.number}: {runWord(graph.lastRun.state)}
            </span>
          ) : (
            <span className="chip">Never run</span>
          )}
          {graph.setAside > 0 && (
            <span className="chip warn">
              {graph.setAside} {graph.setAside === 1 ? "edit" : "edits"} set aside
            </span>
          )}
        </div>
      </div>
    </article>
  );
}

/** The drawing is the server's; by `<use>` it has the colours of the page's theme. The address changes with each edit. */
function Picture({ graph: { id, updatedAt, nodes, unreadable, result } }: { graph: ListedGraph }) {
  return (
    <div className="graph-picture">
      {!unreadable && nodes > 0 && (
        <svg viewBox="0 0 240 120" aria-hidden="true" data-testid={`picture-${id}`}>
          <use href={`/api/graphs/${id}/picture.svg?at=${Date.parse(updatedAt)}#graph`} />
        </svg>
      )}
      {!unreadable && nodes === 0 && <span className="text-faint text-small">Empty</span>}
      {result && (
        <div className="graph-result">
          <Media media={result} alt="Last result" still />
        </div>
      )}
    </div>
  );
}

function NewName({ name, onTake, onLeave }: { name: string; onTake(name: string): void; onLeave(): void }) {
  return (
    <input
      // biome-ignore lint/a11y/noAutofocus: the person has just asked to write here
      autoFocus
      className="field grow"
      aria-label="New name"
      maxLength={200}
      defaultValue={name}
      onFocus={(event) => event.target.select()}
      onBlur={(event) => onTake(event.target.value)}
      onKeyDown={(event) => {
        if (event.key === "Enter") event.currentTarget.blur();
        if (event.key === "Escape") onLeave();
      }}
    />
  );
}

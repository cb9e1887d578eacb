// The ComfyUI workflows that people offer as engines, and their removal, which says first what it breaks.
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Trash2 } from "lucide-react";
import { useState } from "react";
import { useTRPC } from "../session/provider";
import { CloseButton, Dialog } from "../ui/dialog";
import { toast } from "../ui/toast";

export function EnginesDialog({ onClose }: { onClose(): void }) {
  const trpc = useTRPC();
  const { data, error } = useQuery(trpc.engines.list.queryOptions());
  const [removing, setRemoving] = useState<string>();
  return (
    <Dialog title="Workflows as engines" className="offer" onClose={onClose}>
      {error && (
        <p className="text-bad" role="alert">
          {error.message}
        </p>
      )}
      {!data && !error && <div className="skeleton of-plan" />}
      {data?.length === 0 && (
        <p className="text-muted">
          Nobody has offered one yet. Select a node of a ComfyUI workflow, and choose "Offer the workflow as an engine" in its menu.
        </p>
      )}
      <ul className="offered-engines">
        {data?.map(({ name, label, capability, engines, why }) => (
          <li key={name} aria-label={label}>
            <div className="row">
              <span className="ellipsis medium">{label}</span>
              <span className="grow ellipsis text-muted text-small">{[capability, name].filter(Boolean).join(", ")}</span>
              <button type="button" className="button icon quiet" aria-label={`Remove ${label}`} onClick={() => setRemoving(name)}>
                <Trash2 size={16} />
              </button>
            </div>
            {why && <p className="text-bad text-small">{why}</p>}
            {!why && engines.length === 0 && <p className="text-muted text-small">No ComfyUI is connected.</p>}
            {engines.map((engine) => (
              <p key={engine.id} className="text-muted text-small">
                {engine.live ? `${engine.label} is live.` : `${engine.label}: ${engine.reason ?? "it is not live."}`}
              </p>
            ))}
            {removing === name && <Removal name={name} label={label} onDone={() => setRemoving(undefined)} />}
          </li>
        ))}
      </ul>
      <CloseButton>Done</CloseButton>
    </Dialog>
  );
}

function Removal({ name, label, onDone }: { name: string; label: string; onDone(): void }) {
  const trpc = useTRPC();
  const client = useQueryClient();
  const { data, error } = useQuery({ ...trpc.engines.uses.queryOptions({ name }), gcTime: 0, staleTime: 0 });
  const remove = useMutation(
    trpc.engines.remove.mutationOptions({
      onSuccess: () => {
        toast("info", `"${label}" is no engine any more.`);
        onDone();
      },
      onSettled: () => client.invalidateQueries({ queryKey: trpc.engines.list.queryKey() }),
    }),
  );
  const problem = error ?? remove.error;
  return (
    <div className="removal">
      {!data && !error && <div className="skeleton of-plan" />}
      {data && (
        <>
          {data.runs.length === 0 && data.graphs.length === 0 && <p>No graph names it, and no run uses it.</p>}
          {data.runs.length > 0 && (
            <p className="text-warn">
              It cannot be removed while a run uses it: {listed(data.runs.map(({ number, title }) => `run ${number} (${title})`))}. Cancel
              the run, or wait for its end.
            </p>
          )}
          {data.graphs.length > 0 && (
            <p className="text-warn">
              {data.graphs.length === 1 ? "A graph names it" : `${data.graphs.length} graphs name it`}, and then has to choose another
              engine: {listed(data.graphs.map((graph) => graph.name))}.
            </p>
          )}
          {data.automatic && (
            <p className="text-muted">
              {data.automatic.after
                ? `Automatic choice means ${data.automatic.now} now, and ${data.automatic.after} without it.`
                : `Automatic choice means ${data.automatic.now} now; without it no engine is live.`}
            </p>
          )}
        </>
      )}
      {problem && (
        <p className="text-bad" role="alert">
          {problem.message}
        </p>
      )}
      <div className="row">
        <button
          type="button"
          className="button danger"
          disabled={!data || data.runs.length > 0 || remove.isPending}
          onClick={() => remove.mutate({ name })}
        >
          Remove
        </button>
        <button type="button" className="button" onClick={onDone}>
          Keep
        </button>
      </div>
    </div>
  );
}

const MOST_NAMED = 5;
const listed = (names: readonly string[]): string =>
  names.length > MOST_NAMED ? `${names.slice(0, MOST_NAMED).join(", ")} and ${names.length - MOST_NAMED} more` : names.join(", ");

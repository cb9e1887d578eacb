// What the next run would do, node by node, and how long it should take.
import { type Graph, nodeTitle } from "@spindle/graph-model";
import { useQuery } from "@tanstack/react-query";
import { useTRPC } from "../session/provider";
import { CloseButton, Dialog } from "../ui/dialog";
import { PlaneMark } from "../ui/plane-mark";
import { FROM_CACHE, range } from "../ui/words";

const DOES = { runs: "Runs", reuses: FROM_CACHE, skips: "Skipped", waits: "Waits" } as const;
const IF_CHANGED = "Runs if changed";

export function PlanDialog({ id, graph, values, onClose }: { id: string; graph: Graph; values: Record<string, unknown>; onClose(): void }) {
  const trpc = useTRPC();
  const { data, error } = useQuery({ ...trpc.runs.plan.queryOptions({ graphId: id, inputs: values }), gcTime: 0 });
  const waiting = data?.nodes.find((node) => node.does === "waits");
  const running = data?.nodes.filter((node) => node.does === "runs").length ?? 0;
  return (
    <Dialog title="What would run" onClose={onClose}>
      {error && (
        <p className="text-bad" role="alert">
          {error.message}
        </p>
      )}
      {!data && !error && <div className="skeleton of-plan" />}
      {data && (
        <>
          <p className={waiting ? "text-warn" : "text-muted"}>
            {waiting
              ? waiting.why
              : running === 0
                ? "Nothing: every earlier result stands."
                : `${running} of ${data.nodes.length} nodes${data.between === null ? "; how long it takes is not known yet." : `, in about ${range(...data.between)}.`}`}
          </p>
          <ul className="plan">
            {data.nodes.map((planned) => {
              const node = graph.nodes.find((each) => each.id === planned.node);
              return (
                <li key={planned.node} data-does={planned.does}>
                  {node && <PlaneMark plane={node.plane} small />}
                  <span className="ellipsis medium">{node ? nodeTitle(node) : planned.node}</span>
                  <span className="text-muted">{planned.ifChanged ? IF_CHANGED : DOES[planned.does]}</span>
                  <span className="text-faint text-small">{planned === waiting ? "" : planned.why}</span>
                  <span className="text-faint digits">{planned.does === "runs" && planned.between ? range(...planned.between) : ""}</span>
                </li>
              );
            })}
          </ul>
        </>
      )}
      <CloseButton>Done</CloseButton>
    </Dialog>
  );
}

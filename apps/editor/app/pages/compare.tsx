// Two runs side by side: only what differs is spread out.
import { useParams } from "@remix-run/react";
import { useQuery } from "@tanstack/react-query";
import { nameOf, ValueList } from "../run/node-runs";
import { useTRPC } from "../session/provider";
import type { ShownNodeRun } from "../session/types";
import { usePageTitle } from "../ui/page-title";
import { TopNav } from "../ui/top";
import { between, runWord, stateWord, when } from "../ui/words";

export default function ComparePage() {
  const { id = "", other = "" } = useParams();
  const left = useSide(id);
  const right = useSide(other);
  const paths = [...new Set([...(left.nodes.data ?? []), ...(right.nodes.data ?? [])].map((one) => one.path))];
  const error = [left.run, right.run, left.nodes, right.nodes].find((one) => one.error)?.error;
  const title = left.run.data && right.run.data ? `Run ${left.run.data.number} and run ${right.run.data.number}` : "Two runs";
  usePageTitle(title);
  return (
    <div className="page">
      <TopNav />
      <div className="page-scroll">
        <main className="page-body">
          <h1>{title}</h1>
          {error && (
            <p className="text-bad" role="alert">
              {error.message}
            </p>
          )}
          <div className="compare">
            {[left, right].map(({ run }, index) => (
              <p className="text-muted" key={index === 0 ? "left" : "right"}>
                {run.data
                  ? `${run.data.title}, ${runWord(run.data.state)}, ${between(run.data.startedAt, run.data.finishedAt)}, ${when(run.data.createdAt)}`
                  : ""}
              </p>
            ))}
          </div>
          {paths.map((path) => (
            <Pair
              key={path}
              left={left.nodes.data?.find((one) => one.path === path)}
              right={right.nodes.data?.find((one) => one.path === path)}
            />
          ))}
        </main>
      </div>
    </div>
  );
}

function useSide(id: string) {
  const trpc = useTRPC();
  const enabled = typeof window !== "undefined";
  return {
    run: useQuery({ ...trpc.runs.get.queryOptions({ id }), enabled }),
    nodes: useQuery({ ...trpc.runs.nodeRuns.queryOptions({ id }), enabled }),
  };
}

function Pair({ left, right }: { left: ShownNodeRun | undefined; right: ShownNodeRun | undefined }) {
  const some = left ?? right;
  if (!some) return null;
  const [inputs, outputs] = [differing(left?.input, right?.input), differing(left?.output, right?.output)];
  const same = inputs.length === 0 && outputs.length === 0 && left?.state === right?.state && left?.engine === right?.engine;
  return (
    <section className="card compared-node">
      <div className="row">
        <span className="medium grow">{nameOf(some)}</span>
        {same && <span className="text-faint text-small">Same inputs and outputs</span>}
      </div>
      <div className="compare">
        {[left, right].map((nodeRun, index) => (
          <div key={index === 0 ? "left" : "right"}>
            <p className="text-small text-muted">
              {nodeRun
                ? `${stateWord(nodeRun.state, nodeRun.reused)}, ${nodeRun.engine}${nodeRun.startedAt ? `, ${between(nodeRun.startedAt, nodeRun.finishedAt)}` : ""}`
                : "Not in this run"}
            </p>
            {nodeRun?.error && <p className="text-small text-bad">{String(nodeRun.error.message ?? "")}</p>}
            {nodeRun && inputs.length > 0 && <ValueList title="Inputs that differ" of={only(nodeRun.input, inputs)} />}
            {nodeRun && outputs.length > 0 && <ValueList title="Outputs that differ" of={only(nodeRun.output, outputs)} />}
          </div>
        ))}
      </div>
    </section>
  );
}

type Given = Record<string, unknown> | null | undefined;

/** What a value is compared by: media by their bytes, everything else by its JSON. */
const key = (value: unknown): string =>
  JSON.stringify(value, (_, part) =>
    part !== null && typeof part === "object" && "sha256" in part ? (part as { sha256: string }).sha256 : part,
  ) ?? "";
const differing = (a: Given, b: Given): string[] =>
  [...new Set([...Object.keys(a ?? {}), ...Object.keys(b ?? {})])].filter((name) => key(a?.[name]) !== key(b?.[name]));
const only = (of: Given, names: string[]): Record<string, unknown> | null =>
  of ? Object.fromEntries(names.filter((name) => name in of).map((name) => [name, of[name]])) : null;

// What is wrong with the graph, by cause: where it is, and what ends it.
import { type Graph, graphInside, type Issue, type Library, nodeTitle, portKind, resolve } from "@spindle/graph-model";
import { sheetOn } from "@spindle/graph-model/shared-doc";
import { ChevronRight, CircleAlert, Info, TriangleAlert } from "lucide-react";
import { useMemo, useState } from "react";
import { titleIn } from "../canvas/edits";
import { callsTo, issuesOf } from "../canvas/levels";
import { useOpenFor } from "../canvas/use-palette";
import { asOwnStep, type SharedDocument } from "../session/use-document";
import { toast, toastError } from "../ui/toast";
import { type Cause, causesOf } from "./causes";
import { type Fix, fixesFor, wireOf } from "./fixes";

const ICONS = {
  error: <CircleAlert size={14} className="text-bad" />,
  warning: <TriangleAlert size={14} className="text-warn" />,
  info: <Info size={14} className="text-faint" />,
};

export interface ProblemListProps {
  shared: SharedDocument;
  graph: Graph;
  library: Library;
  issues: readonly Issue[];
  /** The definition that the canvas shows; undefined while it shows the graph itself. */
  definition: string | undefined;
  /** Shows the place of an issue, with the very field if there is one. */
  onShow(issue: Issue): void;
}

export function ProblemList(props: ProblemListProps) {
  const { graph, issues } = props;
  const causes = useMemo(() => causesOf(graph, issues), [graph, issues]);
  const [isNoteOpen, openNotes] = useState(false);
  const notes = causes.filter(({ severity }) => severity === "info");
  const count = notes.reduce((sum, cause) => sum + cause.issues.length, 0);
  const wrong = causes.filter(({ severity }) => severity !== "info");
  return (
    <div data-testid="problems">
      {wrong.length === 0 && <p className="text-faint text-small panel-hint">No problems. The graph can run.</p>}
      {wrong.map((cause) => (
        <CauseGroup key={`${cause.severity} ${cause.title}`} cause={cause} {...props} />
      ))}
      {count > 0 && (
        <button type="button" className="cause-head as-button" aria-expanded={isNoteOpen} onClick={() => openNotes(!isNoteOpen)}>
          <ChevronRight size={14} className="fold" />
          <span>Good to know</span>
          <span className="count">{count}</span>
        </button>
      )}
      {isNoteOpen && notes.map((cause) => <CauseGroup key={cause.title} cause={cause} {...props} />)}
    </div>
  );
}

/** As many of one cause as are read at a glance. */
const FEW = 12;

function CauseGroup({ cause: { title, severity, issues, fix }, ...props }: ProblemListProps & { cause: Cause }) {
  const [isWhole, showAll] = useState(false);
  const shown = isWhole ? issues : issues.slice(0, FEW);
  return (
    <section className="cause" aria-label={title}>
      <header className="cause-head">
        {ICONS[severity]}
        <h4>{title}</h4>
        {issues.length > 1 && <span className="count">{issues.length}</span>}
        {fix && <span className="text-muted ellipsis">{fix}</span>}
      </header>
      <ul>
        {shown.map((issue, index) => (
          <Problem
            key={`${issue.code} ${issue.place.node ?? issue.place.edge} ${index + 1}`}
            issue={issue}
            isFixSaid={fix !== undefined}
            {...props}
          />
        ))}
      </ul>
      {shown.length < issues.length && (
        <button type="button" className="button quiet cause-more" onClick={() => showAll(true)}>
          Show {issues.length - shown.length} more
        </button>
      )}
    </section>
  );
}

/** The issue and the graph that it lies in, as they are on its level. */
function onLevel(graph: Graph, issue: Issue): { graph: Graph; issue: Issue } {
  const { definition } = issue.place;
  const inside = definition === undefined ? graph : graphInside(graph, definition);
  const [inner] = issuesOf([issue], definition);
  return inside && inner ? { graph: inside, issue: inner } : { graph, issue };
}

function Problem({
  shared,
  graph,
  library,
  issue,
  definition,
  isFixSaid,
  onShow,
}: ProblemListProps & { issue: Issue; isFixSaid: boolean }) {
  const own = useMemo(() => onLevel(graph, issue), [graph, issue]);
  const fixes = useMemo(() => fixesFor(own.graph, library, own.issue), [own, library]);
  const openFor = useOpenFor();
  const { place, message, reason = message } = issue;
  const press = async ({ label, copies, apply }: Fix) => {
    if (copies === undefined) return asOwnStep(shared, () => apply(sheetOn(shared.sheet, place.definition)));
    try {
      await navigator.clipboard.writeText(copies);
      toast("info", `"${copies}" is on the clipboard.`);
    } catch (error) {
      toastError(new Error(`${label} did not work: ${(error as Error).message}`));
    }
  };
  const more = place.definition === definition ? questions(own.graph, library, own.issue, openFor) : [];
  const isUnused = place.definition !== undefined && callsTo(graph, place.definition) === undefined;
  return (
    <li className="problem-row">
      <button
        type="button"
        className="problem"
        disabled={isUnused}
        title={isUnused ? `No node calls the subgraph ${place.definition}` : "Show where it is"}
        onClick={() => onShow(issue)}
      >
        <span className="ellipsis medium">{whereOf(own.graph, own.issue)}</span>
        <span className="text-muted">
          {reason} {!isFixSaid && issue.fix}
        </span>
      </button>
      <span className="problem-fixes">
        {fixes.map((fix) => (
          <button key={fix.label} type="button" className="button" onClick={() => void press(fix)}>
            {fix.label}
          </button>
        ))}
        {more.map(({ label, ask }) => (
          <button key={label} type="button" className="button" onClick={ask}>
            {label}
          </button>
        ))}
      </span>
    </li>
  );
}

/** What a person chooses from, where there is no single thing to do. */
function questions(
  graph: Graph,
  library: Library,
  { code, place }: Issue,
  openFor: ReturnType<typeof useOpenFor>,
): { label: string; ask(): void }[] {
  const { node, port } = place;
  if (node === undefined || !graph.nodes.some(({ id }) => id === node)) return [];
  if (code === "node.unknown_capability") return [{ label: "Replace it", ask: () => openFor.replace(node) }];
  const input = resolve(graph, library)
    .root.node(node)
    ?.definition?.inputs.find(({ name }) => name === port);
  if (code !== "input.missing" || !input || portKind(input.type) === "json") return [];
  return [{ label: `Add what gives ${input.label}`, ask: () => openFor.feed({ node, port: input.name }) }];
}

function whereOf(graph: Graph, issue: Issue): string {
  const { node } = issue.place;
  const wire = wireOf(graph, issue);
  if (wire) return `${titleIn(graph, wire.from)} to ${titleIn(graph, wire.to)}`;
  const found = graph.nodes.find(({ id }) => id === node);
  return found ? nodeTitle(found) : "Graph";
}

// The card of a node: shape from its definition, state from the run. It knows no capability by name.
import type { NodeDefinition, Plane, ResolvedNode } from "@spindle/graph-model";
import { nodeTitle } from "@spindle/graph-model";
import type { Node, NodeProps } from "@xyflow/react";
import { CircleAlert, CircleHelp, CircleSlash, CornerUpRight, History, Octagon, Pin, WifiOff } from "lucide-react";
import { createContext, memo, useContext, useMemo } from "react";
import { useShownRuns } from "../session/run-store";
import { PlaneMark } from "../ui/plane-mark";
import { appearanceOf } from "../ui/words";
import { CardFields, leaveField } from "./card-fields";
import { CardFooter, StateIcon } from "./card-footer";
import { CardPreview } from "./card-preview";
import { cardFields } from "./fields";
import { PortRows, WireEnds } from "./port-rows";
import { CriticalStep } from "./use-critical-path";
import { useStale } from "./use-stale";

export type CardNode = Node<
  {
    resolved: ResolvedNode;
    /** Ports to draw: the definition's, or those that wires name where there is none. */
    ports: Pick<NodeDefinition, "inputs" | "outputs">;
    /** The engine that would run, where there are several. */
    engine: string | undefined;
    draft: boolean;
    /** The licence of the engine that would run, where it forbids commercial use. */
    notCommercial: string | undefined;
    wired: string;
    problem: string | undefined;
    /** What is wrong with its values, by their names. */
    problems: ReadonlyMap<string, string> | undefined;
  },
  "card"
>;

/** Whether cards are drawn as boxes now. The canvas says it to all of them: asking the view is paid at each of its moves, by each card. */
export const BoxedContext = createContext(false);

export const NodeCard = memo(function NodeCard({ id, data }: NodeProps<CardNode>) {
  return useContext(BoxedContext) ? <BoxedCard id={id} data={data} /> : <FullCard id={id} data={data} />;
});

type CardProps = Pick<NodeProps<CardNode>, "id" | "data">;

function BoxedCard({ id, data: { resolved, ports } }: CardProps) {
  const { tone, isBypassed } = useTone(id, resolved);
  const { node } = resolved;
  return (
    <div className="card-far-away" data-plane={node.plane} data-state={tone} data-off={resolved.isOff} data-bypassed={isBypassed}>
      {nodeTitle(node)}
      <WireEnds ports={ports} />
    </div>
  );
}

/** How the card looks, by its run, its settings and what was edited since. */
function useTone(id: string, { settings }: ResolvedNode) {
  const nodeRun = useShownRuns((store) => store.nodes[id]);
  const cause = useStale(id);
  const isStale = cause !== undefined && nodeRun?.state === "succeeded" && !settings.pinned && !settings.disabled && !settings.bypassed;
  const isBypassed = settings.bypassed === true && !settings.disabled;
  return { nodeRun, cause, isStale, isBypassed, tone: isStale ? "stale" : appearanceOf(nodeRun?.state) };
}

function FullCard({ id, data }: CardProps) {
  const { resolved, ports, engine, draft, notCommercial, wired, problem, problems } = data;
  const { node, definition, settings } = resolved;
  const { nodeRun, cause, isStale, isBypassed, tone } = useTone(id, resolved);
  const fields = useMemo(() => cardFields(resolved), [resolved]);
  const title = nodeTitle(node);
  const wide =
    fields.some(({ schema }) => schema["x-multiline"]) || (definition?.inputs.some((port) => port.schema["x-multiline"]) ?? false);
  return (
    <article
      className={`card-node${wide ? " wide" : ""}`}
      data-state={tone}
      data-unknown={definition === undefined}
      data-off={resolved.isOff}
      data-bypassed={isBypassed}
      aria-label={title}
      onKeyDown={leaveField}
    >
      {settings.breakpoint && <Breakpoint at={settings.breakpoint} />}
      <header>
        <PlaneMark plane={node.plane as Plane} off={definition?.live === false} />
        <h3 title={title}>{title}</h3>
        {definition === undefined ? (
          <CircleHelp size={14} className="text-bad" role="img" aria-label="Not in the library" />
        ) : (
          <>
            {!definition.live && <WifiOff size={14} className="text-faint" role="img" aria-label="Offline" />}
            {settings.disabled && <CircleSlash size={14} className="text-faint" role="img" aria-label="Off" />}
            {isBypassed && <CornerUpRight size={14} className="text-faint" role="img" aria-label="Bypassed" />}
            {settings.pinned && <Pin size={14} className="text-select" role="img" aria-label="Pinned" />}
            {isStale ? <History size={14} className="text-warn" role="img" aria-label="Stale" /> : <StateIcon nodeRun={nodeRun} />}
          </>
        )}
      </header>
      <div className="subtitle">
        <span className="ellipsis monospace" title={node.service}>
          {node.service}
        </span>
        {engine && (
          <span className="ellipsis card-engine" title={`Engine: ${engine}${settings.engine ? "" : ", chosen automatically"}`}>
            {engine}
          </span>
        )}
        {draft && <span className="tag">Draft</span>}
        {notCommercial && (
          <span className="tag" title={`No commercial use (${notCommercial})`}>
            Non-commercial
          </span>
        )}
      </div>
      <PortRows definition={ports} wired={wired} node={node} settings={settings} problems={problems} />
      <CardFields node={id} fields={fields} params={node.params ?? {}} problems={problems} />
      <CardPreview id={id} definition={definition} title={title} pinned={settings.pinned} />
      {problem && (
        <div className="card-issue bad">
          <CircleAlert className="glyph" />
          <span>{problem}</span>
        </div>
      )}
      {isStale && (
        <div className="card-issue warn">
          <History className="glyph" />
          <span>{cause}</span>
        </div>
      )}
      <CriticalStep id={id} />
      <CardFooter id={id} settings={settings} isOff={resolved.isOff} isStale={isStale} />
    </article>
  );
}

/** Beside the card, so that it combines with every state. */
const Breakpoint = ({ at }: { at: "before" | "after" }) => (
  <span className={`breakpoint ${at}`} title={`The run stops ${at} this node`}>
    <Octagon size={16} role="img" aria-label={`Breakpoint ${at}`} />
  </span>
);

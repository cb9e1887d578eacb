// The card of a node: shape from its definition, state from the run. It knows no capability by name.
import type { GraphNode, NodeDefinition, NodeSettings, Plane } from "@spindle/graph-model";
import { nodeTitle } from "@spindle/graph-model";
import { type Node, type NodeProps, useStore } from "@xyflow/react";
import { CircleAlert, CircleHelp, CircleSlash, Octagon, Pin, WifiOff } from "lucide-react";
import { memo } from "react";
import { useRunStore } from "../session/run-store";
import { PlaneMark } from "../ui/plane-mark";
import { lookOf } from "../ui/words";
import { CardFooter, StateIcon } from "./card-footer";
import { CardPreview } from "./card-preview";
import { PortRows } from "./port-rows";

export type CardNode = Node<
  {
    node: GraphNode;
    definition: NodeDefinition | undefined;
    /** Ports to draw: the definition's, or those that wires name where there is none. */
    ports: Pick<NodeDefinition, "inputs" | "outputs">;
    draft: boolean;
    /** The licence of the engine that would run, where it forbids commercial use. */
    notCommercial: string | undefined;
    wired: string;
    problem: string | undefined;
    settings: NodeSettings;
  },
  "card"
>;

const BOX_BELOW = 0.4;
const WIDGETS = 3;

export const NodeCard = memo(function NodeCard({ id, data }: NodeProps<CardNode>) {
  const { node, definition, ports, draft, notCommercial, wired, problem, settings } = data;
  const nodeRun = useRunStore((store) => store.nodes[id]);
  const tone = lookOf(nodeRun?.state);
  const boxed = useStore((store) => store.transform[2] < BOX_BELOW);
  const title = nodeTitle(node);
  const plane = node.plane as Plane;
  if (boxed)
    return (
      <div className="card-far-away" data-plane={plane} data-state={tone} data-off={settings.disabled === true}>
        {title}
        <PortRows definition={ports} wired={wired} bare />
      </div>
    );
  const wide = definition?.inputs.some((port) => port.schema["x-multiline"]) ?? false;
  const inline = new Set(ports.inputs.filter((port) => port.schema["x-inline"]).map((port) => port.name));
  const shown = Object.entries(node.params ?? {})
    .filter(([name, value]) => !inline.has(name) && value !== "" && value !== null && typeof value !== "object")
    .slice(0, WIDGETS);
  return (
    <article
      className={`card-node${wide ? " wide" : ""}`}
      data-state={tone}
      data-unknown={definition === undefined}
      data-off={settings.disabled === true}
      aria-label={title}
    >
      {settings.breakpoint && <Breakpoint at={settings.breakpoint} />}
      <header>
        <PlaneMark plane={plane} off={definition?.live === false} />
        <h3 title={title}>{title}</h3>
        {definition === undefined ? (
          <CircleHelp size={14} className="text-bad" role="img" aria-label="Not in the library" />
        ) : (
          <>
            {!definition.live && <WifiOff size={14} className="text-faint" role="img" aria-label="Offline" />}
            {settings.disabled && <CircleSlash size={14} className="text-faint" role="img" aria-label="Off" />}
            {settings.pinned && <Pin size={14} className="text-select" role="img" aria-label="Pinned" />}
            <StateIcon nodeRun={nodeRun} />
          </>
        )}
      </header>
      <div className="subtitle">
        <span className="ellipsis monospace" title={node.service}>
          {node.service}
        </span>
        {draft && <span className="tag">Draft</span>}
        {notCommercial && (
          <span className="tag" title={`No commercial use (${notCommercial})`}>
            Non-commercial
          </span>
        )}
      </div>
      <PortRows definition={ports} wired={wired} params={node.params ?? undefined} />
      {shown.length > 0 && (
        <div className="widgets">
          {shown.map(([name, value]) => (
            <div className="inline-widget" key={name}>
              <span className="ellipsis">{name}</span>
              <b className="ellipsis digits" title={String(value).slice(0, 400)}>
                {String(value)}
              </b>
            </div>
          ))}
        </div>
      )}
      <CardPreview id={id} definition={definition} />
      {problem && (
        <div className="card-issue bad">
          <CircleAlert className="glyph" />
          <span>{problem}</span>
        </div>
      )}
      <CardFooter id={id} />
    </article>
  );
});

/** Beside the card, so that it combines with every state. */
const Breakpoint = ({ at }: { at: "before" | "after" }) => (
  <span className={`breakpoint ${at}`} title={`The run stops ${at} this node`}>
    <Octagon size={16} role="img" aria-label={`Breakpoint ${at}`} />
  </span>
);

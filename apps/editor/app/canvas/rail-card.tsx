// A rail with the inputs or the outputs of the subgraph that the canvas shows.
import { type Graph, type Library, portKind } from "@spindle/graph-model";
import { definitionOf, type Sheet } from "@spindle/graph-model/shared-doc";
import { type Edge, Handle, type Node, type NodeProps, Position } from "@xyflow/react";
import { LogIn, LogOut } from "lucide-react";
import { useMemo } from "react";
import { NameField } from "../ui/name-field";
import type { Box } from "./box";
import { useFits } from "./fits";
import { CARD } from "./flow";
import { NEW_PORT, RAIL, type RailPort, type RailSide, type Rails, railBoxes, railsOf, railWires, renameRailPort } from "./rails";

export type RailNode = Node<{ side: RailSide; ports: readonly RailPort[]; onRename(port: string, label: string): void }, "rail">;

const toRailNodes = (
  rails: Rails,
  boxes: Record<RailSide, Box>,
  onRename: (side: RailSide, port: string, label: string) => void,
): RailNode[] =>
  (["inputs", "outputs"] as const).map((side) => ({
    id: RAIL[side],
    type: "rail" as const,
    position: { x: boxes[side].x, y: boxes[side].y },
    width: boxes[side].width,
    height: boxes[side].height,
    // React Flow takes them for drawn: it measures a node once, and these are made anew with the cards.
    measured: { width: boxes[side].width, height: boxes[side].height },
    draggable: false,
    selectable: false,
    focusable: false,
    deletable: false,
    data: { side, ports: rails[side], onRename: (port, label) => onRename(side, port, label) },
  }));

interface Given {
  sheet: Sheet;
  graph: Graph;
  library: Library;
  /** The cards as they are drawn. */
  nodes: readonly Node[];
}
const NO_RAILS: { cards: RailNode[]; wires: Edge[] } = { cards: [], wires: [] };

/** For the canvas: the rails of a subgraph and their wires. The graph itself has none: its inputs are asked for when it runs. */
export function useRails({ sheet, graph, library, nodes }: Given): typeof NO_RAILS {
  const isInside = definitionOf(sheet) !== undefined;
  const rails = useMemo(() => (isInside ? railsOf(graph, library) : undefined), [isInside, graph, library]);
  const wires = useMemo(() => (rails ? railWires(graph, rails) : NO_RAILS.wires), [graph, rails]);
  return useMemo(() => {
    if (!rails) return NO_RAILS;
    const boxes = nodes.map(({ position, measured }) => ({
      ...position,
      width: measured?.width ?? CARD.width,
      height: measured?.height ?? CARD.height,
    }));
    const rename = (side: RailSide, port: string, label: string) => renameRailPort(sheet, graph, library, side, port, label);
    return { cards: toRailNodes(rails, railBoxes(boxes, rails), rename), wires };
  }, [rails, wires, nodes, sheet, graph, library]);
}

const WORDS = {
  inputs: { title: "Inputs", add: "Wire here for a new input", Icon: LogIn },
  outputs: { title: "Outputs", add: "Wire here for a new output", Icon: LogOut },
};

export function RailCard({ data: { side, ports, onRename } }: NodeProps<RailNode>) {
  const { title, add, Icon } = WORDS[side];
  return (
    <section className={`port-rail of-${side}`} aria-label={`${title} of the subgraph`}>
      <header>
        <Icon size={14} /> <b>{title}</b>
      </header>
      {ports.map(({ name, label, type }) => (
        <div className="rail-row nopan" key={name}>
          <NameField
            label={`Name of the ${side === "inputs" ? "input" : "output"} ${label}`}
            name={label}
            onRename={(next) => onRename(name, next)}
          />
          <RailHandle side={side} port={name} type={type} label={label} />
        </div>
      ))}
      <div className="rail-row text-faint text-small">
        <span>{add}</span>
        <RailHandle side={side} port={NEW_PORT} type="any" label="new" />
      </div>
    </section>
  );
}

function RailHandle({ side, port, type, label }: { side: RailSide; port: string; type: string; label: string }) {
  const isInput = side === "inputs";
  // An input of the subgraph is where a value comes from, as it is seen from within.
  const fits = useFits(port, isInput ? "out" : "in");
  return (
    <Handle
      id={port}
      type={isInput ? "source" : "target"}
      position={isInput ? Position.Right : Position.Left}
      className={`port ${isInput ? "out" : "in"}${port === NEW_PORT ? " open" : ""}${fits === undefined ? "" : fits ? " fits" : " unfit"}`}
      data-kind={portKind(type)}
      data-type={type}
      data-port={port}
      role="img"
      aria-label={`${isInput ? "Input" : "Output"} ${label} of the subgraph`}
    />
  );
}

// The canvas: React Flow in front of the shared document. Every change is a command; drags are committed on drop, arrow keys at once.
import { canConnect, type Graph, type Issue, type Library, type PortAddress } from "@spindle/graph-model";
import { connect, moveNodes, nodesOf } from "@spindle/graph-model/shared-doc";
import {
  applyNodeChanges,
  Background,
  BackgroundVariant,
  type Connection,
  type Edge,
  type EdgeChange,
  MiniMap,
  type NodeChange,
  type OnConnectEnd,
  ReactFlow,
  useReactFlow,
} from "@xyflow/react";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import type * as Y from "yjs";
import { useRunStore } from "../session/run-store";
import { ME } from "../session/use-document";
import { FrameCard, NoteCard, toBackdrop } from "./backdrop";
import { CanvasTools } from "./canvas-tools";
import { wireAt, wireUnder } from "./drawn-wires";
import { insertIntoWire, insertNode, place } from "./edits";
import { FitContext, type FitQuestion } from "./fits";
import { CARD, toEdges, toNodes } from "./flow";
import { converter, joinable, jointOfWire } from "./joint";
import { useLandings } from "./landing";
import { LinkHint } from "./link-hint";
import { LoopEdge } from "./loop-edge";
import { type CardNode, NodeCard } from "./node-card";
import { afterChanges, type Selection, selectedAlone, selectionOf } from "./selection";
import { useGiveUp } from "./use-give-up";
import { useOpenAt } from "./use-palette";
import { WirePlus } from "./wire-plus";

export const DRAG_TYPE = "application/x-spindle-capability";
const TYPES = { card: NodeCard, frame: FrameCard, note: NoteCard };
const EDGE_TYPES = { loop: LoopEdge };

const CARD_WIDTH = { "--card-width-wide": `${CARD.width}px` } as React.CSSProperties;

export interface CanvasProps {
  doc: Y.Doc;
  graph: Graph;
  issues: Issue[];
  library: Library;
  selection: Selection;
  onSelect(next: Selection | ((now: Selection) => Selection)): void;
  onDropFile(file: File): void;
  focus: { id: string; at: number } | undefined;
  hasMinimap: boolean;
}

export function Canvas({ doc, graph, issues, library, selection, onSelect, onDropFile, focus, hasMinimap }: CanvasProps) {
  const flow = useReactFlow();
  const [nodes, setNodes] = useState<CardNode[]>([]);
  const edges = useMemo(() => toEdges(graph, library), [graph, library]);
  // The view fits the graph that is opened, and never moves by itself after that: the first node of an empty graph stays where it is put.
  const [fitsAtStart] = useState(graph.nodes.length > 0);
  const [refusal, setRefusal] = useState<string>();
  useEscape(refusal !== undefined, () => setRefusal(undefined));
  const openPalette = useOpenAt();
  const grip = useGiveUp();
  useLandings();
  // The wire that what is dragged would be put into.
  const [aimedWire, aimAtWire] = useState<string>();
  const wired = useMemo(() => new Set(graph.edges.flatMap(({ from, to }) => [from, to])), [graph.edges]);
  const running = useRunStore((store) =>
    Object.values(store.nodes)
      .filter((nodeRun) => nodeRun.state === "running")
      .map((nodeRun) => nodeRun.node)
      .join("\n"),
  );
  const queued = useRunStore((store) =>
    Object.values(store.nodes)
      .filter((nodeRun) => nodeRun.state === "queued")
      .map((nodeRun) => nodeRun.node)
      .join("\n"),
  );

  useEffect(() => {
    setNodes((old) => {
      const known = new Map(old.map((node) => [node.id, node]));
      return toNodes(graph, library, issues).map((next) => {
        const before = known.get(next.id);
        return before ? { ...before, ...next, position: before.dragging ? before.position : next.position } : next;
      });
    });
  }, [graph, library, issues]);

  useEffect(() => {
    if (focus) void flow.fitView({ nodes: [{ id: focus.id }], duration: 280, maxZoom: 1 });
  }, [focus, flow]);

  const drawnNodes = useMemo(
    () => nodes.map((node) => (selection.nodes.has(node.id) ? { ...node, selected: true } : node)),
    [nodes, selection.nodes],
  );
  const drawnEdges = useMemo(() => {
    const [into, before] = [new Set(running.split("\n")), new Set(queued.split("\n"))];
    return edges.map((edge) => ({
      ...edge,
      selected: selection.edges.has(edge.id),
      className: `${edge.className ?? ""} ${into.has(edge.target) ? "flow" : before.has(edge.target) ? "queued" : ""} ${edge.id === aimedWire ? "aimed" : ""}`,
    }));
  }, [edges, selection.edges, running, queued, aimedWire]);

  const fits = useCallback<FitQuestion>((from, to) => canConnect(graph, library, from, to).ok, [graph, library]);
  const answerFor = (wire: Connection | Edge) =>
    canConnect(graph, library, { node: wire.source, port: wire.sourceHandle ?? "" }, { node: wire.target, port: wire.targetHandle ?? "" });

  const join = (from: PortAddress, to: PortAddress) => {
    const answer = canConnect(graph, library, from, to);
    if (!answer.ok) return setRefusal(answer.reason);
    const made = connect(doc, ME, from, to, answer.as);
    // The edge became a loop or a map: its settings are shown.
    if (answer.as) onSelect(selectionOf({ edges: [made] }));
  };
  const changeNodes = (changes: NodeChange<CardNode>[]) => {
    // `dragging` is false at the end of a drag and for every press of an arrow key.
    const moved = changes.flatMap((change) =>
      change.type === "position" && change.dragging === false && change.position ? [[change.id, change.position] as const] : [],
    );
    if (grip.isGivenUp.current) {
      const stored = new Map(toNodes(graph, library, issues).map(({ id, position }) => [id, position]));
      for (const change of changes) if (change.type === "position") change.position = stored.get(change.id) ?? change.position;
    } else if (moved.length > 0) moveNodes(doc, ME, Object.fromEntries(moved));
    onSelect((now) => {
      // What is there is asked of the document: a node that was just added is selected before it is drawn.
      const ids = nodesOf(doc).keys();
      const next = afterChanges(now.nodes, changes, ids);
      return next === now.nodes ? now : { ...now, nodes: next };
    });
    setNodes((now) =>
      applyNodeChanges(
        changes.filter((change) => change.type !== "select"),
        now,
      ),
    );
  };
  const changeEdges = (changes: EdgeChange[]) => {
    const ids = edges.map((edge) => edge.id);
    onSelect((now) => {
      const next = afterChanges(now.edges, changes, ids);
      return next === now.edges ? now : { ...now, edges: next };
    });
  };

  const backdrop = useMemo(() => toBackdrop(graph), [graph]);
  const drop = (event: React.DragEvent) => {
    event.preventDefault();
    aimAtWire(undefined);
    const file = event.dataTransfer.files[0];
    if (file) return onDropFile(file);
    const definition = library.all().find((one) => `${one.plane} ${one.service}` === event.dataTransfer.getData(DRAG_TYPE));
    if (!definition) return;
    const at = { x: event.clientX, y: event.clientY };
    const corner = flow.screenToFlowPosition(at);
    const joint = jointOfWire(graph, wireAt(at) ?? "");
    if (!joint) return onSelect(selectionOf({ nodes: [place(doc, definition, corner)] }));
    const { id, join } = insertNode(doc, { graph, library }, definition, corner, joint);
    onSelect(selectionOf({ nodes: [id] }));
    const answer = join ?? joinable(graph, library, joint)(definition);
    if ("why" in answer) setRefusal(notPutIn(answer.why));
  };
  /** A card without wires that is dragged upon a wire goes into it. */
  const wireBelow = (dragged: CardNode[]) => {
    const [card] = dragged;
    if (!card || dragged.length > 1 || wired.has(card.id)) return undefined;
    // The page draws the card a moment later.
    const { width = CARD.width, height = CARD.height } = card.measured ?? {};
    const top = flow.flowToScreenPosition({ x: card.position.x + width / 2, y: card.position.y });
    const wire = wireUnder({ x: top.x, top: top.y, bottom: top.y + height * flow.getZoom() });
    return wire !== undefined && jointOfWire(graph, wire) ? wire : undefined;
  };
  const dropCard = (dragged: CardNode[]) => {
    const wire = grip.release() ? undefined : wireBelow(dragged);
    aimAtWire(undefined);
    const why = wire === undefined ? undefined : insertIntoWire(doc, { graph, library }, dragged[0]?.id ?? "", wire);
    if (why) setRefusal(notPutIn(why));
  };
  const dropLink: OnConnectEnd = (event, { isValid, fromNode, fromHandle, toNode, toHandle }) => {
    if (grip.release() || isValid || !fromNode || !fromHandle) return;
    const from = { node: fromNode.id, port: fromHandle.id ?? "" };
    const isOutput = fromHandle.type === "source";
    const { clientX, clientY } = "changedTouches" in event ? (event.changedTouches[0] as Touch) : event;
    const point = { x: clientX, y: clientY };
    if (toNode && toHandle) {
      const to = { node: toNode.id, port: toHandle.id ?? "" };
      const answer = isOutput ? canConnect(graph, library, from, to) : canConnect(graph, library, to, from);
      if (answer.ok) return;
      const joint = isOutput ? { from, to } : { from: to, to: from };
      const isConverter = converter(graph, library, joint);
      if (library.all().some((definition) => !("why" in isConverter(definition)))) openPalette(point, joint, "middle", answer.reason);
      else setRefusal(answer.reason);
    } else {
      const { x, y } = point;
      if (document.elementFromPoint(x, y)?.matches(".react-flow__pane")) openPalette({ x, y }, isOutput ? { from } : { to: from });
    }
  };

  return (
    <FitContext.Provider value={fits}>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the drop zone; the library's rows add by keyboard too */}
      <div
        className="canvas"
        data-testid="canvas"
        tabIndex={-1}
        style={CARD_WIDTH}
        onDragOver={(event) => {
          event.preventDefault();
          const wire = event.dataTransfer.types.includes(DRAG_TYPE) ? wireAt({ x: event.clientX, y: event.clientY }) : undefined;
          aimAtWire(wire !== undefined && jointOfWire(graph, wire) ? wire : undefined);
        }}
        onDragLeave={() => aimAtWire(undefined)}
        onDrop={drop}
        onDoubleClick={({ target, clientX: x, clientY: y }) =>
          target instanceof Element && target.matches(".react-flow__pane") && openPalette({ x, y }, {})
        }
      >
        <ReactFlow
          nodes={backdrop.length > 0 ? [...backdrop, ...drawnNodes] : drawnNodes}
          edges={drawnEdges}
          nodeTypes={TYPES}
          edgeTypes={EDGE_TYPES}
          onNodesChange={changeNodes}
          onEdgesChange={changeEdges}
          onConnectStart={() => {
            grip.hold();
            setRefusal(undefined);
          }}
          onConnect={({ source, sourceHandle, target, targetHandle }) =>
            !grip.isGivenUp.current && join({ node: source, port: sourceHandle ?? "" }, { node: target, port: targetHandle ?? "" })
          }
          onConnectEnd={dropLink}
          onNodeDragStart={grip.hold}
          onSelectionDragStart={grip.hold}
          onSelectionDragStop={() => void grip.release()}
          onNodeDrag={(_, __, dragged) => aimAtWire(wireBelow(dragged))}
          onNodeDragStop={(_, __, dragged) => dropCard(dragged)}
          isValidConnection={(one) => answerFor(one).ok}
          onPaneClick={() => setRefusal(undefined)}
          connectOnClick={false}
          deleteKeyCode={null}
          zoomOnDoubleClick={false}
          multiSelectionKeyCode="Shift"
          minZoom={0.05}
          maxZoom={2}
          fitView={fitsAtStart}
          fitViewOptions={{ maxZoom: 1, padding: 0.15 }}
          onlyRenderVisibleElements={graph.nodes.length > 150}
          proOptions={{ hideAttribution: true }}
        >
          <Background variant={BackgroundVariant.Dots} gap={20} size={1.4} color="var(--dot)" bgColor="var(--background-canvas)" />
          {hasMinimap && graph.nodes.length > 0 && (
            <MiniMap pannable zoomable nodeColor="var(--line-strong)" maskColor="var(--scrim)" bgColor="var(--background-overlay)" />
          )}
          <WirePlus graph={graph} selected={selectedAlone(selection, graph).edge} />
          <LinkHint graph={graph} library={library} />
        </ReactFlow>
        <CanvasTools />
        {refusal && (
          <output className="floating reason-chip" aria-live="assertive">
            {refusal}
          </output>
        )}
      </div>
    </FitContext.Provider>
  );
}

const notPutIn = (why: string): string => `The node does not fit into the wire. ${why}`;

/** What is said on the canvas goes with Esc, which does what it does otherwise, too. */
function useEscape(isShown: boolean, hide: () => void): void {
  const now = useRef(hide);
  now.current = hide;
  useEffect(() => {
    if (!isShown) return;
    const press = ({ key }: KeyboardEvent) => key === "Escape" && now.current();
    document.addEventListener("keydown", press, true);
    return () => document.removeEventListener("keydown", press, true);
  }, [isShown]);
}

// The canvas: React Flow in front of the shared document. Every change is a command; drags are committed on drop, arrow keys at once.
import { canConnect, type Graph, type Issue, type Library, type PortAddress, type Position } from "@spindle/graph-model";
import { connect, nodesOf } from "@spindle/graph-model/shared-doc";
import {
  applyNodeChanges,
  Background,
  BackgroundVariant,
  type Connection,
  type Edge,
  type EdgeChange,
  type FitViewOptions,
  MiniMap,
  type NodeChange,
  type OnConnectEnd,
  ReactFlow,
  SelectionMode,
  useReactFlow,
} from "@xyflow/react";
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import type * as Y from "yjs";
import { useRunStore } from "../session/run-store";
import { ME } from "../session/use-document";
import { BroughtNote, FrameCard, toBackdrop } from "./backdrop";
import { addBend } from "./bends";
import { BentEdge } from "./bent-edge";
import { around } from "./box";
import { CanvasProvider } from "./canvas-context";
import { CanvasTools, fitOptions, LEAST_ZOOM } from "./canvas-tools";
import { type GroupDrag, moveAll, toGroupNodes, withMembers } from "./drawn-groups";
import { wireAt, wireUnder } from "./drawn-wires";
import { duplicate, insertIntoWire, insertNode, place } from "./edits";
import { FitContext, type FitQuestion } from "./fits";
import { CARD, toEdges, toNodes } from "./flow";
import { GroupCard } from "./group-card";
import { folded, groupOfNodeId, groupsOf, joinGroup } from "./groups";
import { converter, joinable, jointOfWire } from "./joint";
import { useLandings } from "./landing";
import { LinkHint } from "./link-hint";
import { LoopEdge } from "./loop-edge";
import { type CardNode, NodeCard } from "./node-card";
import { NoteCard, type NoteNode, noteOfNodeId, toNotes } from "./note-card";
import { afterChanges, type Selection, selectedAlone, selectionOf } from "./selection";
import { useTabStop } from "./tab-stop";
import { useEscape, useGiveUp } from "./use-give-up";
import { useOpenAt } from "./use-palette";
import { WirePlus } from "./wire-plus";

export const DRAG_TYPE = "application/x-spindle-capability";
const TYPES = { card: NodeCard, frame: FrameCard, broughtNote: BroughtNote, note: NoteCard, group: GroupCard };
/** What is kept between two renderings: cards and notes. Groups and what an import brought are made of them, or never change. */
type Drawn = CardNode | NoteNode;
const EDGE_TYPES = { loop: LoopEdge, bent: BentEdge };

const NO_ATTRIBUTES = {};
const MORE_KEYS = ["Shift", "Control", "Meta"];
const CARD_WIDTH = { "--card-width-wide": `${CARD.width}px` } as React.CSSProperties;

export interface CanvasProps {
  doc: Y.Doc;
  graph: Graph;
  issues: Issue[];
  library: Library;
  selection: Selection;
  onSelect(next: Selection | ((now: Selection) => Selection)): void;
  /** @param at in the window */
  onDropFile(file: File, at: Position): void;
  focus: { id: string; at: number } | undefined;
  hasMinimap: boolean;
}

export function Canvas({ doc, graph, issues, library, selection, onSelect, onDropFile, focus, hasMinimap }: CanvasProps) {
  const flow = useReactFlow();
  const [nodes, setNodes] = useState<Drawn[]>([]);
  const edges = useMemo(() => toEdges(graph, library), [graph, library]);
  const [boxMode, setBoxMode] = useState(SelectionMode.Full);
  const boxFrom = useRef<number>();
  /** Where the card lay that is held, if its copy is dragged. */
  const copying = useRef<{ id: string; from: Position }>();
  const groupDrag = useRef<GroupDrag>();
  // The view fits the graph that is opened, and never moves by itself after that: the first node of an empty graph stays where it is put.
  const [fitsAtStart] = useState(graph.nodes.length > 0);
  const [firstFit, setFirstFit] = useState<FitViewOptions>({});
  // biome-ignore lint/correctness/useExhaustiveDependencies: the graph that is opened is fitted before its cards are drawn
  useLayoutEffect(
    () => setFirstFit(fitOptions(around(toNodes(graph, library, issues).map(({ position }) => ({ ...position, ...CARD }))))),
    [],
  );
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
      return [...toNotes(graph), ...toNodes(graph, library, issues)].map((next) => {
        const before = known.get(next.id);
        return before ? ({ ...before, ...next, position: before.dragging ? before.position : next.position } as Drawn) : next;
      });
    });
  }, [graph, library, issues]);

  useEffect(() => {
    if (focus) void flow.fitView({ nodes: [{ id: focus.id }], duration: 280, maxZoom: 1 });
  }, [focus, flow]);

  const groups = useMemo(() => groupsOf(graph), [graph]);
  const [tabStop, followFocus] = useTabStop(nodes, selection.nodes);
  const drawnNodes = useMemo(() => {
    const hidden = new Set(groups.flatMap((group) => (group.collapsed ? group.nodes : [])));
    return nodes.map((node) => {
      const isSelected = selection.nodes.has(node.id) || selection.notes.has(noteOfNodeId(node.id) ?? "");
      const isHidden = hidden.has(node.id);
      const isStop = node.id === tabStop;
      if (!isSelected && !isHidden && !isStop) return node;
      return { ...node, selected: isSelected, hidden: isHidden, ...(isStop ? { domAttributes: NO_ATTRIBUTES } : {}) };
    });
  }, [nodes, groups, selection.nodes, selection.notes, tabStop]);
  const drawnGroups = useMemo(() => toGroupNodes(graph, groups, nodes, selection.nodes), [graph, groups, nodes, selection.nodes]);
  const drawnEdges = useMemo(() => {
    const [into, before] = [new Set(running.split("\n")), new Set(queued.split("\n"))];
    return folded(edges, groups).map((edge) => ({
      ...edge,
      selected: selection.edges.has(edge.id),
      className: `${edge.className ?? ""} ${into.has(edge.target) ? "flow" : before.has(edge.target) ? "queued" : ""} ${edge.id === aimedWire ? "aimed" : ""}`,
    }));
  }, [edges, groups, selection.edges, running, queued, aimedWire]);

  const parts = useMemo(() => ({ doc, select: onSelect }), [doc, onSelect]);
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
  const changeNodes = (given: NodeChange<Drawn>[]) => {
    const changes = withMembers(given, groups, groupDrag);
    // `dragging` is false at the end of a drag and for every press of an arrow key.
    const moved = changes.flatMap((change) =>
      change.type === "position" && change.dragging === false && change.position ? [[change.id, change.position] as const] : [],
    );
    if (grip.isGivenUp.current) {
      const stored = new Map([...toNotes(graph), ...toNodes(graph, library, issues)].map(({ id, position }) => [id, position]));
      for (const change of changes) if (change.type === "position") change.position = stored.get(change.id) ?? change.position;
    } else if (moved.length > 0 && !copying.current) moveAll(doc, graph, moved);
    onSelect((now) => {
      // What is there is asked of the document: a node that was just added is selected before it is drawn.
      const ids = nodesOf(doc).keys();
      const isNote = ({ id }: { id: string }) => noteOfNodeId(id) !== undefined;
      const marks = changes.flatMap((change) => (change.type === "select" ? [change] : []));
      const cards = afterChanges(
        now.nodes,
        marks.filter((mark) => !isNote(mark)),
        ids,
      );
      const ofNotes = marks.filter(isNote).map((mark) => ({ ...mark, id: noteOfNodeId(mark.id) ?? "" }));
      const notes = afterChanges(
        now.notes,
        ofNotes,
        toNotes(graph).map(({ data }) => data.note.id),
      );
      return cards === now.nodes && notes === now.notes ? now : { ...now, nodes: cards, notes };
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
  const beginDrag = (event: MouseEvent | TouchEvent | React.MouseEvent, node: Drawn) => {
    grip.hold();
    const isCopy = event.altKey || event.ctrlKey || event.metaKey;
    copying.current = isCopy && groupOfNodeId(node.id) === undefined ? { id: node.id, from: { ...node.position } } : undefined;
    const group = groups.find(({ id }) => id === groupOfNodeId(node.id));
    groupDrag.current = group && {
      from: { ...node.position },
      members: new Map(nodes.flatMap(({ id, position }) => (group.nodes.includes(id) ? [[id, position] as const] : []))),
    };
  };
  const drop = (event: React.DragEvent) => {
    event.preventDefault();
    aimAtWire(undefined);
    const file = event.dataTransfer.files[0];
    if (file) return onDropFile(file, { x: event.clientX, y: event.clientY });
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
  const wireBelow = (dragged: Drawn[]) => {
    const [card] = dragged;
    if (card?.type !== "card" || dragged.length > 1 || wired.has(card.id)) return undefined;
    // The page draws the card a moment later.
    const { width = CARD.width, height = CARD.height } = card.measured ?? {};
    const top = flow.flowToScreenPosition({ x: card.position.x + width / 2, y: card.position.y });
    const wire = wireUnder({ x: top.x, top: top.y, bottom: top.y + height * flow.getZoom() });
    return wire !== undefined && jointOfWire(graph, wire) ? wire : undefined;
  };
  /** What is dragged with Alt or Ctrl stays where it was, and a copy of it lies where it was dropped. */
  const dropCopies = (dragged: Drawn[]) => {
    const started = copying.current;
    copying.current = undefined;
    if (!started) return false;
    const held = dragged.find(({ id }) => id === started.id);
    const away = held && { x: held.position.x - started.from.x, y: held.position.y - started.from.y };
    // The browser's menu would take the release of Alt for its own.
    const release = (event: KeyboardEvent) => event.key === "Alt" && event.preventDefault();
    document.addEventListener("keyup", release, { once: true, capture: true });
    setNodes((now) => {
      const stored = new Map([...toNotes(graph), ...toNodes(graph, library, issues)].map(({ id, position }) => [id, position]));
      return now.map((node) => ({ ...node, position: stored.get(node.id) ?? node.position }));
    });
    if (grip.isGivenUp.current || !away) return true;
    const copies = duplicate(
      doc,
      dragged.flatMap(({ id }) => ((noteOfNodeId(id) ?? groupOfNodeId(id)) ? [] : [id])),
      away,
    );
    onSelect(selectionOf({ nodes: copies }));
    return true;
  };
  /** A card that is dropped upon the frame of a group goes into it. */
  const dropIntoGroup = (dragged: Drawn[]) => {
    const cards = dragged.filter((node): node is CardNode => node.type === "card");
    const [first] = cards;
    if (!first) return;
    const { width = CARD.width, height = CARD.height } = first.measured ?? {};
    const [x, y] = [first.position.x + width / 2, first.position.y + height / 2];
    const ids = cards.map(({ id }) => id);
    const around = drawnGroups.find(({ position, width: w = 0, height: h = 0, data: { group } }) => {
      const isOver = x > position.x && x < position.x + w && y > position.y && y < position.y + h;
      return isOver && !group.collapsed && !group.nodes.includes(first.id);
    });
    if (around) joinGroup(doc, graph, around.data.group.id, ids);
  };
  const dropCard = (dragged: Drawn[]) => {
    if (dropCopies(dragged)) return void grip.release();
    const isGivenUp = grip.release();
    const wire = isGivenUp ? undefined : wireBelow(dragged);
    if (!isGivenUp) dropIntoGroup(dragged);
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
    <CanvasProvider value={parts}>
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
          onPointerMoveCapture={({ clientX, buttons }) => {
            // A box that is drawn to the left takes what it touches, to the right what it encloses.
            const mode =
              buttons === 1 && boxFrom.current !== undefined && clientX < boxFrom.current ? SelectionMode.Partial : SelectionMode.Full;
            if (mode !== boxMode) setBoxMode(mode);
          }}
          onDragLeave={() => aimAtWire(undefined)}
          onDrop={drop}
          onFocus={followFocus}
          onDoubleClick={({ target, clientX: x, clientY: y }) =>
            target instanceof Element && target.matches(".react-flow__pane") && openPalette({ x, y }, {})
          }
        >
          <ReactFlow
            nodes={[...backdrop, ...drawnGroups, ...drawnNodes] as Drawn[]}
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
            onNodeDragStart={(event, node) => beginDrag(event, node)}
            onSelectionDragStart={(event, [node]) => node && beginDrag(event, node)}
            onSelectionDragStop={(_, dragged) => dropCopies(dragged) || void grip.release()}
            onSelectionStart={({ clientX }) => {
              boxFrom.current = clientX;
            }}
            onSelectionEnd={() => {
              boxFrom.current = undefined;
            }}
            selectionMode={boxMode}
            onNodeDrag={(_, __, dragged) => aimAtWire(wireBelow(dragged))}
            onNodeDragStop={(_, __, dragged) => dropCard(dragged)}
            onEdgeDoubleClick={({ clientX: x, clientY: y }, { id }) => addBend(doc, graph, id, flow.screenToFlowPosition({ x, y }))}
            isValidConnection={(one) => answerFor(one).ok}
            onPaneClick={() => setRefusal(undefined)}
            connectOnClick={false}
            deleteKeyCode={null}
            zoomOnDoubleClick={false}
            multiSelectionKeyCode={MORE_KEYS}
            minZoom={LEAST_ZOOM}
            maxZoom={2}
            fitView={fitsAtStart}
            fitViewOptions={firstFit}
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
          <CanvasTools isFittedAtStart={fitsAtStart} />
          {refusal && (
            <output className="floating reason-chip" aria-live="assertive">
              {refusal}
            </output>
          )}
        </div>
      </FitContext.Provider>
    </CanvasProvider>
  );
}

const notPutIn = (why: string): string => `The node does not fit into the wire. ${why}`;

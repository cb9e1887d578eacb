// The canvas: React Flow in front of the shared document. Every change is a command; drags are committed on drop, arrow keys at once.
import type { Graph, Issue, Library, Position } from "@spindle/graph-model";
import { nodeIdsOf, type Sheet } from "@spindle/graph-model/shared-doc";
import {
  applyNodeChanges,
  Background,
  BackgroundVariant,
  type EdgeChange,
  MiniMap,
  type NodeChange,
  ReactFlow,
  SelectionMode,
  useReactFlow,
  useStore,
  useStoreApi,
  type Viewport,
} from "@xyflow/react";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { moving } from "../ui/motion";
import { BroughtNote, FrameCard, toBackdrop } from "./backdrop";
import { addBend } from "./bends";
import { BentEdge } from "./bent-edge";
import { BOX_BELOW } from "./box";
import { CanvasProvider } from "./canvas-context";
import { CanvasTools, firstView, LEAST_ZOOM, MANY_CARDS, MAP, useIsMapOver } from "./canvas-tools";
import { type GroupDrag, moveAll, toGroupNodes, withMembers } from "./drawn-groups";
import { wireAt, wireUnder } from "./drawn-wires";
import { duplicate, insertIntoWire, insertNode, place } from "./edits";
import { FitContext } from "./fits";
import { CARD, toNodes } from "./flow";
import { freeNear } from "./free-place";
import { GroupCard } from "./group-card";
import { folded, groupOfNodeId, groupsOf, joinGroup } from "./groups";
import { joinable, jointOfWire } from "./joint";
import { useLandings } from "./landing";
import { LinkHint } from "./link-hint";
import { LoopEdge } from "./loop-edge";
import { BoxedContext, type CardNode, NodeCard } from "./node-card";
import { NoteCard, type NoteNode, noteOfNodeId, toNotes } from "./note-card";
import { DRAG_TYPE, keyOf } from "./offers";
import { RailCard, useRails } from "./rail-card";
import { afterChanges, type Selection, selectedAlone, selectionOf } from "./selection";
import { useTabStop } from "./tab-stop";
import { useDrawnWires, useWireMarks } from "./use-drawn-wires";
import { useEscape, useGiveUp } from "./use-give-up";
import { useLinks } from "./use-links";
import { useOpenAt } from "./use-palette";
import { WirePlus } from "./wire-plus";

const TYPES = { card: NodeCard, frame: FrameCard, broughtNote: BroughtNote, note: NoteCard, group: GroupCard, rail: RailCard };
/** What is kept between two renderings: cards and notes. Groups and what an import brought are made of them, or never change. */
type Drawn = CardNode | NoteNode;
const EDGE_TYPES = { loop: LoopEdge, bent: BentEdge };
const NO_ATTRIBUTES = {};
const UNMOVED: Viewport = { x: 0, y: 0, zoom: 1 };
const MORE_KEYS = ["Shift", "Control", "Meta"];
const CARD_WIDTH = { "--card-width-wide": `${CARD.width}px` } as React.CSSProperties;

export interface CanvasProps {
  sheet: Sheet;
  graph: Graph;
  issues: Issue[];
  library: Library;
  selection: Selection;
  onSelect(next: Selection | ((now: Selection) => Selection)): void;
  /** @param at in the window */
  onDropFile(file: File, at: Position): void;
  focus: { id: string; at: number } | undefined;
  hasMinimap: boolean;
  /** Where the view was when the canvas last showed this; undefined if it has not. */
  lastView: Viewport | undefined;
  onLeave(view: Viewport): void;
  /** Goes into the subgraph that the node calls, if it calls one. */
  onEnter(node: string): void;
}

export function Canvas({
  sheet,
  graph,
  issues,
  library,
  selection,
  onSelect,
  onDropFile,
  focus,
  hasMinimap,
  lastView,
  onLeave,
  onEnter,
}: CanvasProps) {
  const flow = useReactFlow();
  const store = useStoreApi();
  const [nodes, setNodes] = useState<Drawn[]>([]);
  const edges = useDrawnWires(graph, library);
  const [boxMode, setBoxMode] = useState(SelectionMode.Full);
  const boxFrom = useRef<number>();
  /** Where the card lay that is held, if its copy is dragged. */
  const copying = useRef<{ id: string; from: Position }>();
  const groupDrag = useRef<GroupDrag>();
  // The view fits the graph that is opened, and never moves by itself after that: the first node of an empty graph stays where it is put.
  const [fitsAtStart] = useState(graph.nodes.length > 0 && !lastView && !focus);
  const [startView, setStartView] = useState(fitsAtStart ? undefined : (lastView ?? UNMOVED));
  // biome-ignore lint/correctness/useExhaustiveDependencies: the graph that is opened
  useLayoutEffect(() => {
    const boxes = () => toNodes(graph, library, issues).map(({ position }) => ({ ...position, ...CARD }));
    if (!startView) setStartView(firstView(boxes(), hasMinimap));
  }, []);
  // biome-ignore lint/correctness/useExhaustiveDependencies: when the canvas goes
  useLayoutEffect(() => () => onLeave(flow.getViewport()), []);
  const isMapOver = useIsMapOver();
  const isBoxed = useStore(({ panZoom, transform }) => (panZoom ? transform[2] : (startView?.zoom ?? 1)) < BOX_BELOW);
  const [refusal, setRefusal] = useState<string>();
  useEscape(refusal !== undefined, () => setRefusal(undefined));
  const openPalette = useOpenAt();
  const grip = useGiveUp();
  const links = useLinks({ sheet, graph, library, grip, onSelect, refuse: setRefusal });
  useLandings();
  // The wire that what is dragged would be put into.
  const [aimedWire, aimAtWire] = useState<string>();
  const wired = useMemo(() => new Set(graph.edges.flatMap(({ from, to }) => [from, to])), [graph.edges]);

  useEffect(() => {
    setNodes((old) => {
      const known = new Map(old.map((node) => [node.id, node]));
      return [...toNotes(graph), ...toNodes(graph, library, issues)].map((next) => {
        const before = known.get(next.id);
        return before ? ({ ...before, ...next, position: before.dragging ? before.position : next.position } as Drawn) : next;
      });
    });
  }, [graph, library, issues]);

  // On another level the card is drawn a moment later.
  const isFocusDrawn = useStore(({ nodeLookup }) => nodeLookup.get(focus?.id ?? "")?.measured.width !== undefined);
  const focused = useRef<number>();
  useEffect(() => {
    if (!focus || !isFocusDrawn || focused.current === focus.at) return;
    focused.current = focus.at;
    void flow.fitView({ nodes: [{ id: focus.id }], duration: moving(280), maxZoom: 1 });
  }, [focus, isFocusDrawn, flow]);

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
  const rails = useRails({ sheet, graph, library, nodes });
  const wires = useMemo(() => [...folded(edges, groups), ...rails.wires], [edges, groups, rails.wires]);
  const drawnEdges = useWireMarks(wires, selection.edges, aimedWire);

  const parts = useMemo(() => ({ sheet, select: onSelect }), [sheet, onSelect]);
  const changeNodes = (given: NodeChange<Drawn>[]) => {
    const changes = withMembers(given, groups, groupDrag);
    // `dragging` is false at the end of a drag and for every press of an arrow key.
    const moved = changes.flatMap((change) =>
      change.type === "position" && change.dragging === false && change.position ? [[change.id, change.position] as const] : [],
    );
    if (grip.isGivenUp.current) {
      const stored = new Map([...toNotes(graph), ...toNodes(graph, library, issues)].map(({ id, position }) => [id, position]));
      for (const change of changes) if (change.type === "position") change.position = stored.get(change.id) ?? change.position;
    } else if (moved.length > 0 && !copying.current) moveAll(sheet, graph, moved);
    onSelect((now) => {
      // What is there is asked of the document: a node that was just added is selected before it is drawn.
      const ids = nodeIdsOf(sheet);
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
    const ids = wires.map((edge) => edge.id);
    onSelect((now) => {
      const next = afterChanges(now.edges, changes, ids);
      return next === now.edges ? now : { ...now, edges: next };
    });
  };

  const backdrop = useMemo(() => toBackdrop(graph), [graph]);
  const drawn = useMemo(
    () => [...backdrop, ...rails.cards, ...drawnGroups, ...drawnNodes] as Drawn[],
    [backdrop, rails.cards, drawnGroups, drawnNodes],
  );
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
    const at = { x: event.clientX, y: event.clientY };
    const file = event.dataTransfer.files[0];
    if (file) return onDropFile(file, at);
    const definition = library.all().find((one) => keyOf(one) === event.dataTransfer.getData(DRAG_TYPE));
    if (!definition) return;
    const corner = freeNear(sheet, store.getState(), flow.screenToFlowPosition(at));
    const joint = jointOfWire(graph, wireAt(at) ?? "");
    if (!joint) return onSelect(selectionOf({ nodes: [place(sheet, definition, corner)] }));
    const { id, join } = insertNode(sheet, { graph, library }, definition, corner, joint);
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
      sheet,
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
    if (around) joinGroup(sheet, graph, around.data.group.id, ids);
  };
  const dropCard = (dragged: Drawn[]) => {
    if (dropCopies(dragged)) return void grip.release();
    const isGivenUp = grip.release();
    const wire = isGivenUp ? undefined : wireBelow(dragged);
    if (!isGivenUp) dropIntoGroup(dragged);
    aimAtWire(undefined);
    const why = wire === undefined ? undefined : insertIntoWire(sheet, { graph, library }, dragged[0]?.id ?? "", wire);
    if (why) setRefusal(notPutIn(why));
  };
  return (
    <CanvasProvider value={parts}>
      <FitContext.Provider value={links.fits}>
        <BoxedContext.Provider value={isBoxed}>
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
            {startView && (
              <ReactFlow
                nodes={drawn}
                edges={drawnEdges}
                nodeTypes={TYPES}
                edgeTypes={EDGE_TYPES}
                onNodesChange={changeNodes}
                onEdgesChange={changeEdges}
                onConnectStart={() => {
                  grip.hold();
                  setRefusal(undefined);
                }}
                onConnect={links.join}
                onConnectEnd={links.drop}
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
                onNodeDoubleClick={({ target }, { id }) => !isControl(target) && onEnter(id)}
                onEdgeDoubleClick={({ clientX: x, clientY: y }, { id }) => addBend(sheet, graph, id, flow.screenToFlowPosition({ x, y }))}
                isValidConnection={links.isValid}
                onPaneClick={() => setRefusal(undefined)}
                connectOnClick={false}
                deleteKeyCode={null}
                zoomOnDoubleClick={false}
                multiSelectionKeyCode={MORE_KEYS}
                minZoom={LEAST_ZOOM}
                maxZoom={2}
                defaultViewport={startView}
                onlyRenderVisibleElements={graph.nodes.length > MANY_CARDS}
                proOptions={{ hideAttribution: true }}
              >
                <Background variant={BackgroundVariant.Dots} gap={20} size={1.4} color="var(--dot)" bgColor="var(--background-canvas)" />
                {hasMinimap && graph.nodes.length > 0 && (
                  <MiniMap
                    className={isMapOver ? "over-card" : ""}
                    style={MAP}
                    pannable
                    zoomable
                    nodeColor="var(--line-strong)"
                    maskColor="var(--scrim)"
                    bgColor="var(--background-overlay)"
                  />
                )}
                <WirePlus graph={graph} selected={selectedAlone(selection, graph).edge} />
                <LinkHint graph={graph} library={library} />
              </ReactFlow>
            )}
            <CanvasTools isFittedAtStart={fitsAtStart} />
            {refusal && (
              <output className="floating reason-chip" aria-live="assertive">
                {refusal}
              </output>
            )}
          </div>
        </BoxedContext.Provider>
      </FitContext.Provider>
    </CanvasProvider>
  );
}

/** What a double click means something else to: a field, a button, a picture. */
const isControl = (target: EventTarget): boolean =>
  target instanceof Element && target.closest("input, textarea, select, button, video, audio, a") !== null;

const notPutIn = (why: string): string => `The node does not fit into the wire. ${why}`;

// The page of a graph: it puts canvas, library, inspector and run panel together.

import { useNavigate } from "@remix-run/react";
import {
  enginesNotLive,
  type Graph,
  hasErrors,
  type Issue,
  type NodeDefinition,
  type Position,
  type RunInput,
  resolve,
  resolver,
} from "@spindle/graph-model";
import { docOf } from "@spindle/graph-model/shared-doc";
import { useQuery } from "@tanstack/react-query";
import { useReactFlow, useStoreApi } from "@xyflow/react";
import { X } from "lucide-react";
import { useMemo, useState } from "react";
import { Canvas } from "../canvas/canvas";
import { fit } from "../canvas/canvas-tools";
import { ConnectDialog, startConnecting } from "../canvas/connect-dialog";
import { middleOfWire, wireAt } from "../canvas/drawn-wires";
import { place } from "../canvas/edits";
import { FindBar } from "../canvas/find-bar";
import { cardBoxes, freePlace, placeForNew, viewBox } from "../canvas/free-place";
import { LookDialog, lookAtNode, useLookByKey } from "../canvas/full-screen";
import { groupsOf } from "../canvas/groups";
import { land } from "../canvas/landing";
import { issuesOf, subgraphOf } from "../canvas/levels";
import { NOTE_SIZE } from "../canvas/note-card";
import { keyOf } from "../canvas/offers";
import { Palette } from "../canvas/palette";
import { selectedAlone, selectionOf } from "../canvas/selection";
import { usesOf } from "../canvas/subgraphs";
import { useClipboard } from "../canvas/use-clipboard";
import { useCriticalPath } from "../canvas/use-critical-path";
import { usePaletteOpener } from "../canvas/use-palette";
import { usePointer } from "../canvas/use-pointer";
import { useStaleness } from "../canvas/use-stale";
import { EdgeInspector } from "../inspector/edge-inspector";
import { NodeInspector } from "../inspector/node-inspector";
import { NodesInspector } from "../inspector/nodes-inspector";
import { RunInputsForm } from "../inspector/run-inputs";
import { LibraryPanel } from "../library/library-panel";
import { BottomPanel } from "../run/bottom-panel";
import { PlanDialog } from "../run/plan-dialog";
import { Questions } from "../run/questions";
import { RunBar } from "../run/run-bar";
import { useRunNews } from "../run/run-news";
import { graphTextOf } from "../session/files";
import { useInnerRuns } from "../session/inner-runs";
import { useTRPC, useTRPCClient } from "../session/provider";
import { rememberNode } from "../session/recent-nodes";
import { shownRuns, useIsRunOpen } from "../session/run-store";
import { useDocument } from "../session/use-document";
import { useLibrary } from "../session/use-library";
import { focusCanvas, focusInspector } from "../ui/focus";
import { isField } from "../ui/keys";
import { moving } from "../ui/motion";
import { usePageTitle } from "../ui/page-title";
import { Said } from "../ui/said";
import { toastError } from "../ui/toast";
import { Breadcrumb } from "./breadcrumb";
import { CommandBar } from "./command-bar";
import { CanvasMenu, menuItems, ToolColumn } from "./command-menus";
import { DocumentNotices, NoGraph, OfflineBanner } from "./document-notices";
import { EditorTop } from "./editor-top";
import { EmptyCanvas } from "./empty-canvas";
import { EnginesDialog } from "./engines-dialog";
import { copyCommands, LinkedCopy } from "./linked-copy";
import { OfferDialog } from "./offer-dialog";
import { PanelEdges } from "./panel-edges";
import { Shortcuts } from "./shortcuts";
import { enter } from "./subgraph-commands";
import { UpdateDialog } from "./update-dialog";
import { useCommands } from "./use-commands";
import { useDeletedByOthers } from "./use-deleted-by-others";
import { useIssues } from "./use-issues";
import { useJumps } from "./use-jumps";
import { useLevel } from "./use-level";
import { useLiveMode } from "./use-live-mode";
import { usePanels } from "./use-panels";
import { givenValues, useRunActs } from "./use-run-acts";
import { useSettledWires } from "./use-settled-wires";
import { useSharedDefinitions } from "./use-shared-definitions";
import { useUndoSelection } from "./use-undo-selection";

const NO_INPUTS: readonly RunInput[] = [];
const NOTHING = selectionOf({});

export function GraphEditor({ id }: { id: string }) {
  const trpc = useTRPC();
  const api = useTRPCClient();
  const navigate = useNavigate();
  const flow = useReactFlow();
  const flowStore = useStoreApi();
  const about = useQuery(trpc.graphs.get.queryOptions({ id }));
  const opened = useDocument(id);
  const { library: own, isListed, loaded, isDefined, trouble } = useLibrary(opened?.graph);
  const { library, sharing } = useSharedDefinitions(opened, own);
  const level = useLevel(opened, library);
  const { shared, graph: shownGraph, selection, select: setSelection } = level;
  const [isRunFormOpen, setRunFormOpen] = useState(false);
  const [shown, show] = useState<"plan" | "commands" | "shortcuts" | "find" | "offer" | "engines">();
  const [updated, showUpdate] = useState<string>();
  const panels = usePanels();
  const isRunning = useIsRunOpen();
  usePageTitle(about.data?.name);
  useUndoSelection(opened?.undo, level);
  const pointer = usePointer();
  const clipboard = useClipboard(shared, library, pointer, selection, setSelection);

  const graph = shared && shownGraph;
  const whole = opened?.graph;
  const palette = usePaletteOpener(shared?.sheet, graph, pointer, selection);
  useDeletedByOthers(shared?.sheet, graph, selection.nodes);
  useSettledWires(opened && docOf(opened.sheet), whole);
  const resolveNext = useMemo(() => resolver(library), [library]);
  // Everything on the page asks for this graph with this library, and finds what is worked out here.
  if (whole && loaded) resolveNext(whole);
  const issues = useIssues(whole, library, isDefined, opened?.issues);
  const shownIssues = useMemo(() => issuesOf(issues, level.definition), [issues, level.definition]);
  const [notLive] = useMemo(() => (whole && loaded ? enginesNotLive(whole, library) : []), [whole, library, loaded]);
  const inputs = whole && loaded ? resolve(whole, library).root.inputs : NO_INPUTS;
  useStaleness(graph, level.calls, library);
  useInnerRuns(level.calls);
  useCriticalPath(graph, level.calls);
  useRunNews(whole);
  const lookAt = (node: string) => graph && lookAtNode(graph, library, node);
  useLookByKey(pointer, lookAt);
  const { focus, jump, jumpOut, showIssue } = useJumps(opened, level, panels);
  const runs = useRunActs(id, opened, library, resolveNext, {
    showPlan: () => show("plan"),
    showForm: () => {
      setSelection(NOTHING);
      setRunFormOpen(true);
    },
    closeForm: () => setRunFormOpen(false),
  });
  const live = useLiveMode(id, opened, library, { values: runs.given, follow: runs.follow });
  const open = async (file: File) => {
    try {
      navigate(
        `/g/${await api.graphs.import.mutate({ text: await graphTextOf(file), name: file.name.replace(/\.[^.]+$/, "") || "Imported graph" })}`,
      );
    } catch (error) {
      toastError(error);
    }
  };
  /** A file that carries a graph opens it; any other becomes a node where it was dropped. */
  const openOrPut = async (file: File, at: Position) => {
    const carried = await graphTextOf(file).catch(() => undefined);
    return carried === undefined ? clipboard.putFile(file, at) : open(file);
  };
  const add = (definition: NodeDefinition) => {
    if (!shared?.loaded) return;
    const at = placeForNew(shared.sheet, flowStore.getState(), selection);
    const node = place(shared.sheet, definition, at);
    setSelection(selectionOf({ nodes: [node] }));
    rememberNode(keyOf(definition));
    land(node);
  };

  const close = () => show(undefined);
  const updatedCopy = sharing.copyOf(updated);
  const problem = whyNoPlan(whole, isDefined, issues);
  const commands = useCommands(
    shared?.loaded && graph && whole && loaded
      ? {
          shared,
          graph,
          level,
          whole,
          library,
          issues: shownIssues,
          selection,
          select: setSelection,
          whyNoPlan: problem,
          isRunning,
          outputsOf,
          start: (options) => void runs.start(options),
          cancel: runs.cancel,
          plan: () => void runs.plan(),
          forget: runs.forget,
          jump,
          view: {
            fit: (nodes) => void fit(flow, nodes),
            zoomTo: (zoom) => void flow.zoomTo(zoom, { duration: moving(160) }),
            zoomIn: () => void flow.zoomIn(),
            zoomOut: () => void flow.zoomOut(),
          },
          placeOnWire: (wire) => {
            const at = pointer.current;
            return at && wireAt(at) === wire ? flow.screenToFlowPosition(at) : middleOfWire(wire);
          },
          placeForNote: () => {
            const view = viewBox(flowStore.getState());
            const under = pointer.current && flow.screenToFlowPosition(pointer.current);
            const at = under ?? { x: view.x + (view.width - NOTE_SIZE.width) / 2, y: view.y + (view.height - NOTE_SIZE.height) / 2 };
            return freePlace({ ...at, ...NOTE_SIZE }, [...cardBoxes(shared.sheet, flowStore.getState()).values()]);
          },
          clipboard,
          lookAt,
          toggle: panels.toggle,
          palette,
          connect: startConnecting,
          boxes: () => (shared ? cardBoxes(shared.sheet, flowStore.getState()) : new Map()),
          sharing,
          live,
          showUpdate,
          show,
          edit: (what) => {
            panels.open("inspector");
            setTimeout(() => focusInspector(what));
          },
        }
      : undefined,
  );
  const restore = () => void api.graphs.restore.mutate({ id }).then(() => location.reload(), toastError);
  if (about.isLoadingError)
    return <NoGraph error={about.error} copy={opened?.loaded ? whole : undefined} onForget={() => opened?.forget()} onRestore={restore} />;
  const { node: selectedNode, edge } = selectedAlone(selection, graph);
  const copy = graph && selectedNode ? sharing.copyOf(subgraphOf(graph, selectedNode)) : undefined;
  const chosen = graph?.nodes.flatMap(({ id }) => (selection.nodes.has(id) ? [id] : [])) ?? [];
  return (
    <div className={panels.className} style={panels.style}>
      <EditorTop
        id={id}
        name={about.data?.name ?? ""}
        shared={opened}
        library={library}
        commands={commands}
        waits={notLive?.issue.message}
        live={live}
        onOpenFile={(file) => void open(file)}
      />
      <DocumentNotices
        id={id}
        graph={whole}
        closing={shared?.closing}
        takenBack={shared?.takenBack}
        refused={shared?.refused}
        setAside={about.data?.setAside}
        onRestore={restore}
      />
      <LibraryPanel library={library} loaded={isListed} trouble={trouble} onAdd={add} />
      {shared?.loaded && graph && loaded ? (
        <CanvasMenu
          commands={commands}
          groups={() => groupsOf(graph)}
          isCall={(node) => subgraphOf(graph, node) !== undefined}
          selection={selection}
          onSelect={setSelection}
        >
          {!shared.online && <OfflineBanner isKept={shared.isKept} />}
          <Canvas
            key={level.address}
            sheet={shared.sheet}
            graph={graph}
            issues={shownIssues}
            library={library}
            selection={selection}
            onSelect={setSelection}
            onDropFile={(file, at) => void openOrPut(file, at)}
            focus={focus}
            hasMinimap={!panels.hidden.has("minimap")}
            lastView={level.views.get(level.address)}
            onLeave={(view) => level.views.set(level.address, view)}
            onEnter={(node) => enter({ level, graph }, node)}
          />
          <Breadcrumb
            level={level}
            uses={whole && level.definition !== undefined ? usesOf(whole, level.definition) : 0}
            unique={commands.get("subgraph.unique.shown")}
          />
          <Palette
            shared={shared}
            graph={graph}
            library={library}
            onPlaced={(node) => {
              setSelection(selectionOf({ nodes: [node] }));
              panels.open("inspector");
            }}
          />
          <ConnectDialog shared={shared} graph={graph} library={library} onSelect={setSelection} />
          <ToolColumn commands={commands} />
          {shown === "find" && (
            <FindBar
              graph={graph}
              library={library}
              issues={shownIssues}
              onJump={jump}
              onSelect={(found) => setSelection(selectionOf({ nodes: found }))}
              onClose={close}
            />
          )}
          <LookDialog />
          <Said />
          {graph.nodes.length === 0 && <EmptyCanvas onAdd={palette.add} />}
          <Questions graph={whole ?? graph} />
          <RunBar
            graph={whole ?? graph}
            library={library}
            notRunning={runs.notRunning}
            onCancel={runs.cancel}
            onRunWith={runs.runWith}
            onRetry={runs.retry}
          />
        </CanvasMenu>
      ) : (
        <div className="canvas">
          <div className="skeleton of-canvas" />
        </div>
      )}
      <aside
        className={`inspector${selectedNode || edge || isRunFormOpen ? " open" : ""}`}
        aria-label="Inspector"
        onKeyDown={({ key, target, defaultPrevented, nativeEvent }) => {
          if (defaultPrevented || nativeEvent.isComposing) return;
          // Enter in the title leaves it.
          const isLeft = key === "Enter" && document.activeElement === document.body;
          if (isLeft || (key === "Escape" && isField(target))) focusCanvas();
        }}
      >
        <button
          type="button"
          className="button icon quiet inspector-close"
          aria-label="Close the inspector"
          onClick={() => {
            setSelection(NOTHING);
            setRunFormOpen(false);
          }}
        >
          <X size={16} />
        </button>
        {selectedNode && shared && graph ? (
          <NodeInspector
            sheet={shared.sheet}
            graph={graph}
            library={library}
            issues={shownIssues}
            id={selectedNode}
            parts={menuItems(commands.of("part"))}
            about={copy && <LinkedCopy copy={copy} {...copyCommands(commands)} />}
          />
        ) : chosen.length > 1 && shared && graph ? (
          <NodesInspector
            key={chosen.join(" ")}
            shared={shared}
            graph={graph}
            library={library}
            ids={chosen}
            order={commands.of("align")}
          />
        ) : edge && shared && graph ? (
          <EdgeInspector sheet={shared.sheet} graph={graph} library={library} id={edge} />
        ) : (
          <RunInputsForm inputs={inputs} values={runs.values} onChange={runs.setValue} failed={runs.failed} />
        )}
      </aside>
      {shown === "plan" && whole && <PlanDialog id={id} graph={whole} values={givenValues(inputs, runs.values)} onClose={close} />}
      {shown === "offer" && graph && <OfferDialog graph={graph} library={library} node={selectedNode ?? ""} onClose={close} />}
      {shown === "engines" && <EnginesDialog onClose={close} />}
      {updatedCopy?.newer && opened && whole && (
        <UpdateDialog shared={opened} whole={whole} library={library} copy={updatedCopy} onClose={() => showUpdate(undefined)} />
      )}
      {shown === "shortcuts" && <Shortcuts commands={commands.list} onClose={close} />}
      {shown === "commands" && graph && (
        <CommandBar commands={commands.list} graph={graph} library={library} onAdd={add} onJump={jump} onClose={close} />
      )}
      {opened && whole && (
        <BottomPanel
          shared={opened}
          graph={whole}
          library={library}
          issues={issues}
          definition={level.definition}
          onJump={jumpOut}
          onShow={showIssue}
        />
      )}
      <PanelEdges panels={panels} />
    </div>
  );
}

/** Why no run of the graph can be planned; undefined if one can. */
function whyNoPlan(graph: Graph | undefined, loaded: boolean, issues: readonly Issue[]): string | undefined {
  if (!graph || !loaded) return "The graph is loading.";
  if (graph.nodes.length === 0) return "The graph is empty.";
  return hasErrors(issues) ? "The graph has problems: see the list below." : undefined;
}

/** What a node of the run that is looked at gave. */
const outputsOf = (node: string): object | undefined => shownRuns().nodes[node]?.output ?? undefined;

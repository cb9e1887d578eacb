// Everything on the canvas page, put together.

import { useNavigate } from "@remix-run/react";
import { definer, edgeId, enginesNotLive, hasErrors, type NodeDefinition, runInputs, validate } from "@spindle/graph-model";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useReactFlow } from "@xyflow/react";
import { useEffect, useMemo, useState } from "react";
import { Canvas, place } from "../canvas/canvas";
import { EdgeInspector } from "../inspector/edge-inspector";
import { NodeInspector } from "../inspector/node-inspector";
import { missingInput, RunInputsForm, useRunValues } from "../inspector/run-inputs";
import { LibraryPanel } from "../library/library-panel";
import { BottomPanel } from "../run/bottom-panel";
import { PlanDialog } from "../run/plan-dialog";
import { Questions } from "../run/questions";
import { RunBar } from "../run/run-bar";
import { toastError } from "../ui/toast";
import { EditorTop } from "./editor-top";
import { graphTextOf } from "./files";
import { useTRPC, useTRPCClient } from "./provider";
import { useRunStore } from "./run-store";
import type { RunOptions } from "./types";
import { useDocument } from "./use-document";
import { useLibrary } from "./use-library";
import { useRun } from "./use-run";

const NO_ISSUES: never[] = [];

export function GraphEditor({ id }: { id: string }) {
  const trpc = useTRPC();
  const api = useTRPCClient();
  const client = useQueryClient();
  const navigate = useNavigate();
  const flow = useReactFlow();
  const about = useQuery(trpc.graphs.get.queryOptions({ id }));
  const shared = useDocument(id);
  const { library, loaded, trouble } = useLibrary();
  const [selected, setSelected] = useState<string>();
  const [selectedEdge, setSelectedEdge] = useState<string>();
  const [focus, setFocus] = useState<{ id: string; at: number }>();
  const [failed, setFailed] = useState<{ name: string; message: string }>();
  const [values, setValue] = useRunValues(id);
  const [planning, setPlanning] = useState(false);
  const [runId, follow] = useFollowedRun(id);
  useRun(runId);

  const graph = shared?.graph;
  const issues = useMemo(
    () => (graph && loaded && graph.nodes.length > 0 ? [...validate(graph, library), ...(shared?.issues ?? [])] : NO_ISSUES),
    [graph, library, loaded, shared?.issues],
  );
  const [notLive] = useMemo(() => (graph && loaded ? enginesNotLive(graph, library) : []), [graph, library, loaded]);
  const inputs = useMemo(() => (graph && loaded ? runInputs(graph, definer(graph, library)) : []), [graph, library, loaded]);
  const given = Object.fromEntries(inputs.flatMap((one) => (values[one.name] === undefined ? [] : [[one.name, values[one.name]]])));
  const jump = (node: string) => {
    setFocus({ id: node, at: Date.now() });
    setSelected(node);
  };

  const start = async (options?: RunOptions) => {
    const missing = missingInput(inputs, values);
    if (missing) {
      setSelected(undefined);
      return setFailed({ name: missing.name, message: `${missing.label} is needed.` });
    }
    try {
      setFailed(undefined);
      const started = await api.runs.start.mutate({
        graphId: id,
        inputs: given,
        ...(options ? { options } : {}),
      });
      follow(started);
      await client.invalidateQueries({ queryKey: trpc.runs.list.queryKey() });
    } catch (error) {
      const field = (error as { data?: { refused?: { field?: string } } }).data?.refused?.field;
      if (field) setFailed({ name: field, message: (error as Error).message });
      if (field) setSelected(undefined);
      else toastError(error);
    }
  };
  const open = async (file: File) => {
    try {
      navigate(
        `/g/${await api.graphs.import.mutate({ text: await graphTextOf(file), name: file.name.replace(/\.[^.]+$/, "") || "Imported graph" })}`,
      );
    } catch (error) {
      toastError(error);
    }
  };
  const add = (definition: NodeDefinition) => {
    if (!shared) return;
    const box = document.querySelector("[data-testid=canvas]")?.getBoundingClientRect();
    const middle = flow.screenToFlowPosition({ x: (box?.left ?? 0) + (box?.width ?? 0) / 2, y: (box?.top ?? 0) + (box?.height ?? 0) / 3 });
    jump(place(shared.doc, definition, middle));
  };

  if (about.error)
    return (
      <main className="empty-page">
        <h1>There is no such graph</h1>
        <a className="btn l" href="/">
          Back to your graphs
        </a>
      </main>
    );
  const selectedNode = graph?.nodes.some((node) => node.id === selected) ? selected : undefined;
  const edge = !selectedNode && graph?.edges.some((one, index) => edgeId(one, index) === selectedEdge) ? selectedEdge : undefined;
  return (
    <div className="app">
      <EditorTop
        id={id}
        name={about.data?.name ?? ""}
        shared={shared}
        library={library}
        canRun={loaded && issues !== NO_ISSUES && !hasErrors(issues)}
        notLive={notLive?.issue.message}
        onRun={(options) => void start(options)}
        onPlan={() => setPlanning(true)}
        onOpenFile={(file) => void open(file)}
      />
      <LibraryPanel library={library} loaded={loaded} trouble={trouble} onAdd={add} />
      {shared?.synced && graph && loaded ? (
        <div className="canvas-area">
          {!shared.online && (
            <div className="banner" role="status">
              Offline. Your edits are kept and merge when you are back
            </div>
          )}
          <Canvas
            doc={shared.doc}
            graph={graph}
            issues={issues}
            library={library}
            selected={selectedNode}
            onSelect={setSelected}
            onSelectEdge={setSelectedEdge}
            onDropFile={(file) => void open(file)}
            focus={focus}
          />
          {graph.nodes.length === 0 && <EmptyCanvas />}
          <Questions graph={graph} />
          <RunBar
            graph={graph}
            onCancel={() => runId && void api.runs.cancel.mutate({ id: runId }).catch(toastError)}
            onRetry={(node) => runId && void api.runs.fork.mutate({ id: runId, node }).then(follow, toastError)}
          />
        </div>
      ) : (
        <div className="canvas">
          <div className="skeleton" style={{ position: "absolute", inset: "30% 35%" }} />
        </div>
      )}
      <aside className={`insp${selectedNode || edge ? " open" : ""}`} aria-label="Inspector">
        {selectedNode && shared && graph ? (
          <NodeInspector
            doc={shared.doc}
            graph={graph}
            library={library}
            id={selectedNode}
            onRun={(of) => void start({ part: { of, node: selectedNode } })}
          />
        ) : edge && shared && graph ? (
          <EdgeInspector doc={shared.doc} graph={graph} library={library} id={edge} />
        ) : (
          <RunInputsForm
            inputs={inputs}
            values={values}
            onChange={(name, value) => (setFailed(undefined), setValue(name, value))}
            failed={failed}
          />
        )}
      </aside>
      {planning && graph && <PlanDialog id={id} graph={graph} values={given} onClose={() => setPlanning(false)} />}
      {graph && <BottomPanel graph={graph} issues={issues} onJump={jump} />}
    </div>
  );
}

/** The newest run of the graph, whoever started it: everybody sees the same one. One's own is followed at once. */
function useFollowedRun(graphId: string): [string | undefined, (run: string) => void] {
  const trpc = useTRPC();
  const [own, setOwn] = useState<string>();
  const { data } = useQuery({ ...trpc.runs.list.queryOptions({ graphId, take: 1 }), refetchInterval: 1500 });
  const newest = data?.[0]?.id;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a newer run than one's own takes over when the list names it
  useEffect(() => setOwn(undefined), [newest]);
  useEffect(() => () => useRunStore.getState().clear(), []);
  return [own ?? newest, setOwn];
}

function EmptyCanvas() {
  return (
    <div className="canvas-empty">
      <p>
        Press <kbd>/</kbd> to find a node, drag one in, or start from a template
      </p>
      <a className="btn l" href="/templates">
        Open the templates
      </a>
    </div>
  );
}

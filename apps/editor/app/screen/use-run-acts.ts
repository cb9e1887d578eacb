// What a person does with runs of the graph: start one, see what it would do, end it, try again.
import { type Library, type LibraryEngine, nodeSettings, type Resolved, type RunInput } from "@spindle/graph-model";
import { setSetting, sheetGraph } from "@spindle/graph-model/shared-doc";
import type { RunOptions } from "@spindle/schemas";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { moveSeeds } from "../canvas/seeds";
import { type InputValues, missingInput, useRunValues } from "../inspector/run-inputs";
import { useTRPC, useTRPCClient } from "../session/provider";
import { flushTyping } from "../session/typing";
import { asOwnStep, type DocumentState, ME } from "../session/use-document";
import { useFollowedRun } from "../session/use-followed-run";
import { useRun } from "../session/use-run";
import { toast, toastError } from "../ui/toast";

interface Shown {
  showPlan(): void;
  /** Shows the form with what the run asks for. */
  showForm(): void;
  closeForm(): void;
}

export function useRunActs(
  id: string,
  shared: DocumentState | undefined,
  library: Library,
  resolveNext: (graph: DocumentState["graph"]) => Resolved,
  { showPlan, showForm, closeForm }: Shown,
) {
  const trpc = useTRPC();
  const api = useTRPCClient();
  const client = useQueryClient();
  const { id: runId, notRunning, follow } = useFollowedRun(id);
  useRun(runId);
  const [failed, setFailed] = useState<{ name: string; message: string }>();
  const [values, setValue, latestValues] = useRunValues(id);
  const askFor = (name: string, message: string) => {
    showForm();
    setFailed({ name, message });
  };

  const start = async (options?: RunOptions) => {
    if (!shared) return;
    // The run reads the server's document, so what is being typed is stored first.
    flushTyping();
    const now = resolveNext(sheetGraph(shared.sheet)).root.inputs;
    const missing = missingInput(now, latestValues());
    if (missing) return askFor(missing.name, `${missing.label} is needed.`);
    if (!shared.online) return toast("bad", "Offline: a run needs the server. Press Run again when you are back.");
    try {
      setFailed(undefined);
      closeForm();
      asOwnStep(shared, () => moveSeeds(shared.sheet, sheetGraph(shared.sheet), library, options?.part));
      await shared.stored();
      const started = await api.runs.start.mutate({
        graphId: id,
        inputs: givenValues(now, latestValues()),
        ...(options ? { options } : {}),
      });
      follow(started);
      await client.invalidateQueries({ queryKey: trpc.runs.list.queryKey() });
    } catch (error) {
      const field = (error as { data?: { refused?: { field?: string } } }).data?.refused?.field;
      if (field) askFor(field, (error as Error).message);
      else toastError(error);
    }
  };
  /** The plan is of the server's document, so what is being typed is stored first. */
  const plan = async () => {
    flushTyping();
    try {
      await shared?.stored();
      showPlan();
    } catch (error) {
      toastError(error);
    }
  };
  const cancel = () => runId && void api.runs.cancel.mutate({ id: runId }).catch(toastError);
  const runWith = (engines: ReadonlyMap<string, LibraryEngine>, versions: ReadonlyMap<string, string>) => {
    if (!shared) return;
    const graph = sheetGraph(shared.sheet);
    const named = [...versions].filter(([node]) => nodeSettings(graph, node).version !== undefined);
    const choose = () => {
      for (const [node, engine] of engines) setSetting(shared.sheet, ME, node, "engine", engine.id);
      for (const [node, version] of named) setSetting(shared.sheet, ME, node, "version", version); // the others follow the library
    };
    asOwnStep(shared, () => shared.sheet.transact(choose, ME));
    cancel();
    void start();
  };
  return {
    notRunning,
    follow,
    /** What a run would be given now. */
    given: () => (shared ? givenValues(resolveNext(sheetGraph(shared.sheet)).root.inputs, latestValues()) : {}),
    values,
    setValue: (name: string, value: unknown) => {
      setFailed(undefined);
      setValue(name, value);
    },
    /** The input for which the last run was refused. */
    failed,
    start,
    plan,
    cancel,
    runWith,
    retry: (node: string) => runId && void api.runs.fork.mutate({ id: runId, node }).then(follow, toastError),
    forget: () => void api.runs.clearCache.mutate({ graphId: id }).then((count) => toast("info", forgotten(count)), toastError),
  };
}

const forgotten = (count: number): string =>
  count === 1 ? "1 result is forgotten; the next run makes it again." : `${count} results are forgotten; the next run makes them again.`;

/** The values kept in this browser, without those of inputs that the graph does not have. */
export const givenValues = (inputs: readonly RunInput[], values: InputValues): InputValues =>
  Object.fromEntries(inputs.flatMap((input) => (values[input.name] === undefined ? [] : [[input.name, values[input.name]]])));

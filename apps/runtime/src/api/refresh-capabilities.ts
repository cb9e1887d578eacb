// DESIGN M3: the seed's small hybrid graph, Python's manifest and then the merge, for at most two seconds.
import { type Graph, readGraph } from "@spindle/graph-model";
import { type CombinedManifest, isEndedRunState, validateCombinedManifest } from "@spindle/schemas";
import type { Services } from "../services/services.ts";

const LIMIT_MS = 2000;
const node = (id: string, plane: string) => ({ id, service: "info.get_capabilities", plane, status: "pending" });
const GRAPH = {
  schema: "langgraph.v1",
  workflowId: "capabilities",
  nodes: [node("worker_caps", "python"), node("merge", "node")],
  edges: [{ from: "worker_caps", to: "merge" }],
};

/** The fresh manifest; what is known already if the workers do not answer in time. */
export async function refreshCapabilities({ runs, library, record }: Services): Promise<CombinedManifest> {
  if (!library.workersLive) return library.manifest();
  const run = await runs.start(readGraph(GRAPH).graph as Graph, {}, { title: "Refresh capabilities" });
  const ended = new Promise<void>((resolve) => {
    const resolveIfEnded = async () => {
      const { state } = await runs.status(run);
      if (isEndedRunState(state)) resolve();
    };
    record.changed.on(run, () => void resolveIfEnded().catch(() => {}));
    void resolveIfEnded();
  });
  await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, LIMIT_MS))]);
  record.changed.removeAllListeners(run);
  const { state, nodes } = await runs.get(run);
  if (state !== "succeeded") await runs.cancel(run);
  const merged = nodes.find((nodeRun) => nodeRun.node === "merge")?.output;
  const { sources } = library.manifest();
  const answer = { generatedAt: merged?.generatedAt, capabilities: merged?.capabilities, sources };
  return validateCombinedManifest(answer) ? answer : library.manifest();
}

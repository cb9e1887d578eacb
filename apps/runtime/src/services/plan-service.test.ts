import type { Graph, Library, NodeDefinition, Port } from "@spindle/graph-model";
import type { Blueprint } from "@spindle/schemas";
import { expect, test } from "vitest";
import { PlanService } from "./plan-service.ts";

const blueprint: Blueprint = {
  name: "talk",
  capability: "test.talk",
  label: "Talk",
  description: "",
  prompt: { save: { class_type: "Save", inputs: { seconds: 1 } } },
  set: { "save.seconds": "inputs.seconds" },
  gives: { video: { from: "save", pick: "video" } },
  limits: [{ holds: "inputs.seconds <= 60", otherwise: "At most 60 s can be said at once." }],
  models: [],
};
const engine = { id: "talk@one", label: "Talk", plane: "comfy", draft: false, live: true, blueprint } as const;
const port = (name: string, type: string): Port => ({ name, label: name, type, required: false, schema: {} });
const talk: NodeDefinition = {
  plane: "python",
  service: "test.talk",
  version: "1",
  label: "Talk",
  description: "",
  category: "Test",
  keywords: [],
  docs: "",
  inputs: [port("seconds", "number")],
  outputs: [port("video", "any")],
  parameters: [],
  engines: [engine],
  live: true,
  idempotent: true,
  timeoutSeconds: 60,
};
const library: Library = { find: (_, service) => (service === talk.service ? talk : undefined), all: () => [talk] };
const graphOf = (seconds: number): Graph =>
  ({
    schema: "langgraph.v1",
    workflowId: "w",
    nodes: [{ id: "t", name: "Speech", service: talk.service, plane: "python", status: "pending", params: { seconds } }],
    edges: [],
  }) as Graph;
const record = {
  results: { cached: async () => undefined, lastOf: async () => undefined, outputsOf: async () => new Map() },
  queue: { durations: async () => new Map<string, number>() },
};
const plan = (seconds: number) => new PlanService(record, () => library).plan(graphOf(seconds), {}, {});

test("[E12] a plan of a workflow whose limit does not hold is refused, with the node and the reason", async () => {
  await expect(plan(90)).rejects.toMatchObject({
    status: 422,
    message: "The graph cannot run: Speech: At most 60 s can be said at once.",
    details: { issues: [{ severity: "error", code: "node.user_error", place: { node: "t" } }] },
  });
  expect((await plan(30)).nodes).toMatchObject([{ node: "t", does: "runs" }]);
});

import { type Graph, type Library, type NodeDefinition, portsOf, validate } from "@spindle/graph-model";
import { describe, expect, it } from "vitest";
import { problemsOf } from "./problems";

const HEAR = {
  plane: "node",
  service: "hear",
  version: "1.0.0",
  label: "Hear",
  inputs: portsOf({ properties: { text: { type: "string", maxLength: 3 }, asked: { type: "string" } }, required: ["asked"] }),
  outputs: [],
  parameters: [
    { name: "level", required: false, schema: { type: "integer", maximum: 10 } },
    { name: "name", required: true, schema: { type: "string" } },
  ],
  engines: [{ id: "plain", label: "Plain", plane: "node", draft: false, live: true }],
  timeoutSeconds: 0,
  live: true,
} as unknown as NodeDefinition;
const library: Library = { find: (_, service) => (service === "hear" ? HEAR : undefined), all: () => [HEAR] };

const node = (id: string, params: object) => ({ id, service: "hear", plane: "node", status: "pending", params });
function issuesOf(params: object, settings: object = {}, definitions: object = {}) {
  const nodes = [node("a", params), node("b", { level: 99 })];
  const graph = { schema: "langgraph.v1", workflowId: "w", nodes, edges: [], metadata: { nodes: { a: settings }, definitions } };
  return validate(graph as unknown as Graph, library);
}
const problems = (params: object, settings: object = {}) => problemsOf("a", issuesOf(params, settings));

describe("a field of the inspector", () => {
  it("says what is wrong with its parameter, its input or its setting, of this node alone", () => {
    const { values, settings } = problems({ level: 11, text: "long" }, { timeoutSeconds: 0 });
    expect(values.get("level")).toMatch(/11/);
    expect(values.get("text")).toBe("At most 3 characters; this has 4.");
    expect(settings.get("timeoutSeconds")).toMatch(/seconds from 1 to 604,800.* Correct it/);
    expect(problems({ level: 5, text: "ok" }, { timeoutSeconds: 5 })).toEqual({ values: new Map(), settings: new Map() });
  });

  it("keeps a parameter apart from a setting of the same name", () => {
    const { values, settings } = problems({ timeoutSeconds: 1 }, { timeoutSeconds: 0 });
    expect(values.get("timeoutSeconds")).toMatch(/no parameter "timeoutSeconds"/);
    expect(settings.get("timeoutSeconds")).toMatch(/number of seconds/);
  });

  it("is not told that it is still empty", () => {
    expect(problems({}).values.size).toBe(0);
  });

  it("is told nothing of a node with the same id inside a definition", () => {
    const issues = issuesOf({ level: 5, text: "ok" }, {}, { inner: { nodes: [node("a", { level: 11 })], edges: [] } });
    expect(issues).toContainEqual(expect.objectContaining({ place: expect.objectContaining({ definition: "inner", port: "level" }) }));
    expect(problemsOf("a", issues).values.size).toBe(0);
  });

  it("is not marked for what is only said of it: that the run asks for its value", () => {
    const issues = issuesOf({ level: 5 });
    expect(issues).toContainEqual(expect.objectContaining({ severity: "info", place: { node: "a", port: "asked" } }));
    expect(problemsOf("a", issues).values.size).toBe(0);
  });
});

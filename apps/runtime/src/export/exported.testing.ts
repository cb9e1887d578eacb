// What the tests of exported programs share: a folder in which a program finds its libraries and nothing of Spindle, and the run engine
// with the same services.
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Graph, type Library, type NodeDefinition, type Port, resolve } from "@spindle/graph-model";
import { RunExecution } from "../engine/execution.ts";
import { freezeNodes } from "../engine/freeze.ts";
import type { InRun } from "../engine/node-plane.ts";
import { runOutputs } from "../engine/outputs.ts";
import { MemoryRecord } from "../record/memory-record.testing.ts";
import type { NodeRunRow } from "../record/node-run.ts";
import type { RunRow } from "../record/types.ts";
import type { ServiceTable } from "./prelude.ts";
import { exportTypeScript } from "./typescript.ts";

type Values = Record<string, unknown>;
interface Outcome {
  status: string;
  outputs: Values;
  states: Record<string, string>;
}
/** A program as the tests see it; that its own types hold is what the compiler says (typescript.test.ts). */
export interface Exported {
  run(services: ServiceTable, inputs?: Values, more?: { answer?: (question: never) => unknown }): Promise<Outcome>;
  // biome-ignore lint/suspicious/noExplicitAny: LangGraph's own type, whose nodes are those of the graph
  graph: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  compile(options?: object): any;
  outcome(state: unknown): Outcome;
}

const root = new URL("../../../../", import.meta.url);
/** By package, where the repository has it. */
const PACKAGES: Readonly<Record<string, string>> = {
  "@langchain": "apps/runtime/node_modules/@langchain",
  "@bufbuild": "packages/graph-model/node_modules/@bufbuild",
  "@cfworker": "packages/graph-model/node_modules/@cfworker",
  "@types/mustache": "apps/runtime/node_modules/@types/mustache",
  "@types/node": "node_modules/@types/node",
  mustache: "apps/runtime/node_modules/mustache",
};

/** A folder for exported programs. */
export class ProgramFolder {
  private count = 0;
  private constructor(readonly path: string) {}

  static async make(): Promise<ProgramFolder> {
    const path = await mkdtemp(join(tmpdir(), "spindle-export-"));
    for (const [name, place] of Object.entries(PACKAGES)) {
      const link = join(path, "node_modules", name);
      await mkdir(dirname(link), { recursive: true });
      await symlink(fileURLToPath(new URL(place, root)), link);
    }
    await writeFile(join(path, "package.json"), '{"type":"module"}');
    return new ProgramFolder(path);
  }

  async write(graph: Graph, library: Library): Promise<string> {
    const file = join(this.path, `graph${this.count++}.ts`);
    await writeFile(file, exportTypeScript(graph, library));
    return file;
  }

  async load(graph: Graph, library: Library): Promise<Exported> {
    return (await import(await this.write(graph, library))) as Exported;
  }

  remove(): Promise<void> {
    return rm(this.path, { recursive: true, force: true });
  }
}

/** What the run engine makes of a graph whose nodes are functions. */
export async function inSpindle(graph: Graph, library: Library, services: ServiceTable, inputs: Values = {}) {
  const record = new MemoryRecord();
  const nodePlane = {
    run: async (row: NodeRunRow, { input }: { input: Values }, { change }: InRun) => {
      const about = { nodeRun: row.id, fence: row.fence };
      try {
        const output = await services[row.service]?.(input, { node: row.node_id, path: row.path }, {});
        return (await change({ ...about, change: "succeedHere", output: output ?? {} })) !== undefined;
      } catch (cause) {
        const error = { class: "user" as const, code: "node.exception", message: (cause as Error).message };
        return (await change({ ...about, change: "failHere", error })) !== undefined;
      }
    },
  };
  const engines = freezeNodes(graph, library);
  const owned = { id: "r", state: "running", inputs, engines, options: {}, fence: 0, cancel_requested: false } as unknown as RunRow;
  const parts = { nodes: record, results: record, nodePlane, workers: {} as never, decisions: {} as never } as never;
  const execution = new RunExecution(parts, owned, resolve(graph, library), []);
  await execution.drive();
  return {
    rows: [...record.rows.values()],
    states: Object.fromEntries([...record.rows.values()].map((row) => [row.path, row.state])),
    outputs: runOutputs(execution.root.level, (id) => execution.root.lookup(id)?.output ?? undefined),
  };
}

export const port = (name: string, more: Partial<Port> = {}): Port =>
  ({ name, label: name, type: "any", required: false, schema: {}, ...more }) as Port;

export const service = (
  name: string,
  inputs: Port[],
  outputs: Port[],
  more: Partial<Pick<NodeDefinition, "parameters" | "human">> = {},
): NodeDefinition =>
  ({
    plane: "node",
    service: name,
    version: "1",
    label: name,
    inputs,
    outputs,
    parameters: [],
    idempotent: true,
    live: true,
    timeoutSeconds: 0,
    engines: [{ id: "default", label: "", plane: "node", draft: false, live: true }],
    ...more,
  }) as unknown as NodeDefinition;

export const programLibrary = (all: readonly NodeDefinition[]): Library => ({
  find: (_, name) => all.find((definition) => definition.service === name),
  all: () => all,
});

export const programNode = (id: string, name: string, params?: object) => ({
  id,
  service: name,
  plane: "node",
  status: "pending",
  ...(params ? { params } : {}),
});
export const wire = (from: string, sourcePort: string, to: string, targetPort: string, more: object = {}) => ({
  from,
  to,
  metadata: { sourcePort, targetPort, ...more },
});
export const programGraph = (nodes: object[], edges: object[], more: object = {}) =>
  ({ schema: "langgraph.v1", workflowId: "a graph", nodes, edges, ...more }) as unknown as Graph;

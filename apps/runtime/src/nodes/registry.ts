// Finds every `*.node.ts` beside this file. Nothing else knows which capabilities there are.
import { readdir } from "node:fs/promises";
import type { Capability, PlaneManifest } from "@spindle/schemas";
import type { Config } from "../config.ts";
import type { NodeCapability } from "./capability.ts";

export class NodeRegistry {
  private constructor(
    private readonly byId: ReadonlyMap<string, NodeCapability>,
    private readonly files: ReadonlyMap<NodeCapability, string>,
  ) {}

  static async load(folder: URL = new URL("./", import.meta.url)): Promise<NodeRegistry> {
    const files = (await readdir(folder)).filter((name) => name.endsWith(".node.ts")).sort();
    const loaded = await Promise.all(
      files.map(async (name) => ((await import(new URL(name, folder).href)) as { default: NodeCapability }).default),
    );
    const byId = new Map(loaded.map((one) => [one.id, one]));
    if (byId.size !== loaded.length) throw new Error("Two files define the same node-plane capability.");
    return new NodeRegistry(byId, new Map(loaded.map((one, index) => [one, files[index] as string])));
  }

  find(id: string): NodeCapability | undefined {
    return this.byId.get(id);
  }

  /** @param models where to look for live engines; absent: nothing is asked, and what depends on the outside is not live */
  async manifest(models: Config["models"] | undefined, now: Date): Promise<PlaneManifest> {
    const capabilities = await Promise.all([...this.byId.values()].map((one) => entry(one, this.files.get(one) as string, models)));
    return { generatedAt: now.toISOString(), capabilities };
  }
}

async function entry(declared: NodeCapability, file: string, models: Config["models"] | undefined): Promise<Capability> {
  const engines = await Promise.all(
    (declared.engines ?? [{ id: "default", label: "Built in", draft: false }]).map(async ({ whyNot, ...engine }) => {
      const reason = whyNot ? (models ? await whyNot(models) : "Not asked.") : undefined;
      return { ...engine, plane: "node" as const, live: reason === undefined, ...(reason ? { reason } : {}) };
    }),
  );
  return {
    id: declared.id,
    label: declared.label,
    description: declared.description,
    version: declared.version,
    plane: "node",
    runtime: {
      kind: "cpu",
      concurrency: 8,
      timeoutSeconds: declared.human ? 0 : (declared.timeoutSeconds ?? 120),
      ...(declared.human ? { human: true } : {}),
      ...(declared.instant ? { instant: true } : {}),
    },
    handler: { module: `apps/runtime/src/nodes/${file}`, method: "run" },
    io: { input: declared.input, output: declared.output },
    parameters: [...(declared.parameters ?? [])],
    examples: declared.examples ?? [],
    telemetry: { emitsProgressEvents: true, metrics: [] },
    security: { requiresSecrets: false },
    contracts: { idempotent: declared.idempotent, sideEffects: declared.sideEffects ?? "none" },
    category: declared.category,
    keywords: declared.keywords ?? [],
    docs: declared.docs ?? declared.description,
    engines,
  };
}

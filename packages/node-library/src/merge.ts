// DESIGN M2: all planes' manifests as one; a capability whose workers are gone stays, marked offline.
import type { Capability, CombinedManifest, PlaneManifest } from "@spindle/schemas";

export interface PlaneReport {
  manifest: PlaneManifest;
  live: boolean;
  /** What is wrong with it, beside what each engine says of itself. */
  reason?: string | undefined;
}

export function mergeManifests(planes: { node: PlaneReport; python: PlaneReport; comfy?: PlaneReport }, now: Date): CombinedManifest {
  const marked = (report: PlaneReport | undefined): Capability[] =>
    (report?.manifest.capabilities ?? []).map((one) => ({
      ...one,
      // The bridge may be there and ComfyUI not.
      live: report?.live === true && (one.plane !== "comfy" || one.engines?.some((engine) => engine.live) === true),
      engines: one.engines?.map((engine) => (report?.live ? engine : { ...engine, live: false, reason: "No worker has reported yet." })),
    }));
  const [node, python, comfy] = [marked(planes.node), marked(planes.python), marked(planes.comfy)];
  return {
    generatedAt: now.toISOString(),
    capabilities: [...node, ...python, ...comfy],
    sources: {
      control: { plane: "node", number: node.length },
      worker: { plane: "python", number: python.length },
      ...(planes.comfy
        ? { comfy: { plane: "comfy" as const, number: comfy.length, ...(planes.comfy.reason ? { reason: planes.comfy.reason } : {}) } }
        : {}),
    },
  };
}

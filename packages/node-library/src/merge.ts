// DESIGN M2: all planes' manifests as one; a capability whose workers are gone stays, marked offline.
import type { Capability, CombinedManifest, PlaneManifest } from "@spindle/schemas";

export interface PlaneReport {
  manifest: PlaneManifest;
  live: boolean;
  /** What is wrong with it, beside what each engine says of itself. */
  reason?: string | undefined;
}

/**
 * What the workers of one plane offer together, by the order of their names. Of a capability that several have, the newest version's entry
 * stands, with every engine that one of them has; an engine is live where one of them can run it.
 */
export function joinManifests(workers: readonly PlaneManifest[]): PlaneManifest {
  const joined = new Map<string, Capability>();
  for (const { capabilities } of workers)
    for (const one of capabilities) {
      const known = joined.get(one.id);
      const [first, second] = known && known.version >= one.version ? [known, one] : [one, known];
      joined.set(one.id, second ? { ...first, engines: joinEngines(first.engines, second.engines) } : one);
    }
  const generatedAt = workers.map((one) => one.generatedAt).sort();
  return { generatedAt: generatedAt.at(-1) ?? new Date(0).toISOString(), capabilities: [...joined.values()] };
}

type Engines = NonNullable<Capability["engines"]>;

function joinEngines(first: Engines = [], second: Engines = []): Engines {
  const better = (one: Engines[number]) => (one.live ? undefined : second.find(({ id, live }) => id === one.id && live)) ?? one;
  return [...first.map(better), ...second.filter(({ id }) => !first.some((one) => one.id === id))];
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

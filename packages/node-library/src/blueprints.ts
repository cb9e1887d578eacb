// Workflows of templates/comfy as engines: one for each connected ComfyUI, live where the server has all that it needs.
import { asListed, blueprintEngine, type ServerNode, whyNotThere } from "@spindle/graph-model";
import type { Blueprint, Capability } from "@spindle/schemas";
import { choicesIn, type Properties } from "@spindle/schemas/file-lists";

type Engine = NonNullable<Capability["engines"]>[number];

/** Blueprints come before draft engines: a model that runs is better than a stand-in for it. */
export function withBlueprints(capabilities: readonly Capability[], blueprints: readonly Blueprint[]): Capability[] {
  const comfy = new Map(capabilities.filter((capability) => capability.plane === "comfy").map((capability) => [capability.id, capability]));
  const servers = new Map(
    [...comfy.values()].flatMap((capability) => (capability.engines ?? []).map((engine) => [engine.id, engine] as const)),
  );
  if (servers.size === 0) return [...capabilities];
  return capabilities.map((capability) => {
    const own = blueprints.filter(
      (blueprint) => blueprint.capability === capability.id && capability.plane === (blueprint.plane ?? "python"),
    );
    if (own.length === 0) return capability;
    const made = own.flatMap((blueprint) => [...servers.values()].map((server) => engineOf(blueprint, server, comfy)));
    const all = capability.engines ?? [];
    return { ...capability, engines: [...all.filter((engine) => !engine.draft), ...made, ...all.filter((engine) => engine.draft)] };
  });
}

function engineOf(blueprint: Blueprint, server: Engine, comfy: ReadonlyMap<string, Capability>): Engine {
  const node: ServerNode = (service) => {
    const found = comfy.get(service);
    if (!found?.engines?.some((engine) => engine.id === server.id)) return undefined;
    const inputs = (found.io.input.properties ?? {}) as Properties;
    const isHere = (input: string) => (file: unknown) => inputs[input]?.["x-on"]?.[String(file)]?.includes(server.id) !== false;
    return { files: (input) => choicesIn(inputs[input])?.filter(isHere(input)) };
  };
  const reason = server.live ? whyNotThere(blueprint, node) : server.reason;
  return {
    id: blueprintEngine(blueprint.name, server.id),
    label: `${blueprint.label} on ${server.label}`,
    description: blueprint.description,
    plane: "comfy",
    draft: false,
    live: reason === undefined,
    ...licenceOf(blueprint),
    blueprint: { ...asListed(blueprint, node) },
    ...(reason === undefined ? {} : { reason }),
  };
}

/** Of the model files together: the strictest one decides on commercial use. */
function licenceOf({ models }: Blueprint): Pick<Engine, "licence" | "commercial"> {
  const licence = [...new Set(models.map((model) => model.licence))].join(", ");
  return licence === "" ? {} : { licence, commercial: models.every((model) => model.commercial !== false) };
}

/** Where Spindle is used commercially, automatic choice leaves out the engines whose licence forbids that; who names one still gets it. */
export function withoutNonCommercial(capabilities: readonly Capability[]): Capability[] {
  const leftOut = (engine: Engine): Engine => ({
    ...engine,
    auto: false,
    reason: engine.reason ?? `Its licence (${engine.licence}) does not allow commercial use; name it to use it all the same.`,
  });
  return capabilities.map((capability) => ({
    ...capability,
    ...(capability.engines
      ? { engines: capability.engines.map((engine) => (engine.commercial === false ? leftOut(engine) : engine)) }
      : {}),
  }));
}

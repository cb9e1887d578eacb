// A manifest entry (DESIGN M1) -> the definition that canvas, inspector and validator read.
import type { Example, LibraryEngine, NodeDefinition, Parameter, Plane } from "@spindle/graph-model";
import { isObject, portsOf, record } from "@spindle/graph-model";
import { type Capability, validateBlueprint } from "@spindle/schemas";

type Schema = Record<string, unknown>;

export function define(capability: Capability): NodeDefinition {
  const plane = capability.plane as Plane;
  const live = capability.live !== false;
  // The parts are worked out when they are first read: a ComfyUI has thousands of nodes, and a graph uses twenty of them.
  const inputs = once(() => portsOf(capability.io.input));
  const outputs = once(() => portsOf(capability.io.output));
  const parameters = once(() =>
    (capability.parameters ?? []).filter((one) => !inputs().some((port) => port.name === one.name)).map(parameter),
  );
  return {
    plane,
    service: capability.id,
    version: capability.version,
    label: capability.label,
    description: capability.description,
    category: capability.category ?? "Other",
    keywords: capability.keywords ?? [],
    docs: capability.docs ?? capability.description,
    examples: (capability.examples ?? []).flatMap(example),
    get inputs() {
      return inputs();
    },
    get outputs() {
      return outputs();
    },
    get parameters() {
      return parameters();
    },
    engines: (capability.engines ?? [{ id: "default", label: "Default", plane, draft: false, live }]).map(engineOf),
    live,
    idempotent: capability.contracts?.idempotent === true,
    ...(capability.runtime.instant === true ? { instant: true as const } : {}),
    ...(capability.runtime.human === true ? { human: true as const } : {}),
    ...(capability.deprecated ? { mark: "deprecated" as const } : capability.experimental ? { mark: "experimental" as const } : {}),
    timeoutSeconds: capability.runtime.timeoutSeconds ?? 0,
    ...(capability.runtime.stallSeconds ? { stallSeconds: capability.runtime.stallSeconds } : {}),
    ...(capability.runtime.kind === "gpu" ? { gpu: true as const } : {}),
  };
}

type Engine = NonNullable<Capability["engines"]>[number];

/** All classes of a ComfyUI server may have one and the same engine. */
const engines = new WeakMap<Engine, LibraryEngine>();

function engineOf(given: Engine): LibraryEngine {
  const known = engines.get(given);
  if (known) return known;
  const { blueprint, ...engine } = given;
  const made = { ...engine, plane: engine.plane as Plane, ...(blueprint && validateBlueprint(blueprint) ? { blueprint } : {}) };
  engines.set(given, made);
  return made;
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

function parameter(raw: NonNullable<Capability["parameters"]>[number]): Parameter {
  const schema: Schema = { type: raw.type, ...raw.schema, ...(raw.default !== undefined ? { default: raw.default } : {}) };
  return { name: raw.name, schema, required: raw.required === true, ...(raw.description ? { description: raw.description } : {}) };
}

/** An entry of another shape, which the seed allows, shows nothing that could be tried. */
function example(raw: unknown): Example[] {
  const { input, output } = record(raw);
  const isValues = (value: unknown): value is Record<string, unknown> => isObject(value) && Object.keys(value).length > 0;
  return isValues(input) ? [{ input, ...(isValues(output) ? { output } : {}) }] : [];
}

// What a page knows of every ComfyUI class before it needs the definition of one: enough to find it, and to see what it fits. Servers have
// classes by the ten thousand, and a graph uses twenty of them.
import { isObject, labelOf } from "@spindle/graph-model";
import type { Capability } from "@spindle/schemas";

/** One place in each list for each class: what is alike lies together, which halves what it costs on the wire. */
export interface LibraryIndex {
  ids: string[];
  /** 0: as the id. */
  labels: (string | 0)[];
  descriptions: string[];
  /** A place in `tables.categories`. */
  categories: number[];
  /** A place in `tables.keywords`. */
  keywords: number[];
  /** A place in `tables.servers`. */
  servers: number[];
  inputs: PackedPorts[];
  outputs: PackedPorts[];
  /** Places of what is deprecated, and of what is experimental. */
  deprecated: number[];
  experimental: number[];
  tables: {
    categories: string[];
    keywords: string[][];
    shapes: Schema[];
    /** The ids of the servers that have a class. */
    servers: string[][];
  };
}

/** Of each port its name, its label where that is not the name, and twice its place in `tables.shapes`, one more where it is required. */
type PackedPorts = (string | number)[];

type Schema = Record<string, unknown>;

/** Characters. Some packs put a whole page there. */
const MOST_OF_A_DESCRIPTION = 500;
/** All of a port's schema that decides what fits it. */
const OF_A_SHAPE = ["x-comfy-type", "x-artifact", "type", "x-inline", "x-advanced", "x-branch"];
/** Stands for the choices of an input, of which the index has none: no output of another plane gives it. */
const CHOICES = ["its own choices"];

export function makeIndex(capabilities: readonly Capability[]): LibraryIndex {
  const [categories, shapes] = [new Table<string>(), new Table<Schema>()];
  const [keywords, servers] = [new Table<string[]>(), new Table<string[]>()];
  const pack = (io: Schema): PackedPorts => {
    const required = new Set(Array.isArray(io.required) ? io.required : []);
    return Object.entries((io.properties ?? {}) as Record<string, Schema>).flatMap(([name, schema]) => {
      const label = labelOf(name, schema);
      return [name, ...(label === name ? [] : [label]), 2 * shapes.placeOf(shapeOf(schema)) + Number(required.has(name))];
    });
  };
  const where = (is: (capability: Capability) => unknown) => capabilities.flatMap((capability, at) => (is(capability) ? [at] : []));
  return {
    ids: capabilities.map(({ id }) => id),
    labels: capabilities.map(({ id, label }) => (label === id ? 0 : label)),
    descriptions: capabilities.map(({ description }) => description.slice(0, MOST_OF_A_DESCRIPTION)),
    categories: capabilities.map(({ category = "Other" }) => categories.placeOf(category)),
    keywords: capabilities.map((capability) => keywords.placeOf(capability.keywords ?? [])),
    servers: capabilities.map(({ engines = [] }) => servers.placeOf(engines.map(({ id }) => id))),
    inputs: capabilities.map(({ io }) => pack(io.input)),
    outputs: capabilities.map(({ io }) => pack(io.output)),
    deprecated: where(({ deprecated }) => deprecated),
    experimental: where(({ experimental }) => experimental),
    tables: { categories: categories.list, keywords: keywords.list, shapes: shapes.list, servers: servers.list },
  };
}

/** Where a server is and whether it answers is said elsewhere. */
const UNKNOWN_ENGINE = { label: "ComfyUI", plane: "comfy", draft: false, live: false } as const;

/** Each class as a capability without the parts that only its definition has. Ports are unpacked when they are read. */
export function readIndex(index: LibraryIndex): Capability[] {
  const [deprecated, experimental] = [new Set(index.deprecated), new Set(index.experimental)];
  const { tables } = index;
  return index.ids.map((id, at) => {
    const ports = (list: PackedPorts[]) => unpack(list[at] ?? [], tables.shapes);
    return {
      id,
      label: index.labels[at] || id,
      description: index.descriptions[at] ?? "",
      version: "",
      plane: "comfy" as const,
      category: tables.categories[index.categories[at] ?? -1] ?? "Other",
      keywords: tables.keywords[index.keywords[at] ?? -1] ?? [],
      engines: (tables.servers[index.servers[at] ?? -1] ?? []).map((server) => ({ id: server, ...UNKNOWN_ENGINE })),
      runtime: { kind: "gpu", concurrency: 1 },
      handler: { module: "", method: id },
      io: {
        get input() {
          return ports(index.inputs);
        },
        get output() {
          return ports(index.outputs);
        },
      },
      ...(deprecated.has(at) ? { deprecated: true } : {}),
      ...(experimental.has(at) ? { experimental: true } : {}),
    };
  });
}

function unpack(packed: PackedPorts, shapes: readonly Schema[]): Schema {
  const required: string[] = [];
  const properties: Record<string, Schema> = {};
  for (let at = 0; at < packed.length; at++) {
    const name = String(packed[at++]);
    const title = typeof packed[at] === "string" ? packed[at++] : name;
    const code = Number(packed[at]);
    properties[name] = { ...shapes[code >> 1], title };
    if (code & 1) required.push(name);
  }
  return { type: "object", required, properties };
}

function shapeOf(schema: Schema): Schema {
  const shape: Schema = {};
  for (const key of OF_A_SHAPE) if (schema[key] !== undefined) shape[key] = schema[key];
  if (isObject(schema.items)) shape.items = shapeOf(schema.items as Schema);
  if (Array.isArray(schema.enum)) shape.enum = CHOICES;
  return shape;
}

/** Values by their place, each once. */
class Table<T> {
  readonly list: T[] = [];
  private readonly places = new Map<string, number>();

  placeOf(value: T): number {
    const text = JSON.stringify(value);
    const known = this.places.get(text);
    if (known !== undefined) return known;
    this.places.set(text, this.list.length);
    this.list.push(value);
    return this.list.length - 1;
  }
}

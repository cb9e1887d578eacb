// Of the files of a prompt of ComfyUI, whose nodes save what they like: which may be left out of its result because they are not what is said
// of them, and which no output of their node is for (DESIGN W6, E13).
import { type ArtifactRef, type RegionInput, type RegionInputGive, validateArtifactRef } from "@spindle/schemas";

type Values = Record<string, unknown>;

export interface ResultObject {
  key: string;
  ref: ArtifactRef;
}

const MOST_NAMED = 5;

/** Which nodes saved files that none of their outputs is for, as sentences: the classes of ComfyUI do not say what they save. */
export function unusable(output: Values, objects: readonly ResultObject[], region: Partial<RegionInput> | null | undefined): string[] {
  const { only, gives = [], prompt = {} } = region ?? {};
  const has = (node: string) => Object.hasOwn(only === undefined ? output : { [only]: output }, node);
  const isEmpty = only !== undefined && Object.keys(output).length === 0;
  const nodes = new Set(gives.flatMap(({ node, from }) => (node === from && (isEmpty || !has(node)) ? [node] : [])));
  const used = new Set(references(output).map(({ artifact }) => artifact));
  const files = objects.flatMap(({ ref }) => (used.has(ref.artifact) ? [] : [ref.name ?? ref.mime]));
  if (nodes.size === 0 || files.length === 0) return [];
  const titles = [...nodes].map((node) => String(prompt[node]?._meta?.title ?? node));
  const more = files.length > MOST_NAMED ? ` and ${files.length - MOST_NAMED} more` : "";
  return [
    `Nothing of ${titles.join(", ")} can be used here, though ComfyUI saved ${files.slice(0, MOST_NAMED).join(", ")}${more}: its class has no output for such files. They are in the folder of that ComfyUI.`,
  ];
}

/**
 * The output of a prompt without some artifacts; undefined if a node has no good one left, or an output that the graph needs has none.
 * @param region what the task was given; undefined if all artifacts are needed
 */
export function leaving(output: Values, refused: ReadonlySet<string>, region: Partial<RegionInput> | null | undefined): Values | undefined {
  if (!region) return undefined;
  const { only, gives = [] } = region;
  const nodes = only === undefined ? Object.entries(output) : [[only, output] as const];
  const without = nodes.map(([node, ports]) => {
    const given = Object(ports) as Values;
    const entries = Object.entries(given);
    const left = entries.flatMap(([port, value]) => {
      const some = good(value, refused) ?? firstOfAll(gives, { node, port }, given, refused);
      return some === undefined ? [] : [[port, some] as const];
    });
    const isNeeded = (port: string) => gives.some((give) => give.node === node && give.port === port && give.from !== node);
    const lost = entries.filter(([port]) => !left.some(([name]) => name === port));
    const isUseless = lost.length > 0 && left.length === 0;
    return isUseless || lost.some(([port]) => isNeeded(port)) ? undefined : ([node, Object.fromEntries(left)] as const);
  });
  const all = without.flatMap((each) => (each ? [each] : []));
  if (all.length < without.length) return undefined;
  return only === undefined ? Object.fromEntries(all) : all[0]?.[1];
}

/** Where an output was the first file that a node saved: the first good one of all of them. */
function firstOfAll(
  gives: readonly RegionInputGive[],
  { node, port }: { node: string; port: string },
  given: Values,
  refused: ReadonlySet<string>,
): unknown {
  const own = gives.find((give) => give.node === node && give.port === port);
  const all = own && gives.find((give) => give.node === node && give.from === own.from && give.pick === `${own.pick}s`);
  const left = all && good(given[all.port], refused);
  return Array.isArray(left) ? left[0] : undefined;
}

/** What is left of a value; undefined if that is nothing, while it was something. */
function good(value: unknown, refused: ReadonlySet<string>): unknown {
  if (validateArtifactRef(value)) return refused.has(value.artifact) ? undefined : value;
  if (!Array.isArray(value) || value.length === 0) return value;
  const left = value.flatMap((element) => {
    const some = good(element, refused);
    return some === undefined ? [] : [some];
  });
  return left.length > 0 ? left : undefined;
}

/** Every artifact that a value names, at any depth. */
export function references(value: unknown): ArtifactRef[] {
  if (validateArtifactRef(value)) return [value];
  return value !== null && typeof value === "object" ? Object.values(value).flatMap(references) : [];
}

// Of the files of a prompt of ComfyUI, whose nodes save what they like: which may be left out of its result because they are not what is said
// of them, and which no output of their node is for (DESIGN A5, W6).
import { type ArtifactRef, type RegionInput, type RegionInputGive, validateArtifactRef } from "@spindle/schemas";

type Values = Record<string, unknown>;

export interface ResultObject {
  key: string;
  ref: ArtifactRef;
}

const MOST_NAMED = 5;

/** Which nodes saved files that none of their outputs is for, as sentences: the classes of ComfyUI do not say what they save. */
export function unusable(output: Values, objects: readonly ResultObject[], region: Partial<RegionInput> | null | undefined): string[] {
  const { prompt = {} } = region ?? {};
  const nodes = nodesWithout(output, region ?? undefined);
  const files = unnamed(output, objects).map(({ name, mime }) => name ?? mime);
  if (nodes.size === 0 || files.length === 0) return [];
  const titles = [...nodes].map((node) => String(prompt[node]?._meta?.title ?? node));
  const more = files.length > MOST_NAMED ? ` and ${files.length - MOST_NAMED} more` : "";
  return [
    `Nothing of ${titles.join(", ")} can be used here, though ComfyUI saved ${files.slice(0, MOST_NAMED).join(", ")}${more}: its class has no output for such files. They are in the folder of that ComfyUI.`,
  ];
}

/** The output nodes of the graph's own of which the output has nothing. */
function nodesWithout(output: Values, { only, gives = [] }: Partial<RegionInput> = {}): Set<string> {
  const has = (node: string) => Object.hasOwn(only === undefined ? output : { [only]: output }, node);
  const isEmpty = only !== undefined && Object.keys(output).length === 0;
  return new Set(gives.flatMap(({ node, from }) => (node === from && (isEmpty || !has(node)) ? [node] : [])));
}

/** The files that the output does not name. */
function unnamed(output: Values, objects: readonly ResultObject[]): ArtifactRef[] {
  const used = new Set(references(output).map(({ artifact }) => artifact));
  return objects.flatMap(({ ref }) => (used.has(ref.artifact) ? [] : [ref]));
}

/** Why nothing is left of an output: a node that cannot do without a file, where that is known. */
interface Needed {
  node?: string;
  artifact?: string | undefined;
}

/**
 * The output of a prompt without some artifacts; else the node that has no good one left, or an output that the graph needs and that has none.
 * @param objects all that the prompt saved
 * @param region what the task was given; undefined if all artifacts are needed
 */
export function leaving(
  output: Values,
  refused: ReadonlySet<string>,
  objects: readonly ResultObject[],
  region: Partial<RegionInput> | null | undefined,
): { left: Values } | { needed: Needed } {
  if (!region) return { needed: {} };
  const { only, gives = [] } = region;
  const nodes = only === undefined ? Object.entries(output) : [[only, output] as const];
  const [silent, ...others] = nodesWithout(output, region);
  const odd = unnamed(output, objects).map(({ artifact }) => artifact);
  // Which node saved a file that none of its outputs is for is not said: it is known where one alone gave nothing.
  if (silent !== undefined && others.length === 0 && odd.length > 0 && odd.every((artifact) => refused.has(artifact)))
    return { needed: { node: silent, artifact: odd[0] as string } };
  const needed: Needed[] = [];
  const kept = nodes.flatMap(([node, ports]) => {
    const given = Object(ports) as Values;
    const entries = Object.entries(given);
    const left = entries.flatMap(([port, value]) => {
      const some = good(value, refused) ?? firstOfAll(gives, { node, port }, given, refused);
      return some === undefined ? [] : [[port, some] as const];
    });
    const isNeeded = (port: string) => gives.some((give) => give.node === node && give.port === port && give.from !== node);
    const lost = entries.filter(([port]) => !left.some(([name]) => name === port));
    const isUseless = lost.length > 0 && left.length === 0;
    const missing = lost.find(([port]) => isUseless || isNeeded(port));
    if (!missing) return [[node, Object.fromEntries(left)] as const];
    needed.push({ node, artifact: references(missing[1]).find(({ artifact }) => refused.has(artifact))?.artifact });
    return [];
  });
  if (needed[0]) return { needed: needed[0] };
  return { left: only === undefined ? Object.fromEntries(kept) : (kept[0]?.[1] ?? {}) };
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

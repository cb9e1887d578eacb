// What a worker says that came of a task, before it is committed (DESIGN A5, W6): every artifact that the output names is there, and is what
// is said of it. Of a prompt of ComfyUI, whose nodes save what they like, a file that is not is left out, if others of its node are good.
import { OUTPUT_DEPTH, whyTooLarge } from "@spindle/graph-model";
import { type ArtifactRef, type RegionInput, type RegionInputGive, type TaskResult, validateArtifactRef } from "@spindle/schemas";
import type { Artifacts } from "../artifacts/artifacts.ts";
import type { TaskRow } from "../record/node-run.ts";
import type { TaskError } from "./retry.ts";
import { objectKey, type TaskName } from "./task-name.ts";

type Values = Record<string, unknown>;

export interface ResultObject {
  key: string;
  ref: ArtifactRef;
}

/** An output whose references say what their bytes say, and which files were left out of it, as sentences; or why there is none. */
export type Examined = { error: TaskError } | { output: Values; artifacts: ResultObject[]; leftOut: string[] };

export async function examine(
  artifacts: Artifacts,
  { run_id: run, plane, input }: Pick<TaskRow, "run_id" | "plane" | "input">,
  task: TaskName,
  { output = {}, objects = [] }: TaskResult,
): Promise<Examined> {
  const bad = (message: string) => ({ error: { class: "infra" as const, code: "task.bad_result", message } });
  const tooDeep = whyTooLarge(output, { depth: OUTPUT_DEPTH });
  if (tooDeep) return bad(`The result is refused. ${tooDeep}`);
  const stored = new Map<string, ArtifactRef>();
  const kept: ResultObject[] = [];
  const refused = new Map<string, ResultObject & { why: string }>();
  for (const { key, ref } of objects) {
    if (key !== objectKey("output", run, task, ref.artifact)) return bad(`The object ${key.slice(0, 100)} does not belong to this task.`);
    const found = await artifacts.examine(key, ref);
    if ("why" in found) {
      refused.set(ref.artifact, { key, ref, why: `${ref.name ? `${ref.name}: ` : ""}${found.why}` });
      continue;
    }
    stored.set(ref.artifact, found.ref);
    kept.push({ key, ref: found.ref });
  }
  const [first] = refused.values();
  const region = plane === "comfy" ? (input as Partial<RegionInput> | null) : undefined;
  const left = first ? leaving(output, new Set(refused.keys()), region) : output;
  if (left === undefined) return bad(`The result is refused: ${first?.why}.`);
  for (const value of references(left)) {
    if (!stored.has(value.artifact) && !(await artifacts.find(value.artifact)))
      return bad(`The output names the artifact ${value.artifact}, which was not stored.`);
  }
  for (const { key, ref } of refused.values()) if ((await artifacts.find(ref.artifact))?.key !== key) await artifacts.store.remove(key);
  return {
    output: completed(left, stored) as Values,
    artifacts: kept,
    leftOut: [...Array.from(refused.values(), ({ why }) => `A file was left out: ${why}.`), ...unusable(left, kept, region)],
  };
}

const MOST_NAMED = 5;

/** Which nodes saved files that none of their outputs is for, as sentences: the classes of ComfyUI do not say what they save. */
function unusable(output: Values, objects: readonly ResultObject[], region: Partial<RegionInput> | null | undefined): string[] {
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
function leaving(output: Values, refused: ReadonlySet<string>, region: Partial<RegionInput> | null | undefined): Values | undefined {
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

/** The value with what is known of its artifacts added. What the worker said about an artifact stays. */
function completed(value: unknown, known: ReadonlyMap<string, ArtifactRef>): unknown {
  if (Array.isArray(value)) return value.map((element) => completed(element, known));
  if (value === null || typeof value !== "object") return value;
  if (validateArtifactRef(value)) return { ...known.get(value.artifact), ...value };
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, completed(part, known)]));
}

/** Every artifact that a value names, at any depth. */
function references(value: unknown): ArtifactRef[] {
  if (validateArtifactRef(value)) return [value];
  return value !== null && typeof value === "object" ? Object.values(value).flatMap(references) : [];
}

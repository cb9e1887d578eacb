// A ComfyUI workflow as an engine of a capability (templates/comfy): what it lacks on a server, and what its task is given.
import type { Blueprint, RegionInput } from "@spindle/schemas";
import { ConditionError, calculate } from "../cel.ts";
import { jsonBytes, LIMITS } from "../limits.ts";

type Values = Readonly<Record<string, unknown>>;
type Prompt = Blueprint["prompt"];

/** Names one input as it is: a file is not CEL's to look into. */
const PLAIN = /^inputs\.([A-Za-z_]\w*)$/;

/** The engine's id: which workflow on which server. */
export const blueprintEngine = (name: string, server: string): string => `${name}@${server}`;

/** Whether an engine is that workflow, on whichever server. */
export const isEngineOf = (name: string, engine: string): boolean => engine.startsWith(`${name}@`);

/** The server that an engine of the Comfy plane names. */
export const serverOfEngine = (engine: string): string => engine.slice(engine.indexOf("@") + 1);

/**
 * @param id the node whose outputs the task's are
 * @throws ConditionError if an expression cannot be answered, or a limit does not hold
 */
export function blueprintInput({ prompt, set, gives, windows, limits = [], repeat }: Blueprint, id: string, values: Values): RegionInput {
  for (const { holds, otherwise } of limits) if (calculate(holds, values) !== true) throw new ConditionError(otherwise);
  const filled: Prompt = structuredClone(prompt);
  for (const [place, expression] of Object.entries(set)) {
    const [node = "", ...rest] = place.split(".");
    const name = PLAIN.exec(expression)?.[1];
    const value = name === undefined ? calculate(expression, values) : values[name];
    const target = filled[node];
    // ComfyUI reads a bare list as a link.
    if (value !== undefined && target) target.inputs[rest.join(".")] = Array.isArray(value) ? { __value__: value } : value;
  }
  const count = windows && countOf(windows.count, values);
  return {
    prompt: repeat ? repeated(filled, repeat, countOf(repeat.count, values)) : filled,
    sinks: [...new Set(Object.values(gives).map((source) => source.from))] as RegionInput["sinks"],
    gives: Object.entries(gives).map(([port, { from, pick }]) => ({ node: id, port, from, pick })),
    only: id,
    ...(windows && count && count > 1 ? { windows: { node: windows.node, count } } : {}),
  };
}

/** @throws ConditionError if an expression gives anything but a number from 0 on */
function countOf(expression: string, values: Values): number {
  const value = calculate(expression, values);
  if (typeof value === "number" && Number.isFinite(value) && value > -0.5) return Math.max(0, Math.round(value));
  const found =
    typeof value === "number" || typeof value === "string" ? JSON.stringify(String(value).slice(0, 40)) : `a value of another type`;
  throw new ConditionError(
    `How often a part of the workflow runs (${expression}) has to be a number from 0 on, and is ${found}. Change the inputs of the node, or choose another engine.`,
  );
}

/** Bytes, as JSON, of all repetitions together. */
const MOST_REPEATED = 8 * LIMITS.bytes;

/** @throws ConditionError if the prompt would be too large, before any of it is made */
function checkRepeat(prompt: Prompt, nodes: readonly string[], count: number): void {
  const total = Object.keys(prompt).length + nodes.length * (count - 1);
  const next = "Change the inputs of the node so that less is repeated, or choose another engine.";
  const times = `The workflow repeats ${nodes.length === 1 ? "a node" : `${nodes.length} nodes`} ${count.toLocaleString("en")} times`;
  if (total > LIMITS.nodes)
    throw new ConditionError(
      `${times}, which makes ${total.toLocaleString("en")} nodes; the limit is ${LIMITS.nodes.toLocaleString("en")}. ${next}`,
    );
  if (count <= 1) return;
  const bytes = count * jsonBytes(Object.fromEntries(nodes.map((node) => [node, prompt[node]])), MOST_REPEATED);
  if (bytes > MOST_REPEATED)
    throw new ConditionError(`${times}, which makes more than ${inWords(MOST_REPEATED)}; that is the limit. ${next}`);
}

/**
 * Why a workflow can never be sent, whatever its inputs are: how often it repeats a part of itself is known without them, and is too often
 * or no number. As a sentence; undefined otherwise.
 */
export function whyNeverSent({ prompt, repeat, windows }: Blueprint): string | undefined {
  const isConstant = (expression: string) => !/\binputs\b/.test(expression);
  try {
    if (windows && isConstant(windows.count)) countOf(windows.count, {});
    if (repeat && isConstant(repeat.count)) checkRepeat(prompt, repeatedNodes(prompt, repeat), countOf(repeat.count, {}));
    return undefined;
  } catch (error) {
    if (error instanceof ConditionError) return error.message;
    throw error;
  }
}

const repeatedNodes = (prompt: Prompt, { nodes }: NonNullable<Blueprint["repeat"]>): string[] =>
  [...new Set(nodes)].filter((node) => Object.hasOwn(prompt, node));

/**
 * The prompt with a part of it as often as it is needed, one repetition behind the other.
 * @throws ConditionError if that is too often
 */
function repeated(prompt: Prompt, repeat: NonNullable<Blueprint["repeat"]>, count: number): Prompt {
  const nodes = repeatedNodes(prompt, repeat);
  checkRepeat(prompt, nodes, count);
  const isRepeated = new Set(nodes);
  const name = (node: string, repetition: number) => (repetition === 1 ? node : `${node}-${repetition}`);
  const carried = new Map(Object.entries(repeat.carry).flatMap((pair) => pair.map((node) => [node, pair] as const)));
  /** After so many repetitions: what stands for a node that is repeated, and for one in whose place a repeated one steps. */
  const after = (node: string, repetition: number): string | undefined => {
    const [last, first] = carried.get(node) ?? [];
    return last === undefined || repetition === 0 ? first : name(last, repetition);
  };
  const made: Prompt = {};
  for (const [id, node] of Object.entries(prompt))
    if (!isRepeated.has(id)) made[id] = relinked(node, (to) => (isRepeated.has(to) ? after(to, count) : undefined));
  for (let repetition = 1; repetition <= count; repetition++) {
    const own = (to: string) => (isRepeated.has(to) ? name(to, repetition) : after(to, repetition - 1));
    for (const id of nodes) made[name(id, repetition)] = relinked(prompt[id] as Prompt[string], own);
  }
  return made;
}

/** A link is a node's id and the number of its output. */
function relinked(node: Prompt[string], target: (id: string) => string | undefined): Prompt[string] {
  const inputs = Object.entries(node.inputs).map(([input, value]) => {
    const isLink = Array.isArray(value) && value.length === 2 && typeof value[0] === "string";
    return [input, isLink ? [target(value[0] as string) ?? value[0], value[1]] : value] as const;
  });
  return { ...node, inputs: Object.fromEntries(inputs) };
}

/** What a server's node takes, as far as it says: the names of the files it has. */
export type ServerNode = (service: string) => { files: (input: string) => readonly unknown[] | undefined } | undefined;

/** Why a workflow cannot run on a server, as a sentence; undefined if it can. */
export function whyNotThere(blueprint: Blueprint, node: ServerNode): string | undefined {
  const classes = [...new Set(Object.values(blueprint.prompt).map((one) => one.class_type))];
  const missing = classes.filter((one) => node(one) === undefined);
  if (missing.length > 0) {
    const packs = blueprint.packs?.length ? ` Install the node packs ${blueprint.packs.join(", ")}.` : "";
    return `It lacks ${missing.length === 1 ? "the node" : "the nodes"} ${missing.slice(0, 4).join(", ")}${missing.length > 4 ? ` and ${missing.length - 4} more` : ""}.${packs}`;
  }
  const files = Object.entries(blueprint.prompt).flatMap(([id, { class_type, inputs }]) =>
    Object.entries(inputs).flatMap(([input, value]) => {
      if (typeof value !== "string") return [];
      const chosen = blueprint.set[`${id}.${input}`];
      const wanted = chosen === undefined ? [value] : blueprint.models.flatMap(({ file }) => (chosen.includes(`'${file}'`) ? [file] : []));
      const has = node(class_type)?.files(input);
      return has ? wanted.filter((file) => !has.some((found) => String(found).replaceAll("\\", "/") === file)) : [];
    }),
  );
  if (files.length === 0) return undefined;
  const needed = [...new Set(files)].map(
    (name) => [name, blueprint.models.filter(({ file, listed }) => file === name || listed === name)] as const,
  );
  const described = needed.flatMap(([name, models]) => (models.length > 0 ? models.map(inFull) : [name]));
  const models = needed.flatMap(([, found]) => found);
  const total = inWords(models.reduce((sum, model) => sum + modelBytes(model), 0));
  const how =
    models.length > 0 ? ` Fetch the model files, ${total}, where this ComfyUI runs: npx spindle models fetch ${modelsName(blueprint)}` : "";
  return `It lacks ${described.join("; ")}.${how}`;
}

/** The workflow with each file as the server lists it: with `\` where that is Windows, whose ComfyUI takes no other name. */
export function asListed(blueprint: Blueprint, node: ServerNode): Blueprint {
  const listed = (service: string, input: string, name: string): string => {
    const there = node(service)?.files(input)?.map(String) ?? [];
    return there.includes(name) ? name : (there.find((found) => found.replaceAll("\\", "/") === name) ?? name);
  };
  const prompt = Object.entries(blueprint.prompt).map(([id, body]) => {
    const inputs = Object.entries(body.inputs).map(
      ([input, value]) => [input, typeof value === "string" ? listed(body.class_type, input, value) : value] as const,
    );
    return [id, { ...body, inputs: Object.fromEntries(inputs) }] as const;
  });
  const set = Object.entries(blueprint.set).map(([place, expression]) => {
    const [id = "", ...input] = place.split(".");
    const service = blueprint.prompt[id]?.class_type ?? "";
    const chosen = blueprint.models.filter(({ file }) => expression.includes(`'${file}'`));
    const named = chosen.reduce(
      (words, { file }) => words.replaceAll(`'${file}'`, () => `'${listed(service, input.join("."), file).replaceAll("\\", "\\\\")}'`),
      expression,
    );
    return [place, named] as const;
  });
  return { ...blueprint, prompt: Object.fromEntries(prompt), set: Object.fromEntries(set) };
}

type ModelFile = Blueprint["models"][number];

const inFull = (model: ModelFile): string =>
  `${model.file} (models/${model.folder}, ${inWords(modelBytes(model))}, ${model.licence}${model.url ? `, ${model.url}` : ""})`;

/** What `spindle models` calls the files of a workflow. */
export const modelsName = ({ name }: Blueprint): string => `comfy/${name}`;

/** Exactly, where the blueprint knows it; else about. */
export const modelBytes = ({ bytes, gigabytes = 0 }: ModelFile): number => bytes ?? Math.round(gigabytes * 1e9);

/** A number of bytes as people say it: three digits and a unit. */
export function inWords(bytes: number): string {
  const [unit, factor] = (
    [
      ["GB", 1e9],
      ["MB", 1e6],
      ["kB", 1e3],
    ] as const
  ).find(([, least]) => bytes >= least) ?? ["bytes", 1];
  return `${Number((bytes / factor).toPrecision(3))} ${unit}`;
}

// A ComfyUI workflow as an engine of a capability (templates/comfy): what it lacks on a server, and what its task is given.
import type { Blueprint, RegionInput } from "@spindle/schemas";
import { calculate } from "../condition.ts";

type Values = Readonly<Record<string, unknown>>;
type PromptNode = Blueprint["prompt"][string];

/** Names one input as it is: a file is not CEL's to look into. */
const PLAIN = /^inputs\.([A-Za-z_]\w*)$/;

/** The engine's id: which workflow on which server. */
export const blueprintEngine = (name: string, server: string): string => `${name}@${server}`.slice(0, 64);

/** The server that an engine of the Comfy plane names. */
export const serverOfEngine = (engine: string): string => engine.slice(engine.indexOf("@") + 1);

/**
 * @param id the node whose outputs the task's are
 * @throws ConditionError if an expression cannot be answered
 */
export function blueprintInput({ prompt, set, gives, windows }: Blueprint, id: string, values: Values): RegionInput {
  const filled: Record<string, PromptNode> = structuredClone(prompt);
  for (const [place, expression] of Object.entries(set)) {
    const [node = "", ...rest] = place.split(".");
    const name = PLAIN.exec(expression)?.[1];
    const value = name === undefined ? calculate(expression, values) : values[name];
    const target = filled[node];
    if (value !== undefined && target) target.inputs[rest.join(".")] = value;
  }
  const count = windows && Number(calculate(windows.count, values));
  return {
    prompt: filled,
    sinks: [...new Set(Object.values(gives).map((source) => source.from))] as RegionInput["sinks"],
    gives: Object.entries(gives).map(([port, { from, pick }]) => ({ node: id, port, from, pick })),
    only: id,
    ...(windows && count && count > 1 ? { windows: { node: windows.node, count: Math.round(count) } } : {}),
  };
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
      if (typeof value !== "string" || `${id}.${input}` in blueprint.set) return [];
      const has = node(class_type)?.files(input);
      return has && !has.some((one) => String(one).replaceAll("\\", "/") === value) ? [value] : [];
    }),
  );
  if (files.length === 0) return undefined;
  const model = blueprint.models.find((one) => one.file === files[0]);
  const where = model ? ` (models/${model.folder}, ${model.gigabytes} GB, ${model.licence}${model.url ? `, ${model.url}` : ""})` : "";
  return `It lacks ${files[0]}${where}${files.length > 1 ? ` and ${files.length - 1} more files` : ""}.`;
}

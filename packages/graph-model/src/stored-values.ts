// Values of a ComfyUI node that were stored by position, under the names of the inputs that they belong to.
import type { NodeDefinition } from "./library.ts";
import { sameName } from "./nearest.ts";
import type { Port } from "./ports.ts";
import { definitionWith, portWith } from "./variants.ts";

/** The parameter that keeps stored values by position, of a node whose class is not known yet. It never reaches ComfyUI. */
export const WIDGET_VALUES = "widgets_values";

export const CONTROLS: ReadonlySet<unknown> = new Set(["fixed", "increment", "decrement", "randomize", "increment-wrap"]);
/** Values that upload buttons and filters leave behind. */
export const isButton = (value: unknown): boolean => value === null || value === "" || value === "image" || value === undefined;
/** Previews that a pack keeps among its widgets. */
const NOT_VALUES = new Set(["videopreview", "audioUI"]);

export interface StoredValues {
  params: Record<string, unknown>;
  problems: string[];
}

/** @param values by position */
export const valuesByPosition = (values: readonly unknown[], definition: NodeDefinition): StoredValues =>
  valuesByName(aligned(values, definition.inputs), definition);

/**
 * The parameters of a node whose values were stored by position before its class was known, now that it is; undefined if there are none.
 * What has been set by name since then stays.
 */
export function placeValues(params: Readonly<Record<string, unknown>> | undefined, definition: NodeDefinition): StoredValues | undefined {
  const { [WIDGET_VALUES]: stored, ...others } = params ?? {};
  if (!Array.isArray(stored)) return undefined;
  const { params: placed, problems } = valuesByPosition(stored, definition);
  return { params: { ...placed, ...others }, problems };
}

/** What ComfyUI makes of values as they were stored: of the kind that the input asks for, and without what is no value. */
export function valuesByName(values: Record<string, unknown>, definition: NodeDefinition | undefined): StoredValues {
  const problems: string[] = [];
  const ports = new Map(definition && definitionWith(definition, values).inputs.map((port) => [port.name, port]));
  const params: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) {
    if (NOT_VALUES.has(name) || value === null || value === undefined) continue;
    params[name] = adjusted(name, value, ports.get(name), problems);
  }
  return { params, problems };
}

/** That an input takes a value, and the one before it that did. */
interface Taken {
  name: string;
  value: unknown;
  before: Taken | undefined;
}

/**
 * How the first values may be those of the inputs up to one of them, by how many values that are: the cheapest way to each. Where there is
 * none the cost is infinite.
 */
interface Ways {
  costs: Float64Array;
  /** The last value that is taken. */
  taken: (Taken | undefined)[];
}

// What it costs to take values and inputs for each other. Only their order counts.
const OF_ANOTHER_KIND = 3;
const TO_BE_CONVERTED = 1;
const NOT_IN_THE_LIST = 0.5;
const STRAY_VALUE = 2;
const STRAY_BUTTON = 0.2;
/** An empty text may as well be somebody's. */
const EMPTY_AS_BUTTON = 0.01;
const INPUT_WITHOUT_VALUE = 2;
/** Files of before 2024 keep whether a seed is drawn anew as a truth value. */
const TRUTH_AS_CONTROL = 0.6;
/** Files of before 2025 have a value for an input that must be wired. */
const VALUE_OF_A_SOCKET = 0.4;

/**
 * ComfyUI's editor stores values in the order of its widgets, which has changed over the years, and among them those of buttons and of
 * what happens to a seed. Of all ways to give the values in order to the inputs in order, the one in which they fit best is taken.
 */
function aligned(values: readonly unknown[], inputs: readonly Port[]): Record<string, unknown> {
  const plain = inOrder(values, inputs);
  if (plain.fit || values.length * inputs.reduce((sum, port) => sum + shapesOf(port), 0) > MOST_COMPARED) return plain.values;
  let ways = noWays(values);
  ways.costs[0] = 0;
  for (const port of inputs) ways = after(port, values, ways);
  const { costs, taken } = ways;
  let [best, least] = [0, Number.POSITIVE_INFINITY];
  for (let at = values.length, strays = 0; at >= 0; strays += strayCost(values[--at])) {
    const cost = (costs[at] as number) + strays;
    if (cost <= least) [best, least] = [at, cost];
  }
  const found: [string, unknown][] = [];
  for (let last = taken[best]; last; last = last.before) found.unshift([last.name, last.value]);
  return Object.fromEntries(found);
}

/** Values times shapes of inputs of a node, beyond which its values are taken in order as they are. A file has up to 5,000 nodes. */
const MOST_COMPARED = 1600;

/** How many things an input may be, by the values of others. */
const shapesOf = ({ schema }: Port): number => (Array.isArray(schema["x-variants"]) ? schema["x-variants"].length : 1);

/** The values in the order of the inputs, and whether each fits: then there is no better way. */
function inOrder(values: readonly unknown[], inputs: readonly Port[]): { values: Record<string, unknown>; fit: boolean } {
  const found = new Map<string, unknown>();
  let [at, fit] = [0, true];
  for (const general of inputs) {
    const port = portWith(general, (chooser) => found.get(chooser));
    if (port?.schema["x-inline"] !== true || at >= values.length) continue;
    found.set(port.name, values[at]);
    const [[end] = [at + 1], ...others] = ends(port, values, at + 1);
    fit &&= misfit(values[at], port) === 0 && (others.length === 0 || port.schema["x-upload"] !== true);
    at = end;
  }
  return { values: Object.fromEntries(found), fit: fit && at >= values.length };
}

/** So many ways are followed, and so many strays in a row: what many values and inputs cost grows with either, and not with both. */
const WAYS_FOLLOWED = 12;
const STRAYS_IN_A_ROW = 4;

const strayCost = (value: unknown): number => (isButton(value) ? STRAY_BUTTON : STRAY_VALUE);

const noWays = (values: readonly unknown[]): Ways => ({
  costs: new Float64Array(values.length + 1).fill(Number.POSITIVE_INFINITY),
  taken: new Array<Taken | undefined>(values.length + 1),
});

function after(general: Port, values: readonly unknown[], before: Ways): Ways {
  const next = noWays(values);
  const { costs, taken } = withStrays(before, values);
  for (let at = 0; at < costs.length; at++) {
    const cost = costs[at] as number;
    if (cost === Number.POSITIVE_INFINITY) continue;
    const last = taken[at];
    const port = portWith(general, (chooser) => valueIn(last, chooser));
    const isSocket = port?.schema["x-inline"] !== true;
    const isOver = at >= values.length;
    const unfit = port && !isOver ? misfit(values[at], port) : 0;
    if (port && !isOver && (!isSocket || ("type" in port.schema && unfit === 0))) {
      const whenTaken = cost + (isSocket ? VALUE_OF_A_SOCKET : unfit);
      const value = { name: port.name, value: values[at], before: last };
      for (const [end, extra] of ends(port, values, at + 1))
        if (whenTaken + extra < (next.costs[end] as number)) [next.costs[end], next.taken[end]] = [whenTaken + extra, value];
    }
    // Of two ways that cost the same, the one in which the earlier input has the value.
    const without = cost + (isSocket || isOver ? 0 : INPUT_WITHOUT_VALUE);
    if (without <= (next.costs[at] as number)) [next.costs[at], next.taken[at]] = [without, last];
  }
  const open = next.costs.filter((cost) => cost < Number.POSITIVE_INFINITY);
  if (open.length <= WAYS_FOLLOWED) return next;
  const most = open.sort()[WAYS_FOLLOWED - 1] as number;
  let equal = WAYS_FOLLOWED - open.filter((cost) => cost < most).length;
  for (let at = 0; at < next.costs.length; at++) {
    const cost = next.costs[at] as number;
    if (cost > most || (cost === most && equal-- <= 0)) next.costs[at] = Number.POSITIVE_INFINITY;
  }
  return next;
}

/** Where the next input's value may begin, and what that costs: behind the control of a seed, and what buttons leave. */
function ends(port: Port, values: readonly unknown[], at: number): [number, number][] {
  const found: [number, number][] = [];
  const behindButtons = (from: number) => {
    let end = from;
    while (end < from + STRAYS_IN_A_ROW && end < values.length && isButton(values[end])) end++;
    for (; end >= from; end--) found.push([end, EMPTY_AS_BUTTON * values.slice(from, end).filter((value) => value === "").length]);
  };
  if (port.schema["x-control"] === true && CONTROLS.has(values[at])) behindButtons(at + 1);
  if (port.schema["x-control"] === true && typeof values[at] === "boolean") found.push([at + 1, TRUTH_AS_CONTROL]);
  if (port.schema["x-upload"] === true) behindButtons(at);
  found.push([at, 0]);
  return found;
}

/** Any value may be nobody's, at a price. */
function withStrays(ways: Ways, values: readonly unknown[]): Ways {
  const costs = ways.costs.slice();
  const taken = ways.taken.slice();
  for (let start = 0; start < values.length; start++) {
    let cost = ways.costs[start] as number;
    if (cost === Number.POSITIVE_INFINITY) continue;
    for (let at = start; at < Math.min(values.length, start + STRAYS_IN_A_ROW); at++) {
      cost += strayCost(values[at]);
      if (cost < (costs[at + 1] as number)) [costs[at + 1], taken[at + 1]] = [cost, ways.taken[start]];
    }
  }
  return { costs, taken };
}

function valueIn(last: Taken | undefined, name: string): unknown {
  for (let at = last; at; at = at.before) if (at.name === name) return at.value;
  return undefined;
}

/** What it costs that a value is not of the kind. The name of a file that is not there is still a name, a number out of range still a number. */
function misfit(value: unknown, port: Port): number {
  const { schema } = port;
  if (value === null) return 0;
  if (schema["x-upload"] === true) return typeof value === "string" ? 0 : OF_ANOTHER_KIND;
  if (Array.isArray(schema.enum)) {
    if (schema.enum.includes(value)) return 0;
    const isOfItsKind = typeof value === "string" || schema.enum.some((choice) => typeof choice === typeof value);
    return isOfItsKind ? NOT_IN_THE_LIST : OF_ANOTHER_KIND;
  }
  if (ofKind(value, port) !== value) return TO_BE_CONVERTED;
  const fits =
    schema.type === "integer" ? Number.isInteger(value) : schema.type === "array" ? Array.isArray(value) : typeof value === schema.type;
  return schema.type === undefined || fits ? 0 : OF_ANOTHER_KIND;
}

function adjusted(name: string, given: unknown, port: Port | undefined, problems: string[]): unknown {
  const value = ofKind(given, port);
  if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    problems.push(
      `${name}: ${value.toLocaleString("en", { useGrouping: false })} is beyond what can be counted exactly; a smaller number stands for it, so results differ.`,
    );
    return Number(BigInt(value) % 2n ** 50n);
  }
  if (
    typeof value === "string" &&
    port?.schema["x-dynamic"] === true &&
    (value.match(/\{[^{}]*\}/g) ?? []).some((braces) => braces.includes("|"))
  )
    problems.push(`${name}: choices like {a|b} were made by ComfyUI's editor; here the text is sent as it is.`);
  if (typeof value === "string" && /%[\w.]+%|%date:/.test(value))
    problems.push(`${name}: ComfyUI's editor filled "${value.slice(0, 60)}" in; here it is sent as it is.`);
  const choices = port?.schema.enum;
  if (typeof value !== "string" || !Array.isArray(choices) || choices.includes(value)) return value;
  const near = sameName(value, choices);
  return near !== undefined && near.replaceAll("\\", "/") === value.replaceAll("\\", "/") ? near : value; // only the path separator differs
}

/** ComfyUI makes a number of a text or a truth value, a text of a number, and an integer of a fraction, where the input asks for the other. */
export function ofKind(value: unknown, port: Port | undefined): unknown {
  const { type, enum: choices } = port?.schema ?? {};
  if (choices !== undefined) return value;
  if (type === "string") return typeof value === "number" ? String(value) : value;
  if (type !== "number" && type !== "integer") return value;
  const isWritten = typeof value === "boolean" || (typeof value === "string" && value.trim() !== "");
  const number = isWritten ? Number(value) : value;
  if (typeof number !== "number" || !Number.isFinite(number)) return value;
  return type === "integer" ? Math.trunc(number) : number;
}

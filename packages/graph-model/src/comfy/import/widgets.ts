// A node's stored widget values -> parameters by name. ComfyUI stores them by position, among them some that no input has.
import type { NodeDefinition } from "../../library.ts";
import { nearest } from "../../nearest.ts";
import type { Port } from "../../ports.ts";
import type { UiNode } from "./workflow.ts";

const CONTROL = new Set(["fixed", "increment", "decrement", "randomize", "increment-wrap"]);
/** Values that upload buttons leave behind. */
const isButton = (value: unknown): boolean => value === null || value === "" || value === "image" || value === undefined;
/** Previews that a pack keeps among its widgets. */
const NOT_VALUES = new Set(["videopreview", "audioUI"]);
const SEED = /^(noise_)?seed$/;

export interface Widgets {
  params: Record<string, unknown>;
  problems: string[];
}

function widgetValues(node: UiNode, definition: NodeDefinition | undefined): Record<string, unknown> {
  if (!Array.isArray(node.widgets)) return { ...(node.widgets as Record<string, unknown>) };
  return definition ? byPosition(node.widgets, definition) : byInputs(node, node.widgets);
}

export function readWidgets(node: UiNode, definition: NodeDefinition | undefined): Widgets {
  const problems: string[] = [];
  const ports = new Map(definition?.inputs.map((port) => [port.name, port]));
  const params: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(widgetValues(node, definition))) {
    if (NOT_VALUES.has(name) || value === null || value === undefined) continue;
    params[name] = adjusted(name, value, ports.get(name), problems);
  }
  return { params, problems };
}

/** Files store the values in one of two ways; the one whose values fit the inputs better is taken. */
function byPosition(values: readonly unknown[], { inputs }: NodeDefinition): Record<string, unknown> {
  const inline = inputs.filter((port) => port.schema["x-inline"] === true && port.schema["x-when"] === undefined);
  const withForced = inputs.filter((port) => port.schema["x-inline"] === true || "type" in port.schema);
  const [usual, older] = [assign(values, inline), withForced.length > inline.length ? assign(values, withForced) : undefined];
  return older && older.misfits < usual.misfits ? older.values : usual.values;
}

function assign(values: readonly unknown[], ports: readonly Port[]): { values: Record<string, unknown>; misfits: number } {
  const found: Record<string, unknown> = {};
  let at = 0;
  let misfits = 0;
  ports.forEach((port, index) => {
    const value = values[at++];
    if (value === undefined) return;
    if (value !== null && !fits(value, port)) misfits++;
    found[port.name] = value;
    if (port.schema["x-control"] === true && typeof values[at] === "string" && CONTROL.has(values[at] as string)) at++;
    if (port.schema["x-upload"] !== true) return;
    const next = ports[index + 1];
    while (at < values.length && isButton(values[at]) && (!next || values[at] === null || !fits(values[at], next))) at++;
  });
  return { values: found, misfits };
}

/** Whether a value is of the right kind. The name of a file that does not exist is still a name, a number out of range still a number. */
function fits(value: unknown, { schema }: Port): boolean {
  if (schema["x-upload"] === true || Array.isArray(schema.enum))
    return typeof value === "string" || (schema.enum as unknown[] | undefined)?.includes(value) === true;
  if (schema.type === "integer") return Number.isInteger(value);
  return schema.type === undefined || typeof value === schema.type;
}

/** For a node that no server has: newer files name the widgets among the inputs. */
function byInputs(node: UiNode, values: readonly unknown[]): Record<string, unknown> {
  const names = node.inputs.flatMap((input) => input.widget ?? []);
  if (names.length === 0) return values.length > 0 ? { widgets_values: [...values] } : {};
  const found: Record<string, unknown> = {};
  let at = 0;
  for (const name of names) {
    found[name] = values[at++];
    if (SEED.test(name) && typeof values[at] === "string" && CONTROL.has(values[at] as string)) at++;
  }
  return found;
}

function adjusted(name: string, value: unknown, port: Port | undefined, problems: string[]): unknown {
  if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    problems.push(
      `${name}: ${value.toLocaleString("en", { useGrouping: false })} is beyond what can be counted exactly; a smaller number stands for it, so results differ.`,
    );
    return Number(BigInt(value) % 2n ** 50n);
  }
  if (typeof value === "string" && port?.schema["x-dynamic"] === true && /\{[^{}]*\|[^{}]*\}/.test(value))
    problems.push(`${name}: choices like {a|b} were made by ComfyUI's editor; here the text is sent as it is.`);
  if (typeof value === "string" && /%[\w.]+%|%date:/.test(value))
    problems.push(`${name}: ComfyUI's editor filled "${value.slice(0, 60)}" in; here it is sent as it is.`);
  const choices = port?.schema.enum;
  if (typeof value !== "string" || !Array.isArray(choices) || choices.includes(value)) return value;
  const near = nearest(value, choices);
  return near !== undefined && near.replaceAll("\\", "/") === value.replaceAll("\\", "/") ? near : value; // only the path separator differs
}

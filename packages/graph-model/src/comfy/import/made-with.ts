// A file that ComfyUI made carries the workflow of its editor and the prompt that ran. They may disagree: the editor fills in some values only when
// it sends a prompt, and other programs write the one and keep the other. The workflow is what is taken over; this says where the file was made
// with something else.
import { noNumber } from "@spindle/schemas/python-json";
import { isUiFormat, rawOf } from "./workflow.ts";

/** The part of an imported node that a prompt has, too. */
interface Node {
  id: string;
  type: string;
  params: Readonly<Record<string, unknown>>;
  wires: readonly { input: string; from: string; slot: number }[];
  /** A prompt has the node before it in its place. */
  bypassed?: true;
  problems: string[];
}

/** Workflow and prompt as `extractWorkflow` gives them; undefined for what is something else. */
export function carriedWorkflow(value: unknown): { workflow: unknown; prompt: unknown } | undefined {
  const { workflow, prompt, schema } = rawOf(value);
  return schema === undefined && isUiFormat(workflow) ? { workflow, prompt } : undefined;
}

const MOST_NAMED = 5;
const LONGEST = 80;
const said = (value: unknown): string => {
  const text = JSON.stringify(value) ?? "";
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
};

/**
 * Adds to each node what it was otherwise when the file was made.
 * @param knows whether the inputs of a class are known; else its values lie under their positions
 * @returns what concerns no node of the workflow
 */
export function compareWithPrompt(nodes: readonly Node[], prompt: unknown, knows: (type: string) => boolean): string[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const unknown: string[] = [];
  for (const [id, made] of Object.entries(rawOf(prompt))) {
    const { class_type: type, inputs } = rawOf(made);
    if (typeof type !== "string") continue;
    const node = byId.get(id);
    if (!node) unknown.push(`${type.slice(0, LONGEST)} (${id.slice(0, LONGEST)})`);
    else if (node.type !== type) node.problems.push(`The file was made by ${type.slice(0, LONGEST)}, and its workflow has ${node.type}.`);
    else {
      node.problems.push(...otherWires(node, rawOf(inputs), byId));
      if (knows(type)) node.problems.push(...otherValues(node, rawOf(inputs)));
    }
  }
  if (unknown.length === 0) return [];
  const more = unknown.length > MOST_NAMED ? ` and ${unknown.length - MOST_NAMED} more` : "";
  return [`The file was made with nodes that its workflow does not have: ${unknown.slice(0, MOST_NAMED).join(", ")}${more}.`];
}

/** Of the inputs that both have wired, those that are wired to something else. */
function otherWires({ wires }: Node, made: Readonly<Record<string, unknown>>, byId: ReadonlyMap<string, Node>): string[] {
  return wires.flatMap(({ input, from, slot }) => {
    const value = Object.hasOwn(made, input) ? made[input] : undefined;
    if (!Array.isArray(value) || value.length !== 2 || byId.get(from)?.bypassed) return [];
    const other = String(value[0]);
    if (!byId.has(other) || (other === from && value[1] === slot)) return [];
    return [
      `The file was made with ${input} wired to output ${Number(value[1]) + 1} of node ${other.slice(0, LONGEST)}, and its workflow has output ${slot + 1} of node ${from.slice(0, LONGEST)}.`,
    ];
  });
}

function otherValues({ params }: Node, made: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(made).flatMap(([input, value]) => {
    if (!Object.hasOwn(params, input)) return [];
    const made = noNumber(value);
    if (made === undefined && (typeof value === "object" || isSame(params[input], value))) return [];
    return [`The file was made with another value of ${input}: ${made ?? said(value)}, and its workflow has ${said(params[input])}.`];
  });
}

/** ComfyUI takes numbers that are written as text. */
const isSame = (a: unknown, b: unknown): boolean => a === b || (a !== "" && b !== "" && Number(a) === Number(b));

import { type ValidationResult, Validator } from "@cfworker/json-schema";
import { elementDefinition } from "../definitions.ts";
import { type Graph, type GraphNode, nodePack, nodeTitle } from "../graph.ts";
import { type Issue, issue } from "../issue.ts";
import type { Library, NodeDefinition } from "../library.ts";
import { nearest } from "../nearest.ts";
import { CALL } from "../subgraphs.ts";
import { whyNoForm } from "./form.ts";
import { checkSettings } from "./settings.ts";

export function checkNode(graph: Graph, node: GraphNode, library: Library): Issue[] {
  const definition = elementDefinition(graph, node, library);
  const place = { node: node.id };
  const settings = checkSettings(graph, node, definition);
  if (!definition && node.service === CALL) return settings; // what is wrong with the call is said with its name elsewhere
  const pack = nodePack(graph, node.id);
  if (!definition)
    return [
      ...settings,
      issue(
        "error",
        "node.unknown_capability",
        `"${node.service}" is not in the library of the ${node.plane} plane.${pack ? ` It comes from the node pack ${pack}.` : ""}`,
        place,
        pack ? `Install ${pack} where the plane's worker runs.` : "Replace the node or start a worker that offers it.",
      ),
    ];
  return [...settings, ...checkParameters(node, definition)];
}

function checkParameters(node: GraphNode, definition: NodeDefinition): Issue[] {
  const schemas = new Map<string, Record<string, unknown>>([
    ...definition.inputs.map((port) => [port.name, port.schema] as const),
    ...definition.parameters.map((parameter) => [parameter.name, parameter.schema] as const),
  ]);
  const given = node.params ?? {};
  const issues = Object.entries(given).flatMap(([name, value]): Issue[] => {
    const place = { node: node.id, port: name };
    const schema = schemas.get(name);
    if (!schema)
      return [issue("warning", "param.invalid", `${definition.label} has no parameter "${name}"; the value is not used.`, place)];
    const choices = choicesOf(schema);
    if (choices && typeof value === "string" && !choices.includes(value)) {
      const near = nearest(value, choices);
      const message = `${name} of ${nodeTitle(node)}: "${value.slice(0, 120)}" is not in the list${choices.length === 0 ? ", which is empty" : ""}.`;
      return [issue("error", "param.invalid", message, place, near === undefined ? undefined : `Choose "${near}".`)];
    }
    const reason = whyInvalid(value, schema) ?? (schema["x-ports"] === undefined ? undefined : whyNoForm(value));
    return reason ? [issue("error", "param.invalid", `${name} of ${nodeTitle(node)}: ${reason}`, place)] : [];
  });
  const missing = definition.parameters.filter((one) => one.required && !("default" in one.schema) && !Object.hasOwn(given, one.name));
  return [
    ...issues,
    ...missing.map((one) =>
      issue("error", "input.missing", `${definition.label} needs ${one.name}.`, { node: node.id, port: one.name }, `Set ${one.name}.`),
    ),
  ];
}

/** The values a schema allows, where it lists them; a file's name among them, or an uploaded file instead. */
function choicesOf(schema: Record<string, unknown>): readonly unknown[] | undefined {
  if (Array.isArray(schema.enum)) return schema.enum;
  const listed = Array.isArray(schema.anyOf) ? schema.anyOf.find((one: { enum?: unknown }) => Array.isArray(one.enum)) : undefined;
  return (listed as { enum?: unknown[] } | undefined)?.enum;
}

/** A sentence that says why `value` does not fit `schema`, or undefined if it does. Interprets: nothing is compiled or evaluated. */
export function whyInvalid(value: unknown, schema: Record<string, unknown>): string | undefined {
  const found = validated(value, schema);
  if (found === undefined) return "What is asked for cannot be checked: its JSON Schema cannot be read.";
  if (found.valid) return undefined;
  return (
    found.errors
      .filter((error) => error.keyword !== "properties")
      .map((error) => error.error)
      .slice(0, 3)
      .join(" ") || "The value is not valid."
  );
}

function validated(value: unknown, schema: Record<string, unknown>): ValidationResult | undefined {
  try {
    return new Validator(schema, "2020-12", false).validate(value);
  } catch {
    return undefined; // a reference to nowhere, or a pattern that is none
  }
}

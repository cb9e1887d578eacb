// A node's stored widget values -> parameters by name. ComfyUI stores them by position, among them some that no input has.
import type { NodeDefinition } from "../../library.ts";
import { CONTROLS, type StoredValues, valuesByName, valuesByPosition, WIDGET_VALUES } from "../../stored-values.ts";
import type { UiNode } from "./workflow.ts";

const SEED = /^(noise_)?seed$/;

export function readWidgets(node: UiNode, definition: NodeDefinition | undefined): StoredValues {
  if (!Array.isArray(node.widgets)) return valuesByName({ ...(node.widgets as Record<string, unknown>) }, definition);
  return definition ? valuesByPosition(node.widgets, definition) : valuesByName(byInputs(node, node.widgets), definition);
}

/**
 * For a node that no server has: newer files name the widgets among the inputs. Where they name other ones than there are values, places count:
 * older files name those alone that were made inputs, and an empty value may be that of a widget that they do not name.
 */
function byInputs(node: UiNode, values: readonly unknown[]): Record<string, unknown> {
  const names = node.inputs.flatMap((input) => input.widget ?? []);
  const found: Record<string, unknown> = {};
  let at = 0;
  for (const name of names) {
    found[name] = values[at++];
    if (SEED.test(name) && CONTROLS.has(values[at])) at++;
  }
  const isWhole = at <= values.length && values.slice(at).every((value) => value === "image");
  return names.length > 0 && isWhole ? found : values.length > 0 ? { [WIDGET_VALUES]: [...values] } : {};
}

// What a person's answer gives (SPEC RH1). An exported program carries this text (docs/decisions/0051).

import { record } from "../object.ts";
import type { Port } from "../ports.ts";
import { whyValueUnfit } from "./port-value.ts";

/** What a person is asked for: each field and each button is an output. */
export interface AnswerForm {
  fields: readonly Pick<Port, "name" | "label" | "type" | "required" | "schema">[];
  buttons: readonly string[];
}

/** @param answer `values` by field, and the `button` that was pressed; it may come from anywhere */
export function readAnswer(
  { fields, buttons }: AnswerForm,
  answer: unknown,
): { output: Record<string, unknown> } | { field: string; why: string } {
  const { values, button } = record(answer);
  if (buttons.length > 0 && !buttons.some((label) => label === button))
    return { field: "button", why: `Press one of: ${buttons.join(", ")}.` };
  const output: Record<string, unknown> = button === undefined ? {} : { [String(button)]: true };
  for (const field of fields) {
    const value = record(values)[field.name] ?? field.schema.default;
    if (value === undefined || value === null || value === "") {
      if (field.required) return { field: field.name, why: `${field.label} is needed.` };
      continue;
    }
    const why = whyValueUnfit(value, field);
    if (why) return { field: field.name, why: `${field.label}: ${why}` };
    output[field.name] = value;
  }
  return { output };
}

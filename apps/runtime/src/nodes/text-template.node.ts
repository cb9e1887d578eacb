import Mustache from "mustache";
import { defineNode, UserError } from "./capability.ts";

export default defineNode({
  id: "text.template",
  label: "Fill template",
  description: "Puts values into a text: {{name}} is replaced by the value of that name.",
  version: "1.0.0",
  category: "Text and control",
  keywords: ["mustache", "prompt", "string", "format"],
  idempotent: true,
  instant: true,
  input: {
    type: "object",
    properties: {
      values: { type: "object", title: "Values", description: "Names and values for the template." },
      text: { type: "string", title: "Text", description: "One more value, {{text}} in the template.", "x-multiline": true },
    },
  },
  output: { type: "object", required: ["text"], properties: { text: { type: "string", title: "Text" } } },
  parameters: [
    {
      name: "template",
      type: "string",
      description: "Mustache template; nothing is escaped.",
      required: true,
      schema: { type: "string", maxLength: 100_000, "x-multiline": true },
    },
  ],
  examples: [{ input: { template: "Hello {{name}}", values: { name: "Ada" } }, output: { text: "Hello Ada" } }],
  async run({ input, progress }) {
    const { template, values, text } = input as { template: string; values?: Record<string, unknown>; text?: string };
    try {
      const filled = Mustache.render(template, { text, ...values }, {}, { escape: String });
      progress({ progress: 1, text: filled.slice(0, 2000) });
      return { text: filled };
    } catch (error) {
      throw new UserError(`The template is not valid: ${(error as Error).message}`);
    }
  },
});

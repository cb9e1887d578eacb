import Mustache from "mustache";
import { defineNode, UserError } from "./capability.ts";

/** Sections multiply: nine of them inside one another, each over ten elements, are a billion. */
const MOST_STEPS = 200_000;
const MOST_BYTES = 4 * 1024 * 1024;
const DEEPEST = 50;
/** The parser looks for the end of a tag from each of the blanks in a row. */
const MOST_BLANKS = 1000;

/** Mustache that counts what it does, and stops at a bound: the text is made on the runtime's own thread, where everybody's requests wait. */
class BoundedWriter extends Mustache.Writer {
  private steps = 0;
  private bytes = 0;
  private depth = 0;
  /** The texts of lists and objects: each is gone through once. */
  private readonly texts = new WeakMap<object, string>();

  override renderTokens(...args: Parameters<Mustache.Writer["renderTokens"]>): string {
    if (++this.depth > DEEPEST) throw new UserError(`The template has more than ${DEEPEST} sections inside one another.`);
    this.steps++;
    // A name is looked for in each section around it, and a long one with dots takes as long as it is.
    for (const [, name = ""] of args[0]) this.steps += 1 + (name.length >> 4) * this.depth;
    this.assertSteps();
    const text = super.renderTokens(...args);
    this.depth--;
    return text;
  }

  override rawValue(...args: Parameters<Mustache.Writer["rawValue"]>): string {
    return this.counted(super.rawValue(...args));
  }
  override unescapedValue(...args: Parameters<Mustache.Writer["unescapedValue"]>): string {
    return this.counted(super.unescapedValue(...args));
  }
  override escapedValue(...args: Parameters<Mustache.Writer["escapedValue"]>): string {
    return this.counted(super.escapedValue(...args));
  }

  private counted(value: unknown): string {
    const text = value === undefined || value === null ? "" : typeof value === "object" ? this.textOf(value) : String(value);
    this.bytes += Buffer.byteLength(text);
    if (this.bytes > MOST_BYTES) throw new UserError(`The text is longer than ${MOST_BYTES / 1024 / 1024} MiB with these values.`);
    return text;
  }

  /** A list becomes a text with all the lists in it, however short that text is. */
  private textOf(value: object): string {
    const known = this.texts.get(value);
    if (known !== undefined) return known;
    const open: unknown[] = [value];
    while (open.length > 0) {
      const part = open.pop();
      if (!Array.isArray(part)) continue;
      this.steps += 1 + part.length;
      this.assertSteps();
      for (const inner of part) open.push(inner);
    }
    const text = String(value);
    this.texts.set(value, text);
    return text;
  }

  private assertSteps(): void {
    if (this.steps <= MOST_STEPS) return;
    throw new UserError(
      `The template takes more than ${MOST_STEPS.toLocaleString("en")} steps with these values. Use fewer sections inside one another, or shorter lists.`,
    );
  }
}

export default defineNode({
  id: "text.template",
  label: "Fill template",
  description: "Puts values into a text: {{name}} is replaced by the value of that name.",
  version: "1.0.0",
  category: "Text and control",
  keywords: ["mustache", "prompt", "string", "format"],
  idempotent: true,
  instant: true,
  portable: true,
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
      schema: { type: "string", maxLength: 100_000, "x-multiline": true, "x-variables": ["text", "values.*"] },
    },
  ],
  examples: [{ input: { template: "Hello {{name}}", values: { name: "Ada" } }, output: { text: "Hello Ada" } }],
  async run({ input, progress }) {
    const { template, values, text } = input;
    if (new RegExp(`\\s{${MOST_BLANKS + 1}}`).test(template))
      throw new UserError(`The template has more than ${MOST_BLANKS.toLocaleString("en")} blanks in a row.`);
    try {
      const filled = new BoundedWriter().render(template, { text, ...values }, {}, { escape: (value: unknown) => value as string });
      progress({ progress: 1, text: filled.slice(0, 2000) });
      return { text: filled };
    } catch (error) {
      if (error instanceof UserError) throw error;
      throw new UserError(`The template is not valid: ${(error as Error).message}`);
    }
  },
});

import { defineNode } from "./capability.ts";

export default defineNode({
  id: "human.ask_person",
  label: "Ask a person",
  description: "Stops until somebody fills in a form and presses a button; the run rests meanwhile.",
  version: "1.0.0",
  category: "Text and control",
  keywords: ["human", "approve", "review", "form", "pause", "input"],
  docs: [
    "Shows the message, and the value where one is wired, and waits. Each field of the form and each button is an output.",
    "A wire from a button is followed only if that button was pressed. After the time-out, if there is one, `timed_out` is followed.",
  ].join("\n\n"),
  idempotent: false,
  human: true,
  input: {
    type: "object",
    properties: {
      message: { type: "string", title: "Message", description: "What the person is asked.", "x-multiline": true },
      value: { title: "Value", description: "Shown beside the form: a text, a picture, a video to judge." },
    },
  },
  output: {
    type: "object",
    properties: {
      timed_out: { type: "boolean", title: "Timed out", description: "Followed if nobody answered in time.", "x-branch": true },
    },
  },
  parameters: [
    {
      name: "buttons",
      type: "array",
      description: "What can be decided; each is an output of its own.",
      default: ["Continue"],
      schema: {
        type: "array",
        items: { type: "string", minLength: 1, maxLength: 40, pattern: "^[^/#>]*$" },
        minItems: 1,
        maxItems: 8,
        uniqueItems: true,
        "x-branches": true,
      },
    },
    {
      name: "form",
      type: "object",
      description: "A JSON Schema object; each property is a field, and an output.",
      default: { type: "object", properties: {} },
      schema: { type: "object", "x-ports": "outputs" },
    },
    {
      name: "timeoutSeconds",
      type: "number",
      description: "How long to wait; 0 for as long as it takes.",
      default: 0,
      schema: { type: "number", minimum: 0, maximum: 31_536_000, "x-unit": "s" },
    },
  ],
});

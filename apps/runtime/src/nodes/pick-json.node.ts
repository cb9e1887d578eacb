import { defineNode, UserError } from "./capability.ts";

export default defineNode({
  id: "json.pick",
  label: "Pick from JSON",
  description: "Takes one value out of an object or a list, by a path such as items/0/name.",
  version: "1.0.0",
  category: "Text and control",
  keywords: ["get", "path", "field", "extract"],
  idempotent: true,
  instant: true,
  portable: true,
  input: { type: "object", required: ["json"], properties: { json: { title: "JSON" } } },
  output: { type: "object", properties: { value: { title: "Value" } } },
  parameters: [
    {
      name: "path",
      type: "string",
      description: "Keys and indexes, separated by slashes.",
      required: true,
      schema: { type: "string", maxLength: 1000 },
    },
  ],
  async run({ input }) {
    const { json, path } = input;
    let value = json;
    for (const key of path.split("/").filter(Boolean)) {
      if (value === null || typeof value !== "object" || !Object.hasOwn(value, key))
        throw new UserError(`There is nothing at "${path}": "${key}" is missing.`);
      value = (value as Record<string, unknown>)[key];
    }
    return { value };
  },
});

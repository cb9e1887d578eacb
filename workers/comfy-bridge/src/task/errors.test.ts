import { expect, test } from "vitest";
import { fromRefusal } from "./errors.ts";

const words = (body: object): string => fromRefusal({ status: 400, body } as never, {}).message;

test("a prompt that is refused says why in ComfyUI's words, and that there are none where there are none", () => {
  expect(words({ error: { message: "Prompt has no outputs" } })).toBe("Prompt has no outputs.");
  expect(words({ error: { message: "Bad", details: "steps" } })).toBe("Bad: steps.");
  for (const body of [{}, { error: {} }, { error: { message: "", details: "" } }, { node_errors: { 1: { errors: [{ message: "" }] } } }])
    expect(words(body)).toBe("ComfyUI refused the prompt without saying why.");
});

test.each(["api_key", "openai-key", "authToken", "client_secret", "PASSWORD", "access_token"])(
  "[S5] the value of the input %s is in nothing that is said of a prompt that was refused",
  (name) => {
    const error = { message: "Value not in list", details: `${name}: 'sk-canary' not in []`, extra_info: { input_name: name } };
    for (const body of [{ error }, { error: {}, node_errors: { 1: { errors: [error] } } }]) {
      const said = JSON.stringify(fromRefusal({ status: 400, body } as never, {}).error);
      expect(said).not.toContain("canary");
      expect(said).toContain(`${name}: Value not in list.`);
    }
  },
);

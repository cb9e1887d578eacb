import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type Port, portsFit, portsOf, typesFit, whyPortsNotFit } from "./ports.ts";

const table = JSON.parse(readFileSync(new URL("../../../schemas/port-types.json", import.meta.url), "utf8")) as {
  types: Record<string, { kind: string; accepts: string[] }>;
};
const types = Object.entries(table.types);
const port = (schema: object): Port => portsOf({ properties: { p: schema } })[0] as Port;

describe("[G3] a port", () => {
  test("takes its own type and what the table of schemas/ says, and nothing else", () => {
    expect(types.map(([name]) => name)).toEqual(expect.arrayContaining(["image", "audio", "video", "mask", "model", "text", "file"]));
    for (const [to, { accepts }] of types)
      for (const [from] of types) {
        const fits = from === to || from === "any" || accepts.includes("*") || accepts.includes(from);
        expect(typesFit(from, to), `${from} into ${to}`).toBe(fits);
      }
  });
  test.each<[string, object, string]>([
    ["its JSON type", { type: "integer" }, "integer"],
    ["what may be null", { type: ["string", "null"] }, "string"],
    ["one of several types", { type: ["string", "integer"] }, "any"],
    ["what every object of JavaScript has", { type: "toString" }, "any"],
    ["an artifact", { "x-artifact": "image", type: "object" }, "image"],
    ["a type of ComfyUI's", { "x-comfy-type": "LATENT" }, "LATENT"],
    ["a picture of ComfyUI's", { "x-comfy-type": "IMAGE", "x-artifact": "image" }, "image"],
  ])("of %s has that type", (_, schema, type) => expect(port(schema).type).toBe(type));
  test("of an opaque type fits its own, inside ComfyUI, and takes nothing from outside", () => {
    const [latent, model] = [port({ "x-comfy-type": "LATENT" }), port({ "x-comfy-type": "MODEL" })];
    expect([portsFit(latent, latent), portsFit(latent, model)]).toEqual([true, false]);
    for (const [type] of types) {
      const outside = port(table.types[type]?.kind === "artifact" ? { "x-artifact": type } : { type });
      expect([portsFit(latent, outside), portsFit(outside, latent)], type).toEqual([false, false]);
    }
    expect(portsFit(latent, port({ "x-comfy-type": "MODEL,LATENT" }))).toBe(true);
  });
  test("that lists its choices takes only an output that gives nothing else, and says what it takes", () => {
    const [tone, calm] = [port({ type: "string", enum: ["calm", "warm"] }), port({ type: "string", enum: ["calm"] })];
    const [text, anything] = [port({ type: "string" }), port({})];
    expect([portsFit(calm, tone), portsFit(tone, tone), portsFit(tone, text), portsFit(anything, tone)]).toEqual([true, true, true, true]);
    expect([portsFit(text, tone), portsFit(tone, calm)]).toEqual([false, false]);
    expect(whyPortsNotFit(text, tone)).toBe("This input takes only calm or warm, and the output gives any string.");
    expect(whyPortsNotFit(tone, calm)).toBe("This input takes only calm, and the output may give warm.");
    const long = port({ type: "integer", enum: [1, 2, 3, 4, 5, 6] });
    expect(whyPortsNotFit(port({ type: "integer" }), long)).toBe(
      "This input takes only 1, 2, 3, 4 or 2 more, and the output gives any integer.",
    );
  });
});

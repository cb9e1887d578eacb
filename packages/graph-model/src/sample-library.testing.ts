// A small library for tests of this package: no capability of the product is named here.
import type { Library, NodeDefinition } from "./library.ts";
import type { Port } from "./ports.ts";
import { portType } from "./ports.ts";

const port = (name: string, schema: Record<string, unknown>, required = false): Port => ({
  name,
  label: name,
  type: portType(schema),
  required,
  schema,
});
const base = {
  plane: "node" as const,
  version: "1",
  description: "",
  category: "Test",
  keywords: [],
  docs: "",
  parameters: [],
  live: true,
  idempotent: true,
  timeoutSeconds: 0,
};
const engines = [{ id: "default", label: "Default", plane: "node" as const, draft: false, live: true }];

const DEFINITIONS: NodeDefinition[] = [
  {
    ...base,
    engines,
    service: "say",
    label: "Say",
    inputs: [port("text", { type: "string", minLength: 1 }, true)],
    outputs: [port("text", { type: "string" }), port("sound", { "x-artifact": "audio" })],
  },
  {
    ...base,
    engines,
    service: "hear",
    label: "Hear",
    inputs: [port("sound", { "x-artifact": "audio" }, true)],
    outputs: [port("text", { type: "string" })],
    parameters: [{ name: "level", schema: { type: "integer", minimum: 0, maximum: 10 }, required: false }],
  },
  {
    ...base,
    engines: [{ ...(engines[0] as (typeof engines)[0]), id: "gone", live: false, reason: "no models" }, ...engines],
    service: "pass",
    label: "Pass",
    inputs: [port("value", {})],
    outputs: [port("value", {})],
  },
  {
    ...base,
    engines,
    service: "keep",
    label: "Keep",
    inputs: [port("value", { type: "string" })],
    outputs: [port("value", { type: "string" })],
  },
  {
    ...base,
    engines,
    service: "constant",
    label: "Constant",
    inputs: [port("value", { type: "string", "x-by-name": false }, true)],
    outputs: [port("value", { type: "string" })],
  },
  {
    ...base,
    engines,
    plane: "comfy",
    service: "Sampler",
    label: "Sampler",
    inputs: [port("model", { "x-comfy-type": "MODEL" })],
    outputs: [port("latent", { "x-comfy-type": "LATENT" })],
  },
];

export const sampleLibrary: Library = {
  find: (plane, service) => DEFINITIONS.find((definition) => definition.plane === plane && definition.service === service),
  all: () => DEFINITIONS,
};

import { type Graph, type Library, type NodeDefinition, portsOf, validate } from "@spindle/graph-model";
import { expect, test } from "vitest";
import { find } from "./find";

const UPSCALE = {
  plane: "python",
  service: "video.enlarge",
  label: "Enlarge",
  inputs: portsOf({ properties: { video: { "x-artifact": "video" } } }),
  outputs: portsOf({ properties: { video: { "x-artifact": "video" } } }),
  parameters: [{ name: "scale", schema: { type: "integer", maximum: 4 }, required: false }],
  engines: [{ id: "ffmpeg", label: "Lanczos", plane: "python", draft: true, live: true }],
  live: true,
} as unknown as NodeDefinition;
const library: Library = { find: (_, service) => (service === UPSCALE.service ? UPSCALE : undefined), all: () => [UPSCALE] };
const node = (id: string, more: object = {}) => ({ id, service: UPSCALE.service, plane: "python", status: "pending", ...more });
const graph = {
  schema: "langgraph.v1",
  workflowId: "w",
  nodes: [
    node("right", { name: "Last step", params: { scale: 3 } }),
    node("left", { name: "First step", params: { scale: 9 } }),
    node("strange", { service: "no.such", name: "Strange" }),
  ],
  edges: [],
  metadata: {
    editor: { positions: { right: { x: 900, y: 0 }, left: { x: 0, y: 0 }, strange: { x: 400, y: 0 } } },
    nodes: { right: { disabled: true }, left: { breakpoint: "before" } },
  },
} as unknown as Graph;
const found = (asked: string) => find(graph, library, validate(graph, library), asked);

test.each<[asked: string, ids: string[] | undefined]>([
  ["", undefined],
  ["step", ["left", "right"]],
  ['"last step"', ["right"]],
  ["step 3", ["right"]],
  ["scale", ["left", "right"]],
  ["is:off", ["right"]],
  ["is:breakpoint", ["left"]],
  ["is:unknown", ["strange"]],
  ["is:invalid", ["left", "strange"]],
  ["is:draft", ["left", "right"]],
  ["is:nonsense", []],
  ["type:video", ["left", "right"]],
  ["type:vid", []],
  ["uses:enlarge", ["left", "right"]],
  ["uses:lanczos step is:off", ["right"]],
  ["constructor", []],
  ["is:constructor", []],
])("a search for %j finds %j", (asked, ids) => expect(found(asked)).toEqual(ids));

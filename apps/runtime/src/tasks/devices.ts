// What a task waits for. A device is one ComfyUI server, or one kind of a plane's slots: `gpu` where a slot has a GPU (or stands in for
// one), `cpu` where it needs none. Which GPU of several a task gets is not known before a worker takes it.
import { type Library, serverOfEngine } from "@spindle/graph-model";
import type { NodeRunRow } from "../record/node-run.ts";

export type Routed = Pick<NodeRunRow, "plane" | "service" | "engine">;

/** Every device, those that come later included. */
export const ALL_DEVICES = "all";

export const comfyDevice = (server: string): string => `comfy/${server}`;

export function deviceOf({ plane, service, engine }: Routed, library: Library): string {
  return plane === "comfy" ? comfyDevice(serverOfEngine(engine)) : `${plane}/${library.find(plane, service)?.gpu ? "gpu" : "cpu"}`;
}

/** The devices that there are, by id, each with what it is called. */
export function devicesOf(library: Library): Map<string, string> {
  const devices = new Map([
    ["python/gpu", "GPU work of the Python workers"],
    ["python/cpu", "Light work of the Python workers"],
  ]);
  for (const definition of library.all())
    if (definition.plane === "comfy")
      for (const { id, label, blueprint } of definition.engines) if (!blueprint) devices.set(comfyDevice(id), label);
  return devices;
}

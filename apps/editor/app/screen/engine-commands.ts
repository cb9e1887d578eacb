// ComfyUI workflows as engines of capabilities: one is offered, and those that were offered are seen and removed.
import { Cpu, HardDriveUpload } from "lucide-react";
import { type Command, type Scene, whyNotOne } from "./command";

const whyNoWorkflow = (scene: Scene): string | undefined => {
  const [id] = scene.selection.nodes;
  const isComfy = scene.graph.nodes.some((node) => node.id === id && node.plane === "comfy");
  return whyNotOne(scene) ?? (isComfy ? undefined : "Select a node of the ComfyUI workflow that is to be an engine.");
};

export const ENGINE_COMMANDS = [
  {
    id: "engine.offer",
    title: "Offer the workflow as an engine",
    icon: HardDriveUpload,
    group: "Arrange",
    where: "canvas",
    menus: ["node"],
    whyNot: whyNoWorkflow,
    run: ({ show }) => show("offer"),
  },
  {
    id: "engines",
    title: "Workflows as engines",
    icon: Cpu,
    group: "View",
    where: "page",
    menus: ["canvas"],
    run: ({ show }) => show("engines"),
  },
] as const satisfies readonly Command[];

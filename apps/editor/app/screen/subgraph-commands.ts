// What a person does with subgraphs: makes one, goes into it and out of it, and takes it apart.
import { sheetOn } from "@spindle/graph-model/shared-doc";
import { CornerLeftUp, LogIn, Package, PackageOpen, Split, SplitSquareHorizontal } from "lucide-react";
import { land } from "../canvas/landing";
import { levelAt, subgraphOf } from "../canvas/levels";
import { selectionOf } from "../canvas/selection";
import { makeSubgraph, makeUnique, unpackSubgraph, usesOf } from "../canvas/subgraphs";
import { toast } from "../ui/toast";
import { type Command, type Scene, whyNoNode, whyNotOne } from "./command";

const oneOf = ({ selection: { nodes } }: Scene): string => [...nodes][0] ?? "";
const whyNoCall = (scene: Scene) =>
  whyNotOne(scene) ?? (subgraphOf(scene.graph, oneOf(scene)) === undefined ? "The node calls no subgraph." : undefined);

const whyNotInside = ({ level }: Scene) => (level.calls.length > 0 ? undefined : "This is the graph itself, and no subgraph of it.");

/** Goes into the subgraph that the node calls. Returns whether it calls one. */
export function enter({ level, graph }: Pick<Scene, "level" | "graph">, node: string): boolean {
  if (subgraphOf(graph, node) === undefined) return false;
  level.open([...level.calls, node]);
  return true;
}
export const leave = ({ level }: Pick<Scene, "level">): void => level.open(level.calls.slice(0, -1));

export const SUBGRAPH_COMMANDS = [
  {
    id: "subgraph.enter",
    title: "Go into the subgraph",
    icon: LogIn,
    group: "Arrange",
    keys: ["$mod+ArrowDown"],
    where: "canvas",
    menus: ["call"],
    whyNot: whyNoCall,
    run: (scene) => void enter(scene, oneOf(scene)),
  },
  {
    id: "subgraph.leave",
    title: "Go out of the subgraph",
    icon: CornerLeftUp,
    group: "Arrange",
    keys: ["$mod+ArrowUp"],
    where: "canvas",
    menus: ["canvas"],
    whyNot: whyNotInside,
    run: leave,
  },
  {
    id: "subgraph",
    title: "Make a subgraph",
    icon: Package,
    group: "Arrange",
    keys: ["$mod+Shift+e"],
    where: "page",
    menus: ["node"],
    whyNot: whyNoNode,
    run: (scene) => {
      const made = makeSubgraph(scene.shared.sheet, scene, [...scene.selection.nodes]);
      if ("why" in made) return toast("bad", `No subgraph was made. ${made.why}`);
      scene.select(selectionOf({ nodes: [made.id] }));
      land(made.id);
    },
  },
  {
    id: "subgraph.unpack",
    title: "Unpack the subgraph",
    icon: PackageOpen,
    group: "Arrange",
    where: "canvas",
    menus: ["call"],
    whyNot: whyNoCall,
    run: (scene) => {
      const made = unpackSubgraph(scene.shared.sheet, scene, oneOf(scene));
      if ("why" in made) return toast("bad", `The subgraph was not unpacked. ${made.why}`);
      scene.select(selectionOf({ nodes: made.ids }));
      land(...made.ids);
    },
  },
  {
    id: "subgraph.unique",
    title: "Make the subgraph unique",
    icon: Split,
    group: "Arrange",
    where: "canvas",
    menus: ["call"],
    whyNot: (scene) => {
      const name = subgraphOf(scene.graph, oneOf(scene));
      return whyNoCall(scene) ?? (usesOf(scene.whole, name ?? "") > 1 ? undefined : "No other node calls the subgraph.");
    },
    run: (scene) => makeUnique(scene.shared.sheet, scene.graph, oneOf(scene)),
  },
  {
    id: "subgraph.unique.shown",
    title: "Make the subgraph that is shown unique",
    icon: SplitSquareHorizontal,
    group: "Arrange",
    where: "canvas",
    whyNot: (scene) =>
      whyNotInside(scene) ?? (usesOf(scene.whole, scene.level.definition ?? "") > 1 ? undefined : "No other node calls the subgraph."),
    run: ({ level, whole, shared }) => {
      const around = levelAt(whole, level.calls.slice(0, -1));
      makeUnique(sheetOn(shared.sheet, around.definition), around.graph, level.calls.at(-1) ?? "");
    },
  },
] as const satisfies readonly Command[];

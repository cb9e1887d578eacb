// What a person does with subgraphs: makes one, goes into it and out of it, and takes it apart.
import { sheetOn } from "@spindle/graph-model/shared-doc";
import { CloudUpload, CornerLeftUp, LogIn, Package, PackageOpen, Pin, RefreshCw, Split, SplitSquareHorizontal } from "lucide-react";
import { linkOf } from "../canvas/definitions";
import { land } from "../canvas/landing";
import { levelAt, subgraphOf } from "../canvas/levels";
import { setLink } from "../canvas/linked";
import { selectionOf } from "../canvas/selection";
import { makeSubgraph, makeUnique, unpackSubgraph, usesOf } from "../canvas/subgraphs";
import { toast } from "../ui/toast";
import { type Command, type Scene, whyNoNode, whyNotOne } from "./command";

const oneOf = ({ selection: { nodes } }: Scene): string => [...nodes][0] ?? "";
const whyNoCall = (scene: Scene) =>
  whyNotOne(scene) ?? (subgraphOf(scene.graph, oneOf(scene)) === undefined ? "The node calls no subgraph." : undefined);

const calledBy = (scene: Scene) => (scene.selection.nodes.size === 1 ? subgraphOf(scene.graph, oneOf(scene)) : undefined);
const copyOf = (scene: Scene) => scene.sharing.copyOf(calledBy(scene));
const whyNoCopy = (scene: Scene) => whyNoCall(scene) ?? (copyOf(scene) ? undefined : "The subgraph is no copy of a library node.");

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
      return (
        whyNoCall(scene) ??
        (usesOf(scene.whole, name ?? "") > 1 || linkOf(scene.whole, name ?? "") ? undefined : "No other node calls the subgraph.")
      );
    },
    run: (scene) => makeUnique(scene.shared.sheet, scene.graph, oneOf(scene)),
  },
  {
    id: "subgraph.share",
    title: "Share as a library node",
    icon: CloudUpload,
    group: "Arrange",
    where: "canvas",
    menus: ["call"],
    whyNot: (scene) => {
      const copy = copyOf(scene);
      if (copy?.newer) return "There is a newer version in the library: update first.";
      return whyNoCall(scene) ?? (copy && !copy.isEdited ? "It is in the library as it is here." : undefined);
    },
    run: (scene) => scene.sharing.share(calledBy(scene) ?? ""),
  },
  {
    id: "subgraph.update",
    title: "Update to the newest version",
    icon: RefreshCw,
    group: "Arrange",
    where: "canvas",
    menus: ["call"],
    whyNot: (scene) => whyNoCopy(scene) ?? (copyOf(scene)?.newer ? undefined : "This is the newest version."),
    run: (scene) => scene.showUpdate(calledBy(scene) ?? ""),
  },
  {
    id: "subgraph.hold",
    title: "Hold at this version, or follow the newest",
    icon: Pin,
    group: "Arrange",
    where: "canvas",
    menus: ["call"],
    whyNot: whyNoCopy,
    run: (scene) => {
      const name = calledBy(scene) ?? "";
      const { held, ...link } = linkOf(scene.whole, name) ?? { definition: "", version: "" };
      setLink(scene.shared.sheet, scene.whole, name, held ? link : { ...link, held: true });
    },
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

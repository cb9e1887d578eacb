import { moveNodes, setEntry } from "@spindle/graph-model/shared-doc";
import {
  AlignCenterHorizontal,
  AlignCenterVertical,
  AlignEndHorizontal,
  AlignEndVertical,
  AlignHorizontalSpaceAround,
  AlignStartHorizontal,
  AlignStartVertical,
  AlignVerticalSpaceAround,
  Group,
  type LucideIcon,
  Network,
  Package,
  PackageOpen,
  Split,
  StickyNote,
  UnfoldVertical,
  Ungroup,
} from "lucide-react";
import { aligned, distributed, type Line, type Places } from "../canvas/arrange";
import { straighten } from "../canvas/bends";
import type { Box } from "../canvas/box";
import { groupsOf, makeGroup, toggleCollapsed, ungroup } from "../canvas/groups";
import { land } from "../canvas/landing";
import { editNote, NOTE_SIZE } from "../canvas/note-card";
import { selectionOf } from "../canvas/selection";
import { makeSubgraph, makeUnique, subgraphOf, unpackSubgraph, usesOf } from "../canvas/subgraphs";
import { tidied } from "../canvas/tidy";
import { ME } from "../session/use-document";
import { toast, toastError } from "../ui/toast";
import { type Command, type Scene, whyNoGraph, whyNoNode, whyNotOne, whyNotSeveral } from "./command";

/** The cards that a command puts in order. */
const picked = ({ boxes, selection: { nodes } }: Scene): Map<string, Box> => new Map([...boxes()].filter(([id]) => nodes.has(id)));

type Shown = readonly [key: string, icon: LucideIcon, title: string];

/** A command that gives so many cards or more other places. */
const arranging = <Id extends string>(id: Id, [key, icon, title]: Shown, least: number, arranged: (boxes: Map<string, Box>) => Places) => ({
  id,
  title,
  icon,
  group: "Arrange" as const,
  keys: [`a ${key}`],
  where: "canvas" as const,
  menus: ["align"] as const,
  whyNot: whyNotSeveral(least),
  run: (scene: Scene) => moveNodes(scene.shared.doc, ME, arranged(picked(scene))),
});
const align = <L extends Line>(line: L, ...shown: Shown) => arranging(`align.${line}` as const, shown, 2, (boxes) => aligned(boxes, line));
const distribute = <A extends "x" | "y">(axis: A, ...shown: Shown) =>
  arranging(`distribute.${axis}` as const, shown, 3, (boxes) => distributed(boxes, axis));

const whyNoGroup = (scene: Scene) =>
  whyNoNode(scene) ??
  (groupsOf(scene.graph).some(({ nodes }) => nodes.some((id) => scene.selection.nodes.has(id))) ? undefined : "The node is in no group.");

const oneOf = ({ selection: { nodes } }: Scene): string => [...nodes][0] ?? "";
const whyNoCall = (scene: Scene) =>
  whyNotOne(scene) ?? (subgraphOf(scene.graph, oneOf(scene)) === undefined ? "The node calls no subgraph." : undefined);

export const ARRANGE_COMMANDS = [
  align("left", "l", AlignStartVertical, "Align left"),
  align("centre", "c", AlignCenterVertical, "Align centres"),
  align("right", "r", AlignEndVertical, "Align right"),
  align("top", "u", AlignStartHorizontal, "Align top"),
  align("middle", "m", AlignCenterHorizontal, "Align middles"),
  align("bottom", "b", AlignEndHorizontal, "Align bottom"),
  distribute("x", "h", AlignHorizontalSpaceAround, "Distribute horizontally"),
  distribute("y", "v", AlignVerticalSpaceAround, "Distribute vertically"),
  {
    id: "tidy",
    title: "Tidy up",
    icon: Network,
    group: "Arrange",
    keys: ["t"],
    where: "canvas",
    menus: ["tools", "canvas"],
    whyNot: whyNoGraph,
    // Of several that are selected only those move.
    run: (scene) => {
      const boxes = scene.selection.nodes.size > 1 ? picked(scene) : scene.boxes();
      const { shared, graph } = scene;
      const put = (places: Awaited<ReturnType<typeof tidied>>) =>
        shared.doc.transact(() => {
          moveNodes(shared.doc, ME, places);
          straighten(shared.doc, graph, Object.keys(places));
        }, ME);
      tidied(graph, boxes).then(put, toastError);
    },
  },
  {
    id: "group",
    title: "Group",
    icon: Group,
    group: "Arrange",
    keys: ["$mod+g"],
    where: "page",
    menus: ["node"],
    whyNot: whyNoNode,
    run: ({ shared, graph, selection }) => void makeGroup(shared.doc, graph, [...selection.nodes]),
  },
  {
    id: "ungroup",
    title: "Ungroup",
    icon: Ungroup,
    group: "Arrange",
    keys: ["$mod+Shift+g"],
    where: "page",
    menus: ["node"],
    whyNot: whyNoGroup,
    run: ({ shared, graph, selection }) => ungroup(shared.doc, graph, selection.nodes),
  },
  {
    id: "collapse",
    title: "Collapse or open the group",
    icon: UnfoldVertical,
    group: "Arrange",
    keys: ["Alt+KeyC"],
    where: "canvas",
    menus: ["node"],
    whyNot: whyNoGroup,
    run: ({ shared, graph, selection }) => toggleCollapsed(shared.doc, graph, selection.nodes),
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
      const made = makeSubgraph(scene.shared.doc, scene, [...scene.selection.nodes]);
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
      const made = unpackSubgraph(scene.shared.doc, scene, oneOf(scene));
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
      return whyNoCall(scene) ?? (usesOf(scene.graph, name ?? "") > 1 ? undefined : "No other node calls the subgraph.");
    },
    run: (scene) => makeUnique(scene.shared.doc, scene.graph, oneOf(scene)),
  },
  {
    id: "note",
    title: "Add a note",
    icon: StickyNote,
    group: "Arrange",
    keys: ["Shift+s"],
    where: "canvas",
    menus: ["tools", "canvas"],
    run: ({ shared, placeForNote, select }) => {
      const note = setEntry(shared.doc, ME, "notes", undefined, { text: "", position: placeForNote(), size: NOTE_SIZE });
      select(selectionOf({ notes: [note] }));
      editNote(note);
    },
  },
] as const satisfies readonly Command[];

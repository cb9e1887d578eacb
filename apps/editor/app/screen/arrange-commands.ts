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
  StickyNote,
  UnfoldVertical,
  Ungroup,
} from "lucide-react";
import { aligned, distributed, type Line, type Places } from "../canvas/arrange";
import { straighten } from "../canvas/bends";
import type { Box } from "../canvas/box";
import { groupsOf, makeGroup, toggleCollapsed, ungroup } from "../canvas/groups";
import { editNote, NOTE_SIZE } from "../canvas/note-card";
import { selectionOf } from "../canvas/selection";
import { tidied } from "../canvas/tidy";
import { ME } from "../session/use-document";
import { toastError } from "../ui/toast";
import { type Command, type Scene, whyNoGraph, whyNoNode, whyNotSeveral } from "./command";

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
  run: (scene: Scene) => moveNodes(scene.shared.sheet, ME, arranged(picked(scene))),
});
const align = <L extends Line>(line: L, ...shown: Shown) => arranging(`align.${line}` as const, shown, 2, (boxes) => aligned(boxes, line));
const distribute = <A extends "x" | "y">(axis: A, ...shown: Shown) =>
  arranging(`distribute.${axis}` as const, shown, 3, (boxes) => distributed(boxes, axis));

const whyNoGroup = (scene: Scene) =>
  whyNoNode(scene) ??
  (groupsOf(scene.graph).some(({ nodes }) => nodes.some((id) => scene.selection.nodes.has(id))) ? undefined : "The node is in no group.");

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
        shared.sheet.transact(() => {
          moveNodes(shared.sheet, ME, places);
          straighten(shared.sheet, graph, Object.keys(places));
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
    run: ({ shared, graph, selection }) => void makeGroup(shared.sheet, graph, [...selection.nodes]),
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
    run: ({ shared, graph, selection }) => ungroup(shared.sheet, graph, selection.nodes),
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
    run: ({ shared, graph, selection }) => toggleCollapsed(shared.sheet, graph, selection.nodes),
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
      const note = setEntry(shared.sheet, ME, "notes", undefined, { text: "", position: placeForNote(), size: NOTE_SIZE });
      select(selectionOf({ notes: [note] }));
      editNote(note);
    },
  },
] as const satisfies readonly Command[];

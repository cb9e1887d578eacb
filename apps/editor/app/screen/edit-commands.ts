import { nodeSettings } from "@spindle/graph-model";
import {
  Cable,
  CircleDot,
  CircleSlash,
  ClipboardPaste,
  Copy,
  CopyPlus,
  CornerUpRight,
  Pencil,
  Pin,
  Plus,
  Redo2,
  Replace,
  Scissors,
  Slash,
  Spline,
  Trash2,
  Undo2,
  Unlink,
  Workflow,
} from "lucide-react";
import { addBend, bendsOfWire, removeBend, setBends } from "../canvas/bends";
import { focusedBend } from "../canvas/bent-edge";
import { duplicate, duplicateNotes, removeAndReconnect, removeSelected, togglePins, toggleSetting } from "../canvas/edits";
import { jointOfWire } from "../canvas/joint";
import { goOnAt, land } from "../canvas/landing";
import { editNote } from "../canvas/note-card";
import { removeRailWires } from "../canvas/rails";
import { selectedAlone, selectionOf } from "../canvas/selection";
import { ME } from "../session/use-document";
import { focusedCard } from "../ui/focus";
import { type Command, type Scene, whyNoNode, whyNotOne, whyNotSelected } from "./command";
import { enter } from "./subgraph-commands";

const whyNotPin = (scene: Scene) => {
  const isPinnable = (id: string) => scene.outputsOf(id) || nodeSettings(scene.graph, id).pinned;
  return whyNoNode(scene) ?? ([...scene.selection.nodes].some(isPinnable) ? undefined : "The node has no output yet: run it first.");
};

const whyNoCard = ({ selection: { nodes, notes } }: Scene) => (nodes.size + notes.size > 0 ? undefined : "Select a node or a note.");

const whyNoWire = ({ selection, graph }: Scene) => {
  const { edge } = selectedAlone(selection, graph);
  if (edge === undefined) return "Select one wire.";
  return jointOfWire(graph, edge) ? undefined : "Only a wire that carries a value forward takes a node.";
};

const edgeOf = ({ selection, graph }: Scene): string => selectedAlone(selection, graph).edge ?? "";
const whyNoEdge = (scene: Scene) => (edgeOf(scene) === "" ? "Select one wire." : undefined);

/** The node that is selected alone, or else the one whose card has the focus. */
const cardOf = ({ selection: { nodes } }: Scene): string | undefined =>
  nodes.size === 0 ? focusedCard() : nodes.size === 1 ? [...nodes][0] : undefined;

export const EDIT_COMMANDS = [
  {
    id: "add",
    title: "Add a node",
    icon: Plus,
    group: "Edit",
    keys: ["/", "n"],
    where: "page",
    menus: ["tools", "canvas", "node"],
    run: ({ palette }) => palette.add(),
  },
  {
    id: "insert",
    title: "Insert a node into the wire",
    icon: Workflow,
    group: "Edit",
    where: "canvas",
    menus: ["edge"],
    whyNot: whyNoWire,
    run: ({ palette }) => palette.add(),
  },
  {
    id: "bend",
    title: "Bend the wire",
    icon: Spline,
    group: "Edit",
    where: "canvas",
    menus: ["edge"],
    whyNot: whyNoEdge,
    run: (scene) => {
      const { shared, graph, placeOnWire } = scene;
      const at = placeOnWire(edgeOf(scene));
      if (at) addBend(shared.sheet, graph, edgeOf(scene), at);
    },
  },
  {
    id: "straighten",
    title: "Straighten the wire",
    icon: Slash,
    group: "Edit",
    where: "canvas",
    menus: ["edge"],
    whyNot: (scene) => whyNoEdge(scene) ?? (bendsOfWire(scene.graph, edgeOf(scene)).length > 0 ? undefined : "The wire has no bends."),
    run: (scene) => setBends(scene.shared.sheet, edgeOf(scene), []),
  },
  {
    id: "connect",
    title: "Connect to a port",
    icon: Cable,
    group: "Edit",
    keys: ["k"],
    where: "canvas",
    menus: ["node"],
    whyNot: (scene) => (cardOf(scene) === undefined ? "Select one node, or go to its card." : undefined),
    run: (scene) => scene.connect(cardOf(scene) ?? ""),
  },
  {
    id: "replace",
    title: "Replace with another node",
    icon: Replace,
    group: "Edit",
    keys: ["r"],
    where: "canvas",
    menus: ["node"],
    whyNot: whyNotOne,
    run: ({ palette }) => palette.replace(),
  },
  {
    id: "undo",
    title: "Undo",
    icon: Undo2,
    group: "Edit",
    keys: ["$mod+z"],
    where: "page",
    whyNot: ({ shared }) => (shared.undo.canUndo() ? undefined : "There is nothing to undo."),
    run: ({ shared }) => void shared.undo.undo(),
  },
  {
    id: "redo",
    title: "Redo",
    icon: Redo2,
    group: "Edit",
    keys: ["$mod+Shift+z", "Control+y"],
    where: "page",
    whyNot: ({ shared }) => (shared.undo.canRedo() ? undefined : "There is nothing to redo."),
    run: ({ shared }) => void shared.undo.redo(),
  },
  {
    id: "copy",
    title: "Copy",
    icon: Copy,
    group: "Edit",
    keys: ["$mod+c"],
    native: true,
    where: "page",
    menus: ["node", "note"],
    whyNot: whyNoCard,
    run: ({ clipboard }) => clipboard.copy(),
  },
  {
    id: "cut",
    title: "Cut",
    icon: Scissors,
    group: "Edit",
    keys: ["$mod+x"],
    native: true,
    where: "page",
    menus: ["node", "note"],
    whyNot: whyNoCard,
    run: ({ clipboard }) => clipboard.cut(),
  },
  {
    id: "paste",
    title: "Paste",
    icon: ClipboardPaste,
    group: "Edit",
    keys: ["$mod+v"],
    native: true,
    where: "page",
    menus: ["canvas"],
    run: ({ clipboard }) => clipboard.paste(),
  },
  {
    id: "duplicate",
    title: "Duplicate",
    icon: CopyPlus,
    group: "Edit",
    keys: ["$mod+d"],
    where: "page",
    menus: ["node", "note"],
    whyNot: whyNoCard,
    run: ({ shared, graph, selection, select }) => {
      const copies = duplicate(shared.sheet, [...selection.nodes]);
      const notes = duplicateNotes(shared.sheet, graph, selection.notes);
      select(selectionOf({ nodes: copies, notes }));
      land(...copies);
    },
  },
  {
    id: "rename",
    title: "Rename",
    icon: Pencil,
    group: "Edit",
    keys: ["F2", "e"],
    where: "canvas",
    menus: ["node"],
    whyNot: whyNotOne,
    run: ({ edit }) => edit("title"),
  },
  {
    id: "open",
    title: "Edit the first field, or go into a subgraph",
    group: "Edit",
    keys: ["Enter"],
    where: "canvas",
    whyNot: (scene) => (scene.selection.notes.size === 1 ? undefined : whyNotOne(scene)),
    run: (scene) => {
      const [[node], [note]] = [[...scene.selection.nodes], [...scene.selection.notes]];
      if (node === undefined) editNote(note);
      else if (!enter(scene, node)) scene.edit("first field");
    },
  },
  {
    id: "off",
    title: "Switch off or on",
    icon: CircleSlash,
    group: "Edit",
    keys: ["d"],
    where: "canvas",
    menus: ["node"],
    whyNot: whyNoNode,
    run: ({ shared, graph, selection }) => toggleSetting(shared.sheet, graph, [...selection.nodes], "disabled", true),
  },
  {
    id: "bypass",
    title: "Bypass or run",
    icon: CornerUpRight,
    group: "Edit",
    keys: ["$mod+b"],
    where: "page",
    menus: ["node"],
    whyNot: whyNoNode,
    run: ({ shared, graph, selection }) => toggleSetting(shared.sheet, graph, [...selection.nodes], "bypassed", true),
  },
  {
    id: "pin",
    title: "Pin or unpin the output",
    icon: Pin,
    group: "Edit",
    keys: ["p"],
    where: "canvas",
    menus: ["node"],
    whyNot: whyNotPin,
    run: ({ shared, graph, selection, outputsOf }) => togglePins(shared.sheet, graph, [...selection.nodes], outputsOf),
  },
  {
    id: "breakpoint",
    title: "Set or clear the breakpoint",
    icon: CircleDot,
    group: "Edit",
    keys: ["F9", "b"],
    where: "canvas",
    menus: ["node"],
    whyNot: whyNoNode,
    run: ({ shared, graph, selection }) => toggleSetting(shared.sheet, graph, [...selection.nodes], "breakpoint", "before"),
  },
  {
    id: "delete",
    title: "Delete",
    danger: true,
    icon: Trash2,
    group: "Edit",
    keys: ["Delete", "Backspace"],
    where: "canvas",
    menus: ["node", "edge", "note"],
    whyNot: whyNotSelected,
    run: ({ shared, graph, library, selection }) => {
      const bend = focusedBend();
      if (bend) return removeBend(shared.sheet, graph, bend);
      shared.sheet.transact(() => {
        removeRailWires(shared.sheet, graph, library, selection.edges);
        removeSelected(shared.sheet, selection);
      }, ME);
      goOnAt(shared.sheet, []);
    },
  },
  {
    id: "delete.reconnect",
    title: "Delete and reconnect",
    danger: true,
    icon: Unlink,
    group: "Edit",
    keys: ["$mod+Backspace", "$mod+Delete"],
    where: "canvas",
    menus: ["node"],
    whyNot: whyNoNode,
    run: ({ shared, graph, library, selection }) => {
      removeAndReconnect(shared.sheet, graph, library, selection.nodes);
      goOnAt(shared.sheet, []);
    },
  },
] as const satisfies readonly Command[];

// What a command of the editor is, and what it acts on. Keys, menus, the command bar and the list of shortcuts are all made from the tables
// of commands beside this file.
import type { Graph, Issue, Library, Position } from "@spindle/graph-model";
import type { RunOptions } from "@spindle/schemas";
import type { LucideIcon } from "lucide-react";
import type { Box } from "../canvas/box";
import { isNothing, type Selection } from "../canvas/selection";
import type { PaletteOpener } from "../canvas/use-palette";
import type { DocumentState } from "../session/use-document";
import type { ShownLevel } from "./use-level";
import type { LiveMode } from "./use-live-mode";
import type { Sharing } from "./use-shared-definitions";

export type Panel = "library" | "inspector" | "bottom" | "minimap";

/** What a command acts on, as it is when the command is asked. */
export interface Scene {
  /** Its sheet and its graph are those of the level that the canvas shows. */
  shared: DocumentState;
  /** What the canvas shows. */
  graph: Graph;
  level: Pick<ShownLevel, "calls" | "definition" | "open">;
  whole: Graph;
  library: Library;
  issues: readonly Issue[];
  selection: Selection;
  select(next: Selection): void;
  /** What is wrong with the graph, so that it can be neither planned nor run; undefined if nothing is. */
  whyNoPlan: string | undefined;
  isRunning: boolean;
  /** What the node gave in the run that is looked at. */
  outputsOf(node: string): object | undefined;
  start(options?: RunOptions): void;
  cancel(): void;
  plan(): void;
  forget(): void;
  jump(node: string): void;
  view: {
    fit(nodes?: ReadonlySet<string>): void;
    zoomTo(zoom: number): void;
    zoomIn(): void;
    zoomOut(): void;
  };
  /** Where the pointer is on a wire, or else the middle of it, in the graph. */
  placeOnWire(wire: string): Position | undefined;
  /** Where a note goes that is new, in the graph. */
  placeForNote(): Position;
  clipboard: { copy(): void; cut(): void; paste(): void };
  /** Shows the result of a node full screen. */
  lookAt(node: string): void;
  toggle(panel: Panel): void;
  /** Opens the list of ports that a port of the node may be wired to. */
  connect(node: string): void;
  /** Where the cards lie. */
  boxes(): ReadonlyMap<string, Box>;
  palette: PaletteOpener;
  live: Pick<LiveMode, "toggle">;
  /** The copies that the graph has of shared subgraphs. */
  sharing: Sharing;
  /** Shows what the newest version of a copy does otherwise. */
  showUpdate(definition: string): void;
  show(what: "commands" | "shortcuts" | "find" | "offer" | "engines"): void;
  /** Puts the focus into the inspector. */
  edit(what: "title" | "first field"): void;
}

export const GROUPS = ["Run", "Edit", "Arrange", "Selection", "View", "Find"] as const;
/** `call` is what the menu of a node has besides, if it calls a subgraph, `tools` is the column at the edge of the canvas, `align` the row in the inspector of several nodes, `part` the menu of the inspector with the parts of a graph that a run of one node can be. */
export type MenuPlace = "run" | "node" | "part" | "canvas" | "edge" | "call" | "note" | "tools" | "align";

export interface Command {
  id: string;
  title: string;
  group: (typeof GROUPS)[number];
  /** As `ui/keys.ts` reads them, such as `$mod+d`, or `a l` for one key after the other; a person may have others. */
  keys?: readonly string[];
  /** Where the keys act: `canvas`, while it or nothing has the focus; `page`, outside fields; `everywhere`, in fields as well. */
  where: "canvas" | "page" | "everywhere";
  /** The browser itself reports these keys as an event of its own. */
  native?: true;
  menus?: readonly MenuPlace[];
  /** It takes something away. */
  danger?: true;
  icon?: LucideIcon;
  /** Why it does not apply now; undefined if it does. */
  whyNot?(scene: Scene): string | undefined;
  run(scene: Scene): void;
}

export const whyNoNode = ({ selection }: Scene) => (selection.nodes.size > 0 ? undefined : "Select a node.");
export const whyNotOne = ({ selection }: Scene) => (selection.nodes.size === 1 ? undefined : "Select one node.");
export const whyNotSelected = ({ selection }: Scene) => (isNothing(selection) ? "Select a node, a wire or a note." : undefined);
export const whyNotSeveral =
  (least: number) =>
  ({ selection }: Scene) =>
    selection.nodes.size >= least ? undefined : `Select at least ${least} nodes.`;
export const whyNoGraph = ({ graph }: Scene) => (graph.nodes.length > 0 ? undefined : "The graph is empty.");

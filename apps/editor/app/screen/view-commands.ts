import { Ban, Expand, Keyboard, Maximize, Scan, ScanSearch, Search, SquareDashed } from "lucide-react";
import { land } from "../canvas/landing";
import { reach } from "../canvas/reach";
import { isNothing, selectionOf } from "../canvas/selection";
import { stepFrom, type Way } from "../canvas/walk";
import { focusedCard } from "../ui/focus";
import { goToRegion, whyNoRegion } from "../ui/regions";
import { type Command, type Scene, whyNoGraph, whyNoNode, whyNotOne, whyNotSelected } from "./command";
import { leave } from "./subgraph-commands";

/** Goes to the next node with a problem, from the one that is selected. */
function goToProblem({ issues, selection, jump }: Scene, step: 1 | -1): void {
  const places = [
    ...new Set(issues.flatMap(({ place, severity }) => (place.node === undefined || severity === "info" ? [] : [place.node]))),
  ];
  const at = places.findIndex((node) => selection.nodes.has(node));
  const next = places.at(at < 0 ? (step > 0 ? 0 : -1) : (at + step) % places.length);
  if (next !== undefined) jump(next);
}
const whyNoProblem = ({ issues }: Scene) =>
  issues.some(({ place, severity }) => place.node !== undefined && severity !== "info") ? undefined : "No node has a problem.";

/** Arrows move what is selected; without a selection they walk. */
const walk = <W extends Way>(way: W, key: string, title: string) => ({
  id: `walk.${way}` as const,
  title,
  group: "Selection" as const,
  keys: [key],
  where: "canvas" as const,
  whyNot: ({ selection }: Scene) =>
    !isNothing(selection) ? "Deselect first: the arrows move what is selected." : focusedCard() ? undefined : "No card has the focus.",
  run: ({ graph, boxes }: Scene) => {
    const next = stepFrom(graph, boxes(), focusedCard() ?? "", way);
    if (next !== undefined) land(next);
  },
});

const region = (step: 1 | -1) => ({
  group: "View" as const,
  where: "everywhere" as const,
  whyNot: () => whyNoRegion(step),
  run: () => goToRegion(step),
});

export const VIEW_COMMANDS = [
  {
    id: "select.all",
    title: "Select all",
    icon: SquareDashed,
    group: "Selection",
    keys: ["$mod+a"],
    where: "page",
    menus: ["canvas"],
    whyNot: whyNoGraph,
    run: ({ graph, select }) => select(selectionOf({ nodes: graph.nodes.map((node) => node.id) })),
  },
  {
    id: "select.upstream",
    title: "Select upstream nodes",
    group: "Selection",
    keys: ["Shift+u"],
    where: "canvas",
    whyNot: whyNoNode,
    run: ({ graph, selection, select }) => select(selectionOf({ nodes: [...reach(graph, selection.nodes, "upstream")] })),
  },
  {
    id: "select.downstream",
    title: "Select downstream nodes",
    group: "Selection",
    keys: ["Shift+j"],
    where: "canvas",
    whyNot: whyNoNode,
    run: ({ graph, selection, select }) => select(selectionOf({ nodes: [...reach(graph, selection.nodes, "downstream")] })),
  },
  {
    id: "select.none",
    title: "Deselect, or go out of the subgraph",
    icon: Ban,
    group: "Selection",
    keys: ["Escape"],
    where: "canvas",
    whyNot: (scene) => (scene.level.calls.length > 0 ? undefined : whyNotSelected(scene)),
    run: (scene) => (isNothing(scene.selection) ? leave(scene) : scene.select(selectionOf({}))),
  },
  {
    id: "select.this",
    title: "Select or deselect the card with the focus",
    group: "Selection",
    keys: ["x"],
    where: "canvas",
    whyNot: () => (focusedCard() === undefined ? "No card has the focus." : undefined),
    run: ({ selection, select }) => {
      const card = focusedCard() ?? "";
      const { nodes } = selection;
      select(selectionOf({ ...selection, nodes: nodes.has(card) ? [...nodes].filter((id) => id !== card) : [...nodes, card] }));
    },
  },
  walk("right", "ArrowRight", "Go along a wire to the right"),
  walk("left", "ArrowLeft", "Go along a wire to the left"),
  walk("up", "ArrowUp", "Go to the card above"),
  walk("down", "ArrowDown", "Go to the card below"),

  {
    id: "fit",
    title: "Fit the graph",
    icon: Maximize,
    group: "View",
    keys: ["1"],
    where: "canvas",
    menus: ["canvas"],
    whyNot: whyNoGraph,
    run: ({ view }) => view.fit(),
  },
  {
    id: "fit.selection",
    title: "Fit the selection",
    icon: Scan,
    group: "View",
    keys: ["2", "."],
    where: "canvas",
    menus: ["node"],
    whyNot: whyNoNode,
    run: ({ view, selection }) => view.fit(selection.nodes),
  },
  {
    id: "result.show",
    title: "Look at the result full screen",
    icon: Expand,
    group: "View",
    keys: ["Space"],
    native: true,
    where: "canvas",
    menus: ["node"],
    whyNot: (scene) =>
      whyNotOne(scene) ?? (scene.outputsOf([...scene.selection.nodes][0] ?? "") ? undefined : "The node has no result yet."),
    run: ({ lookAt, selection }) => lookAt([...selection.nodes][0] ?? ""),
  },
  { id: "zoom.full", title: "Zoom to 100 %", group: "View", keys: ["0"], where: "canvas", run: ({ view }) => view.zoomTo(1) },
  { id: "zoom.in", title: "Zoom in", group: "View", keys: ["+", "="], where: "canvas", run: ({ view }) => view.zoomIn() },
  { id: "zoom.out", title: "Zoom out", group: "View", keys: ["-"], where: "canvas", run: ({ view }) => view.zoomOut() },
  {
    id: "panel.library",
    title: "Show or hide the library",
    group: "View",
    keys: ["["],
    where: "canvas",
    run: ({ toggle }) => toggle("library"),
  },
  {
    id: "panel.inspector",
    title: "Show or hide the inspector",
    group: "View",
    keys: ["]"],
    where: "canvas",
    run: ({ toggle }) => toggle("inspector"),
  },
  {
    id: "panel.bottom",
    title: "Show or hide the run panel",
    group: "View",
    keys: ["`"],
    where: "canvas",
    run: ({ toggle }) => toggle("bottom"),
  },
  { id: "region.next", title: "Next part of the page", keys: ["F6"], ...region(1) },
  { id: "region.previous", title: "Previous part of the page", keys: ["Shift+F6"], ...region(-1) },
  {
    id: "minimap",
    title: "Show or hide the minimap",
    group: "View",
    keys: ["Alt+KeyM"],
    where: "canvas",
    run: ({ toggle }) => toggle("minimap"),
  },

  {
    id: "commands",
    title: "All commands",
    icon: Search,
    group: "Find",
    keys: ["$mod+k"],
    where: "everywhere",
    run: ({ show }) => show("commands"),
  },
  {
    id: "find",
    title: "Find in the graph",
    icon: ScanSearch,
    group: "Find",
    keys: ["$mod+f"],
    where: "page",
    menus: ["tools", "canvas"],
    whyNot: whyNoGraph,
    run: ({ show }) => show("find"),
  },
  {
    id: "shortcuts",
    title: "Keyboard shortcuts",
    icon: Keyboard,
    group: "Find",
    keys: ["?"],
    where: "page",
    menus: ["canvas"],
    run: ({ show }) => show("shortcuts"),
  },
  {
    id: "problem.next",
    title: "Next problem",
    group: "Find",
    keys: ["F8"],
    where: "page",
    whyNot: whyNoProblem,
    run: (scene) => goToProblem(scene, 1),
  },
  {
    id: "problem.previous",
    title: "Previous problem",
    group: "Find",
    keys: ["Shift+F8"],
    where: "page",
    whyNot: whyNoProblem,
    run: (scene) => goToProblem(scene, -1),
  },
] as const satisfies readonly Command[];

import type { RunOptions } from "@spindle/schemas";
import {
  ArrowLeftToLine,
  ArrowRightToLine,
  ChevronsDown,
  ChevronsUp,
  Dot,
  Eraser,
  ListChecks,
  Play,
  RotateCcw,
  Route,
  Square,
  Zap,
} from "lucide-react";
import { toggleCriticalPath } from "../canvas/use-critical-path";
import { useRunStore } from "../session/run-store";
import { type Command, type Scene, whyNotOne } from "./command";

const whyNotRun = (scene: Scene) => (scene.isRunning ? "A run is going on." : scene.whyNoPlan);
const whyNotPart = ({ level }: Scene) =>
  level.calls.length > 0 ? "A part of a run begins and ends at nodes of the graph itself: go out of the subgraph." : undefined;
const part = (of: "to" | "from" | "only") => ({
  where: "canvas" as const,
  group: "Run" as const,
  menus: ["node", "part"] as const,
  whyNot: (scene: Scene) => whyNotPart(scene) ?? whyNotOne(scene) ?? whyNotRun(scene),
  run: ({ start, selection }: Scene) => start({ part: { of, node: [...selection.nodes][0] ?? "" } }),
});
const runWith = (options?: RunOptions) => ({
  group: "Run" as const,
  menus: ["run"] as const,
  whyNot: whyNotRun,
  run: ({ start }: Scene) => start(options),
});

export const RUN_COMMANDS = [
  { id: "run", title: "Run", icon: Play, keys: ["$mod+Enter"], where: "everywhere", ...runWith() },
  {
    id: "run.first",
    title: "Run with high priority",
    icon: ChevronsUp,
    keys: ["$mod+Shift+Enter"],
    where: "everywhere",
    ...runWith({ priority: "high" }),
  },
  { id: "run.last", title: "Run with low priority", icon: ChevronsDown, where: "page", ...runWith({ priority: "low" }) },
  { id: "run.again", title: "Run everything again", icon: RotateCcw, where: "page", ...runWith({ force: true }) },
  {
    id: "run.cancel",
    title: "Cancel the run",
    icon: Square,
    group: "Run",
    keys: ["$mod+Alt+Enter"],
    where: "everywhere",
    whyNot: ({ isRunning }) => (isRunning ? undefined : "No run is going on."),
    run: ({ cancel }) => cancel(),
  },
  { id: "run.node", title: "Run this node", icon: Dot, keys: ["Shift+Enter"], ...part("only") },
  { id: "run.to", title: "Run to here", icon: ArrowLeftToLine, keys: ["Alt+Enter"], ...part("to") },
  { id: "run.from", title: "Run from here", icon: ArrowRightToLine, ...part("from") },
  {
    id: "run.plan",
    title: "Show what would run",
    icon: ListChecks,
    group: "Run",
    where: "page",
    menus: ["run"],
    whyNot: ({ whyNoPlan }) => whyNoPlan,
    run: ({ plan }) => plan(),
  },
  { id: "run.live", title: "Run as I edit", icon: Zap, group: "Run", where: "page", run: ({ live }) => live.toggle() },
  {
    id: "run.path",
    title: "Show the critical path",
    icon: Route,
    group: "Run",
    where: "page",
    menus: ["run"],
    whyNot: ({ isRunning }) => (isRunning ? "A run is going on." : useRunStore.getState().run ? undefined : "The graph has not run yet."),
    run: toggleCriticalPath,
  },
  {
    id: "run.forget",
    title: "Forget earlier results",
    icon: Eraser,
    group: "Run",
    where: "page",
    menus: ["run"],
    run: ({ forget }) => forget(),
  },
] as const satisfies readonly Command[];

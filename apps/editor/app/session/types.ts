// What the API answers, taken from its type alone.
import type { AppRouter } from "@spindle/runtime/router";
import type { inferRouterOutputs } from "@trpc/server";

type Outputs = inferRouterOutputs<AppRouter>;
export type RunPlan = Outputs["runs"]["plan"];
export type RunView = Outputs["runs"]["get"];
type Answered = RunView["nodes"][number];
/** A node of a region that reported its end; what it gave comes once the region is over. */
type Reported = Omit<Extract<Answered, { state: "succeeded" }>, "output" | "finishedAt"> & { output: null; finishedAt: null };
export type ShownNodeRun = Answered | Reported;
export type NodeCount = RunView["counts"][string];
export type Question = Outputs["runs"]["questions"][number];
export type Live = RunView["live"][number];
export type ListedGraph = Outputs["graphs"]["list"][number];
export type RunSummary = Outputs["runs"]["list"][number];
export type System = Outputs["system"]["get"];
export type TemplateView = Outputs["templates"]["get"];
export type { NodeState } from "@spindle/schemas";

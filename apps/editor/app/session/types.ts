// What the API answers, taken from its type alone.
import type { AppRouter } from "@spindle/runtime/router";
import type { inferRouterOutputs } from "@trpc/server";

type Outputs = inferRouterOutputs<AppRouter>;
export type RunView = Outputs["runs"]["get"];
export type NodeRunView = RunView["nodes"][number];
export type NodeCount = RunView["counts"][string];
export type Question = Outputs["runs"]["questions"][number];
export type Live = RunView["live"][number];
export type RunSummary = Outputs["runs"]["list"][number];
export type TemplateView = Outputs["templates"]["get"];
export type NodeState = NodeRunView["state"];

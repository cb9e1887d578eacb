import { issue } from "@spindle/graph-model";
import { expect, test } from "vitest";
import { Refused } from "./refused.ts";

test("a refusal names the first hundred issues, errors before all others, and says how many it leaves out", () => {
  const warnings = Array.from({ length: 300 }, (_, index) => issue("warning", "node.offline", `warning ${index}`));
  const errors = Array.from({ length: 20 }, (_, index) => issue("error", "graph.empty", `Error ${index}.`));
  const refused = Refused.issues("The graph cannot run:", [...warnings, ...errors]);
  expect(refused.message).toBe("The graph cannot run: Error 0. (and 19 more)");
  const { issues, issuesLeftOut } = refused.details as { issues: { message: string }[]; issuesLeftOut: number };
  expect(issues.map(({ message }) => message).slice(18, 22)).toEqual(["Error 18.", "Error 19.", "warning 0", "warning 1"]);
  expect([issues.length, issuesLeftOut]).toEqual([100, 220]);
  expect(Refused.issues("The graph is refused:", errors.slice(0, 1)).details).toEqual({ issues: errors.slice(0, 1) });
});

import { expect, test } from "vitest";
import type { NodeRunRow } from "../record/node-run.ts";
import { isInPrompt } from "./region-step.ts";

const row = (node_id: string, input: object | null = null, prefix = "") => ({ node_id, path: prefix + node_id, input }) as NodeRunRow;
const prompt = { "3": { class_type: "KSampler", inputs: {} } };

test("[E13] a node is part of the prompt of its own region alone", () => {
  const node = row("3");
  expect(isInPrompt(node, row("group:3>", { prompt }))).toBe(true);
  expect(isInPrompt(row("4"), row("group:3>", { prompt }))).toBe(false);
  expect(isInPrompt(node, row("group:3>", { prompt }, "call/")), "of another level").toBe(false);
  expect(isInPrompt(node, row("talk", { prompt, only: "9" })), "a workflow has names of its own").toBe(false);
  expect(isInPrompt(node, row("group:3>"))).toBe(false);
});

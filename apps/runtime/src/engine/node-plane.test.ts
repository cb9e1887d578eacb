import { expect, test } from "vitest";
import type { NodeChange } from "../record/changes.ts";
import { MemoryRecord } from "../record/memory-record.testing.ts";
import type { NodeRunRow } from "../record/node-run.ts";
import { NodePlane, type NodePlaneParts } from "./node-plane.ts";

test.each([
  ["bytes", "x".repeat(8 * 1024 * 1024), /more than 8 MiB as JSON.*artifact/],
  ["values", Array(1_000_000).fill(1), /more than 1,000,000 values.*artifact/],
])("an output of too many %s fails its node, and is not kept", async (_, value, message) => {
  const record = new MemoryRecord();
  const frozen = { plane: "node", service: "large", version: "1", engine: "default", draft: false, timeoutSeconds: 0 };
  const [row] = (await record.add("r", [{ ...frozen, nodeId: "a", path: "a" }])) as [NodeRunRow];
  const registry = { find: () => ({ run: async () => ({ value }) }) };
  const plane = new NodePlane({ nodes: record, registry, live: {}, models: {} } as unknown as NodePlaneParts);
  const { signal } = new AbortController();
  const change = async (asked: NodeChange) => (await record.change(asked)) && record.find(row.id);
  expect(await plane.run(row, { input: {}, idempotent: true }, { signal, change })).toBe(true);
  expect(await record.find(row.id)).toMatchObject({
    state: "failed",
    error: { code: "output.too_large", message: expect.stringMatching(message) },
    output: null,
  });
});

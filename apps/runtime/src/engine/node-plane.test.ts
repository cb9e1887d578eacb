import { expect, test } from "vitest";
import { MemoryRecord } from "../record/memory-record.testing.ts";
import type { NodeRunRow } from "../record/types.ts";
import { NodePlane, type NodePlaneParts } from "./node-plane.ts";

test("an output that is too large fails its node, and is not kept", async () => {
  const record = new MemoryRecord();
  const frozen = { plane: "node", service: "large", version: "1", engine: "default", draft: false, timeoutSeconds: 0 };
  const [row] = (await record.add("r", [{ ...frozen, nodeId: "a", path: "a" }])) as [NodeRunRow];
  const registry = { find: () => ({ run: async () => ({ text: "x".repeat(16 * 1024 * 1024) }) }) };
  const plane = new NodePlane({ record, registry, live: {}, models: {} } as unknown as NodePlaneParts);
  const { signal } = new AbortController();
  const ended = await plane.run(row, { input: {}, idempotent: true }, { signal, change: (change) => record.change(change) });
  expect(ended?.row).toMatchObject({
    state: "failed",
    error: { code: "output.too_large", message: expect.stringMatching(/more than 16 MiB as JSON.*artifact/) },
  });
  expect(record.rows.get(row.id)?.output).toBeNull();
});

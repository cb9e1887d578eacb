import { expect, test } from "vitest";
import { workerEnd } from "./worker-end.ts";

test("[W6] an output that is too large for the bus is refused with its size, the limit and what to do", async () => {
  const end = workerEnd({} as never, "w", "k");
  const result = { v: 1, task: "x", outcome: "succeeded", output: { text: "x".repeat(18_000_000) } } as const;
  await expect(end.settle(result)).rejects.toThrow(
    /^The output has 17,\d{3} KiB; the limit is 256 KiB\. Save a long text or list as a file, or give less at once\.$/,
  );
});

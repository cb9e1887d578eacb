import { expect, test } from "vitest";
import { ServerFailures } from "./server-failures.ts";

const row = (engine: string, plane = "comfy") => ({ plane, engine });
const infra = { outcome: "failed", error: { class: "infra", code: "comfy.no_access", message: "A login may be before it." } } as const;
const user = { outcome: "failed", error: { class: "user", code: "node.exception", message: "No." } } as const;

test("[M4] failures of a server count since its last success, whichever engine of it the task had", () => {
  const failures = new ServerFailures();
  failures.count(row("one"), infra);
  failures.count(row("film@one"), infra);
  failures.count(row("two"), user);
  failures.count(row("three", "python"), infra);
  expect(["one", "two", "three"].map((server) => failures.countOf(server))).toEqual([2, 0, 0]);
  expect(failures.reasonOf("one")).toMatch(/^The last 2 tasks there failed, since .*: A login may be before it\. Other servers that/);
  failures.count(row("one"), user);
  expect(failures.countOf("one")).toBe(2);
  failures.count(row("one"), { outcome: "succeeded" });
  expect([failures.countOf("one"), failures.reasonOf("one")]).toEqual([0, undefined]);
});

test("[M4] what may pass by itself counts, too: until it has, others are chosen", () => {
  const failures = new ServerFailures();
  failures.count(row("one"), { outcome: "failed", error: { class: "transient", code: "comfy.lost", message: "ComfyUI answers 500." } });
  expect(failures.countOf("one")).toBe(1);
});

test("[M4] a server that was given nothing for ten minutes is a server as any other", () => {
  let now = 0;
  const failures = new ServerFailures(() => now);
  failures.count(row("one"), infra);
  now = 599_999;
  expect(failures.countOf("one")).toBe(1);
  now = 600_000;
  expect([failures.countOf("one"), failures.reasonOf("one")]).toEqual([0, undefined]);
});

import { expect, test } from "vitest";
import { isOutage } from "./patient.ts";

test("a statement that took too long is an outage, whoever tells of it", () => {
  expect(isOutage(Object.assign(new Error("canceling statement due to statement timeout"), { code: "57014" }))).toBe(true);
  expect(isOutage(new Error("DriverAdapterError: canceling statement due to statement timeout"))).toBe(true);
  expect(isOutage(Object.assign(new Error("syntax error"), { code: "42601" }))).toBe(false);
});

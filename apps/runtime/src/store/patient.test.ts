import { expect, test } from "vitest";
import { isDiskFull, isOutage } from "./patient.ts";

test("a statement that took too long is an outage, whoever tells of it", () => {
  expect(isOutage(Object.assign(new Error("canceling statement due to statement timeout"), { code: "57014" }))).toBe(true);
  expect(isOutage(new Error("DriverAdapterError: canceling statement due to statement timeout"))).toBe(true);
  expect(isOutage(Object.assign(new Error("syntax error"), { code: "42601" }))).toBe(false);
});

test("what PostgreSQL said is read where Prisma wraps it", () => {
  const wrapped = (originalCode: string) =>
    Object.assign(new Error("Database error."), { code: "P2039", meta: { driverAdapterError: { cause: { originalCode } } } });
  expect(isOutage(wrapped("57P01")), "terminating connection due to unexpected postmaster exit").toBe(true);
  expect([isOutage(wrapped("23505")), isDiskFull(wrapped("53100"))]).toEqual([false, true]);
});

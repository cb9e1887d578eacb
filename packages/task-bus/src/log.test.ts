import { expect, test } from "vitest";
import { openLog, redactor } from "./log.ts";

const env = {
  SPINDLE_WORKER_KEY: "0123456789abcdef0123456789abcdef",
  OPENAI_API_KEY: "sk-canary-1",
  S3_SECRET_ACCESS_KEY: "canary/with+odd=signs",
  DATABASE_URL: "postgresql://spindle:canary%20two@db:5432/spindle",
  REDIS_URL: "redis://runtime:canary-three@redis:6379",
  PORT: "3000",
};
const SECRETS = [
  "0123456789abcdef0123456789abcdef",
  "sk-canary-1",
  "canary/with+odd=signs",
  "canary%20two",
  "canary two",
  "canary-three",
  "canary%2Fwith%2Bodd%3Dsigns",
];
const lines = (format?: string) => {
  const written: string[] = [];
  return { written, log: openLog("runtime", { ...env, ...(format ? { SPINDLE_LOG: format } : {}) }, (line) => void written.push(line)) };
};

test.each(["text", "json"])(
  "[S5] no secret of the environment is in a line of the %s log: in a message, a stack, or what was thrown",
  (format) => {
    const { written, log } = lines(format);
    for (const secret of SECRETS) {
      log.info("where", `it said ${secret}, twice ${secret}`);
      log.error("where", new Error(`connect failed: ${secret}`));
      log.error("where", `thrown ${secret}`);
      log.note("where", `noted ${secret}`);
    }
    expect(written.length).toBeGreaterThanOrEqual(SECRETS.length * 3);
    for (const secret of SECRETS) expect(written.join("\n")).not.toContain(secret);
  },
);

test("[S5] passwords in addresses and bearers that the environment does not know are taken out as well", () => {
  const redact = redactor({});
  expect(redact("redis://worker:other@h:1/ and Bearer abc.def-1, http://h:1/a:b@c")).toBe(
    "redis://worker:[redacted]@h:1/ and Bearer [redacted], http://h:1/a:b@c",
  );
});

test("a line of JSON says when, how bad, where, and which run and node run it is about", () => {
  const { written, log } = lines("json");
  log.note("record", "node.failed", { run: "r", nodeRun: "n", node: "a", attempt: 2 });
  log.error("results", Object.assign(new Error("It cannot be.\nReally"), { nodeRun: "n" }));
  expect(written.every((line) => !line.includes("\n"))).toBe(true);
  const [note, error] = written.map((line) => JSON.parse(line));
  expect(note).toEqual({
    time: expect.stringMatching(/^\d{4}-.*Z$/),
    level: "info",
    part: "runtime",
    where: "record",
    message: "node.failed",
    run: "r",
    nodeRun: "n",
    node: "a",
    attempt: 2,
  });
  expect(error).toMatchObject({
    level: "error",
    where: "results",
    nodeRun: "n",
    message: "It cannot be.\nReally",
    stack: expect.stringContaining("log.test.ts"),
  });
});

test("the text log is for people: nothing of what happens all the time", () => {
  const { written, log } = lines();
  log.note("record", "node.succeeded", { run: "r" });
  log.info("start", "listening http://127.0.0.1:3000");
  expect(written).toEqual(["listening http://127.0.0.1:3000"]);
  expect(() => lines("xml")).toThrow(/SPINDLE_LOG/);
});

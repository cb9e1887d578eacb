import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import { expect, test } from "vitest";
import { errors, handle } from "./respond.ts";

test("a full disk is 507 and says what to do", async () => {
  const app = express();
  app.put(
    "/",
    handle(async () => writeFile("/dev/full", "x")),
  );
  const logged: string[] = [];
  app.use(errors((where) => logged.push(where)));
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { method: "PUT" });
  expect(answer.status).toBe(507);
  expect((await answer.json()).error).toEqual({
    code: "service.disk_full",
    message: expect.stringMatching(/disk is full.*Free some space/),
  });
  expect(logged, "the operator reads of it").toEqual(["PUT /"]);
  server.close();
});

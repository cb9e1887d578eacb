// What a task asks of the runtime, and what people read where the runtime or its store refuses.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sha256, TaskRuntime } from "./runtime.ts";

let store: Server;
let runtime: TaskRuntime;
/** What PUT is answered with, and what it brought. */
let answers: [status: number, body: string][];
let puts: Buffer[];
beforeEach(async () => {
  [answers, puts] = [[], []];
  store = createServer(async (request, response) => {
    const pieces: Buffer[] = [];
    for await (const piece of request) pieces.push(piece as Buffer);
    const at = `http://127.0.0.1:${(store.address() as AddressInfo).port}`;
    if (request.method === "POST") return void response.end(JSON.stringify({ url: `${at}/x`, headers: {}, artifact: "a", key: "k" }));
    puts.push(Buffer.concat(pieces));
    const [status, body] = answers.shift() ?? [200, ""];
    response.writeHead(status, status === 307 ? { location: `${at}/other?signature=s3cret` } : {}).end(body);
  });
  await new Promise<void>((resolve) => store.listen(0, "127.0.0.1", resolve));
  const runtimeUrl = `http://127.0.0.1:${(store.address() as AddressInfo).port}`;
  runtime = new TaskRuntime({ task: "t", inputSha256: "" }, { runtimeUrl, workerKey: "k".repeat(32) });
});
afterEach(() => {
  store.closeAllConnections();
  store.close();
});

test("a file without a byte is stored", async () => {
  const { ref } = await runtime.store(Buffer.alloc(0), "text/plain", "output", "empty.txt");
  expect(ref).toMatchObject({ size: 0, sha256: sha256("") });
  expect(puts).toEqual([Buffer.alloc(0)]);
});

describe("a store that refuses", () => {
  const stored = () => runtime.store(Buffer.from("x"), "text/plain", "output");
  test("because it waited too long for bytes says so, after it was tried again", async () => {
    answers = Array.from({ length: 5 }, () => [408, ""]);
    await expect(stored()).rejects.toMatchObject({
      error: {
        class: "transient",
        code: "task.refused",
        message: expect.stringMatching(/waited too long for the bytes.*\(408\)\. .*connection/),
      },
    });
    expect(puts).toHaveLength(5);
  });
  test("for a moment is asked again", async () => {
    answers = [[408, ""]];
    await stored();
    expect(puts).toHaveLength(2);
  });
  test("because it has another address is not followed", async () => {
    answers = [[307, ""]];
    const error = await stored().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      error: {
        ...{ class: "infra", code: "task.refused" },
        message: expect.stringMatching(/^The store sends the bridge elsewhere with a file\. .*S3_ENDPOINT/),
      },
    });
    expect(puts).toHaveLength(1);
  });
  test("without a word is said to", async () => {
    answers = [[400, ""]];
    await expect(stored()).rejects.toMatchObject({ error: { message: "The runtime answers 400 and gives no reason." } });
  });
});

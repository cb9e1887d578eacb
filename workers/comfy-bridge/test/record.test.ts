// The recorder with a server behind a login.
import { spawn } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";

test("sends the login of its address as a header, and says it nowhere", async () => {
  const logins: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    logins.push(request.headers.authorization);
    response.writeHead(500).end("no");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const url = `http://joe:s3cret@127.0.0.1:${(server.address() as AddressInfo).port}`;
    const child = spawn(process.execPath, ["--import", "tsx", new URL("record.ts", import.meta.url).pathname, "--url", url]);
    let said = "";
    child.stdout.on("data", (data) => (said += data));
    child.stderr.on("data", (data) => (said += data));
    expect(await new Promise((resolve) => child.on("close", resolve))).toBe(1);
    expect(logins).toEqual([`Basic ${Buffer.from("joe:s3cret").toString("base64")}`]);
    expect(said).not.toContain("s3cret");
  } finally {
    server.close();
  }
});

import { createServer } from "node:net";

/** Any port that is free on 127.0.0.1 now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** The wanted port, or the next that is free. */
export async function portFrom(wanted: number, onTaken: (taken: number) => void): Promise<number> {
  for (let port = wanted; port < wanted + 50; port++) {
    if (await isFree(port)) return port;
    onTaken(port);
  }
  return freePort();
}

function isFree(port: number): Promise<boolean> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });
}

/** Polls until `check` is true. @throws Error after `patienceMs` with what `what` says */
export async function until(check: () => Promise<boolean>, patienceMs: number, what: () => string): Promise<void> {
  const end = Date.now() + patienceMs;
  while (!(await check().catch(() => false))) {
    if (Date.now() > end) throw new Error(what());
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

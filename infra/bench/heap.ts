// What a Node process really holds: after a collection, asked for over its inspector.
import { once } from "node:events";
import { WebSocket } from "ws";

/** Where SIGUSR1 opens it. */
const PORT = 9229;

/** MiB of its heap. @throws Error if the inspector cannot be reached, as when its port is taken */
export async function heapAfterCollection(pid: number): Promise<number> {
  process.kill(pid, "SIGUSR1");
  return inspect(PORT, async (call) => {
    const { usedSize = Number.NaN } = await call("Runtime.getHeapUsage");
    return (usedSize as number) / 2 ** 20;
  });
}

/** Bytes that a process holds on the heap and beside it, where its inspector is at `port`. */
export const collected = (port: number): Promise<number> =>
  inspect(port, async (call) => {
    const expression = "(({ heapUsed, external, arrayBuffers }) => heapUsed + external + arrayBuffers)(process.memoryUsage())";
    const { result } = await call("Runtime.evaluate", { expression });
    return (result as { value: number }).value;
  });

type Call = (method: string, params?: object) => Promise<Record<string, unknown>>;

async function inspect<T>(port: number, ask: (call: Call) => Promise<T>): Promise<T> {
  const list = async () => (await (await fetch(`http://127.0.0.1:${port}/json/list`)).json()) as { webSocketDebuggerUrl: string }[];
  const [target] = await patiently(list);
  const socket = new WebSocket(target?.webSocketDebuggerUrl as string);
  await once(socket, "open");
  let id = 0;
  const call: Call = async (method, params = {}) => {
    socket.send(JSON.stringify({ id: ++id, method, params }));
    for (;;) {
      const [data] = (await once(socket, "message")) as [Buffer];
      const answer = JSON.parse(data.toString()) as { id?: number; result: Record<string, unknown> };
      if (answer.id === id) return answer.result;
    }
  };
  try {
    await call("HeapProfiler.collectGarbage");
    await call("HeapProfiler.collectGarbage");
    return await ask(call);
  } finally {
    socket.close();
  }
}

async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      if (tries > 20) throw error;
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  }
}

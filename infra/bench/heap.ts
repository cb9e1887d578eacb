// What a Node process really holds: its heap after a collection, asked for over the inspector that SIGUSR1 opens.
import { once } from "node:events";
import { WebSocket } from "ws";

const INSPECTOR = "http://127.0.0.1:9229/json/list";

/** MiB. @throws Error if the inspector cannot be reached, as when its port is taken */
export async function heapAfterCollection(pid: number): Promise<number> {
  process.kill(pid, "SIGUSR1");
  const [target] = await patiently(async () => (await (await fetch(INSPECTOR)).json()) as { webSocketDebuggerUrl: string }[]);
  const socket = new WebSocket(target?.webSocketDebuggerUrl as string);
  await once(socket, "open");
  let id = 0;
  const call = async (method: string): Promise<{ usedSize?: number }> => {
    socket.send(JSON.stringify({ id: ++id, method }));
    for (;;) {
      const [data] = (await once(socket, "message")) as [Buffer];
      const answer = JSON.parse(data.toString()) as { id?: number; result: { usedSize?: number } };
      if (answer.id === id) return answer.result;
    }
  };
  await call("HeapProfiler.collectGarbage");
  await call("HeapProfiler.collectGarbage");
  const { usedSize = Number.NaN } = await call("Runtime.getHeapUsage");
  socket.close();
  return usedSize / 2 ** 20;
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

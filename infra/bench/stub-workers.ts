// Eight workers that do nothing, in one process of their own, on the real protocol.
import { committedManifests } from "@spindle/node-library/manifests";
import { names, openRedis, workerEnd } from "@spindle/task-bus";

const WORKERS = 8;
const SERVICE = "dummy.dummy_task";
const { version = "" } = committedManifests.python.capabilities.find(({ id }) => id === SERVICE) ?? {};
const ROUTE = { plane: "python", service: SERVICE, version, engine: "default" };
const { REDIS_URL = "", SPINDLE_WORKER_KEY = "" } = process.env;
const redis = openRedis(REDIS_URL);
const bell = openRedis(REDIS_URL);
let ring: (() => void)[] = [];
await bell.subscribe(names.doorbell(ROUTE.plane));
bell.on("message", () => {
  const woken = ring;
  ring = [];
  for (const wake of woken) wake();
});

async function work(name: string): Promise<never> {
  const worker = workerEnd(redis, name, SPINDLE_WORKER_KEY);
  for (;;) {
    const rung = new Promise<void>((resolve) => {
      ring.push(resolve);
      setTimeout(resolve, 500);
    });
    const entry = await worker.claim([ROUTE]);
    if (!entry) {
      await rung;
      continue;
    }
    if ((await worker.beat(entry)) !== "ok") continue;
    await worker.settle({ v: 1, task: entry.task, outcome: "succeeded", output: { waited: 0 } });
  }
}

for (let index = 0; index < WORKERS; index++) void work(`stub-${index}`);
process.send?.("ready");

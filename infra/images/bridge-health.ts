// The bridge's health check: a living bridge renews its notice in Redis every second, also while no ComfyUI answers.
import { hostname } from "node:os";
import { names, openRedis } from "@spindle/task-bus";

const redis = openRedis(process.env.REDIS_URL ?? "", { commandTimeout: 3000 });
const workers = await redis.smembers(names.workers("comfy")).catch(() => []);
const own = workers.filter((worker) => worker.startsWith(`${hostname()}:`)).map((worker) => names.workerManifest("comfy", worker));
const published = own.length > 0 ? await redis.exists(own).catch(() => 0) : 0;
redis.disconnect();
process.exit(published > 0 ? 0 : 1);

// The bridge's health check: a living bridge renews its notice in Redis every second, also while no ComfyUI answers.
import { names, openRedis } from "@spindle/task-bus";

const redis = openRedis(process.env.REDIS_URL ?? "", { commandTimeout: 3000 });
const published = await redis.exists(names.manifest("comfy")).catch(() => 0);
redis.disconnect();
process.exit(published === 1 ? 0 : 1);

export { loadFunctions, openRedis, whyRedisUnfit } from "./connect.ts";
export { CRASH_POINTS, crashPoint } from "./crash-point.ts";
export { type Journal, type LogIds, openLog } from "./log.ts";
export { names, type Route } from "./names.ts";
export { type Junk, type RuntimeEnd, runtimeEnd, takeBack } from "./runtime-end.ts";
export { signResult, taskToken } from "./sign.ts";
export { type WorkerEnd, workerEnd } from "./worker-end.ts";

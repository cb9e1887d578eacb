import { whyRedisUnfit } from "@spindle/task-bus";
import { Router } from "express";
import type { Services } from "../services/services.ts";
import { metricsText, type OpenSockets } from "./metrics.ts";
import { handle } from "./respond.ts";

const PATIENCE_MS = 1500;

/** `/health` says which part is down; `/metrics` is for Prometheus. */
export function healthRoutes(services: Services, openSockets: OpenSockets): Router {
  const { db, workers, artifacts, library } = services;
  const routes = Router();
  const stateOfParts = async () => {
    const [postgres, redis, store] = await Promise.all([
      state(() => db.pool.query("SELECT 1")),
      state(async () => {
        const why = await whyRedisUnfit(workers.redis);
        if (why) throw new Error(why);
      }),
      state(() => artifacts.store.check()),
    ]);
    const comfy = library.comfyState === undefined ? {} : { comfy: library.comfyState };
    return { postgres, redis, store, python: library.pythonState, ...comfy };
  };
  const metrics = metricsText(services, stateOfParts, openSockets);

  routes.get(
    "/health",
    handle(async (_, response) => {
      const parts = await stateOfParts();
      const down = Object.values(parts).some((part) => part !== "up");
      const broken = [parts.postgres, parts.redis, parts.store].some((one) => one !== "up");
      if (broken) response.status(503).json({ status: "down", parts });
      else response.json({ status: down ? "degraded" : "up", parts });
    }),
  );

  routes.get(
    "/metrics",
    handle(async (_, response) => response.type(metrics.contentType).send(await metrics.text())),
  );
  return routes;
}

async function state(check: () => Promise<unknown>): Promise<string> {
  const late = new Promise<never>((_, reject) => setTimeout(() => reject(new Error("no answer in time")), PATIENCE_MS).unref());
  return Promise.race([check(), late]).then(
    () => "up",
    (error) => `down: ${(error as Error).message || "no answer"}`,
  );
}

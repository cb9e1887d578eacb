import { Router } from "express";
import type { Services } from "../services/services.ts";
import { metricsText, type OpenSockets } from "./metrics.ts";
import { handle } from "./respond.ts";

/** `/health` says which part is down; `/metrics` is for Prometheus. */
export function healthRoutes(services: Services, openSockets: OpenSockets): Router {
  const routes = Router();
  const metrics = metricsText(services, openSockets);

  routes.get(
    "/health",
    handle(async (_, response) => {
      const parts = await services.stores.health();
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

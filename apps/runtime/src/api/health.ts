import { OPEN_NODE_STATES } from "@spindle/schemas";
import { whyRedisUnfit } from "@spindle/task-bus";
import { Router } from "express";
import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { Services } from "../services/services.ts";
import { handle } from "./respond.ts";

const PATIENCE_MS = 1500;

/** `/health` says which part is down; `/metrics` is for Prometheus. */
export function healthRoutes({ db, workers, artifacts, library, record, waits }: Services): Router {
  const routes = Router();
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  new Gauge({
    name: "spindle_node_runs",
    help: "Node runs that have not ended, by state",
    labelNames: ["state"],
    registers: [registry],
    async collect() {
      const { rows } = await db.pool.query<{ state: string; n: string }>(
        "SELECT state, count(*) AS n FROM node_run WHERE state = ANY($1) GROUP BY state",
        [OPEN_NODE_STATES],
      );
      this.reset();
      for (const { state, n } of rows) this.set({ state }, Number(n));
    },
  });
  new Gauge({
    name: "spindle_not_running_seconds",
    help: "How long what has waited longest has, by what it waits for",
    labelNames: ["kind"],
    registers: [registry],
    async collect() {
      const longest = await waits.longest();
      this.reset();
      for (const [kind, seconds] of longest) this.set({ kind }, seconds);
    },
  });
  new Counter({
    name: "spindle_stale_results_total",
    help: "Changes refused because they came under an old fence",
    registers: [registry],
    collect() {
      this.reset();
      this.inc(record.nodes.stale);
    },
  });

  routes.get(
    "/health",
    handle(async (_, response) => {
      const parts = {
        postgres: await state(() => db.pool.query("SELECT 1")),
        redis: await state(async () => {
          const why = await whyRedisUnfit(workers.redis);
          if (why) throw new Error(why);
        }),
        store: await state(() => artifacts.store.check()),
        python: library.pythonState,
        ...(library.comfyState === undefined ? {} : { comfy: library.comfyState }),
      };
      const down = Object.values(parts).some((part) => part !== "up");
      const broken = [parts.postgres, parts.redis, parts.store].some((one) => one !== "up");
      if (broken) response.status(503).json({ status: "down", parts });
      else response.json({ status: down ? "degraded" : "up", parts });
    }),
  );

  routes.get(
    "/metrics",
    handle(async (_, response) => response.type(registry.contentType).send(await registry.metrics())),
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

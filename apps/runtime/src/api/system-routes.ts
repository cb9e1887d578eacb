// The system by plain HTTP: what it does, and what people decide about its queue.
import { validateDeviceRequest, validatePriorityRequest } from "@spindle/schemas";
import { json, type Request, Router } from "express";
import type { Services } from "../services/services.ts";
import { submitterOf } from "./guard.ts";
import { requestReader } from "./read.ts";
import { handle, uuid } from "./respond.ts";

const device = requestReader(validateDeviceRequest);
const priority = requestReader(validatePriorityRequest);
const body = json({ limit: "16kb" });

export function systemRoutes({ queue, system, config }: Services): Router {
  const routes = Router();
  routes.get(
    "/api/system",
    handle(async (_, response) => response.json(await system.view())),
  );
  routes.post(
    "/api/system/pause",
    body,
    handle(async (request, response) => {
      await queue.pause(device(request.body ?? {}).device, submitterOf(request, config));
      response.json({});
    }),
  );
  routes.post(
    "/api/system/resume",
    body,
    handle(async (request, response) => {
      await queue.resume(device(request.body ?? {}).device);
      response.json({});
    }),
  );
  routes.post(
    "/api/runs/:id/priority",
    body,
    handle(async (request: Request, response) => {
      const asked = priority({ priority: Object(request.body).priority, id: uuid(request.params.id, "run") });
      response.json(await queue.prioritise(asked.id, asked.priority));
    }),
  );
  return routes;
}

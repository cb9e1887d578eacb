// One run by plain HTTP: what it is, what it waits for, and what people do to it.
import { json, Router } from "express";
import { z } from "zod";
import { Refused } from "../refused.ts";
import type { ForkRequest } from "../services/run-service.ts";
import type { Services } from "../services/services.ts";
import { storedText } from "../store/storable.ts";
import { submitterOf } from "./guard.ts";
import { handle, uuid } from "./respond.ts";

const answer = z.strictObject({
  path: storedText(2000).min(1),
  values: z.record(z.string(), z.unknown()).default({}),
  button: z.string().max(80).optional(),
});
const place = z.strictObject({ path: storedText(2000).min(1) });

const byNode = z.record(storedText(64), z.record(z.string(), z.unknown()));
const fork = z.strictObject({
  node: storedText(64).optional(),
  params: byNode.optional(),
  outputs: byNode.optional(),
  inputs: z.record(z.string(), z.unknown()).optional(),
});

/** @throws Refused 422 that names the field */
function read<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const [first] = parsed.error.issues;
  throw new Refused(422, "request.invalid", `${first?.path.join(".") || "The body"}: ${first?.message}.`);
}

export function runRoutes({ runs, people, config }: Services): Router {
  const routes = Router();
  routes.get(
    "/api/runs/:id",
    handle(async (request, response) => response.json(await runs.get(uuid(request.params.id, "run")))),
  );
  routes.get(
    "/api/runs/:id/nodes",
    handle(async (request, response) => {
      const { node, path } = read(z.object({ node: storedText(64).optional(), path: place.shape.path.optional() }), request.query);
      response.json(await runs.nodeRuns(uuid(request.params.id, "run"), node, path));
    }),
  );
  routes.get(
    "/api/runs/:id/logs",
    handle(async (request, response) => {
      const { path } = read(place, { path: request.query.path });
      response.json(await runs.logs(uuid(request.params.id, "run"), path));
    }),
  );
  routes.get(
    "/api/runs/:id/graph",
    handle(async (request, response) => response.json(await runs.graphWithState(uuid(request.params.id, "run")))),
  );
  routes.post(
    "/api/runs/:id/fork",
    json({ limit: "2mb" }),
    handle(async (request, response) => {
      const change = read(fork, request.body);
      response
        .status(202)
        .json({ run: await runs.fork(uuid(request.params.id, "run"), change as ForkRequest, submitterOf(request, config)) });
    }),
  );
  routes.post(
    "/api/runs/:id/cancel",
    handle(async (request, response) => response.status(202).json({ cancelling: await runs.cancel(uuid(request.params.id, "run")) })),
  );

  routes.post(
    "/api/runs/:id/cancel-node",
    json({ limit: "16kb" }),
    handle(async (request, response) => {
      const { path } = read(place, request.body);
      await runs.cancelNode(uuid(request.params.id, "run"), path);
      response.status(202).json({ cancelling: path });
    }),
  );

  routes.get(
    "/api/runs/:id/questions",
    handle(async (request, response) => response.json(await people.questions(uuid(request.params.id, "run")))),
  );
  routes.post(
    "/api/runs/:id/answers",
    json({ limit: "1mb" }),
    handle(async (request, response) => {
      const { path, values: given, button } = read(answer, request.body);
      await people.answer(uuid(request.params.id, "run"), path, { values: given, ...(button === undefined ? {} : { button }) });
      response.status(202).json({ answered: path });
    }),
  );
  routes.post(
    "/api/runs/:id/resume",
    json({ limit: "16kb" }),
    handle(async (request, response) => {
      const { path } = read(place, request.body);
      await people.resume(uuid(request.params.id, "run"), path);
      response.status(202).json({ resumed: path });
    }),
  );
  return routes;
}

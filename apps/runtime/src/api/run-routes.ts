// One run by plain HTTP: what it is, what it waits for, and what people do to it.
import { validateAnswerRequest, validateForkRequest, validateNodeRunRequest, validateNodeRunsRequest } from "@spindle/schemas";
import { json, type Request, Router } from "express";
import { Refused } from "../refused.ts";
import type { Services } from "../services/services.ts";
import { requestKeyOf, submitterOf } from "./guard.ts";
import { requestReader } from "./read.ts";
import { handle, uuid } from "./respond.ts";

const [nodeRun, nodeRuns, fork, answer] = [
  requestReader(validateNodeRunRequest),
  requestReader(validateNodeRunsRequest),
  requestReader(validateForkRequest),
  requestReader(validateAnswerRequest),
];

/** What is asked of the run that the path names. @throws Refused 404, or 422 if the body is no object */
function ofRun({ params, body }: Request): Record<string, unknown> {
  const id = uuid(params.id, "run");
  if (body === null || typeof body !== "object" || Array.isArray(body))
    throw new Refused(422, "request.invalid", "The request: a JSON object is needed.");
  if (Object.hasOwn(body, "id")) throw new Refused(422, "request.invalid", "id: the address names the run.", { field: "id" });
  return { ...body, id };
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
      const { node, path } = request.query;
      const id = uuid(request.params.id, "run");
      response.json(
        await runs.nodeRuns(nodeRuns({ id, ...(node === undefined ? {} : { node }), ...(path === undefined ? {} : { path }) })),
      );
    }),
  );
  routes.get(
    "/api/runs/:id/logs",
    handle(async (request, response) => {
      const { id, path } = nodeRun({ id: uuid(request.params.id, "run"), path: request.query.path });
      response.json(await runs.logs(id, path));
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
      response.status(202).json({ run: await runs.fork(fork(ofRun(request)), submitterOf(request, config), requestKeyOf(request).key) });
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
      const { id, path } = nodeRun(ofRun(request));
      await runs.cancelNode(id, path);
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
      const given = answer(ofRun(request));
      await people.answer(given);
      response.status(202).json({ answered: given.path });
    }),
  );
  routes.post(
    "/api/runs/:id/resume",
    json({ limit: "16kb" }),
    handle(async (request, response) => {
      const { id, path } = nodeRun(ofRun(request));
      await people.resume(id, path);
      response.status(202).json({ resumed: path });
    }),
  );
  return routes;
}

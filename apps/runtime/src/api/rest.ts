// The plain HTTP calls: the seed's, and one per template and graph, made from their interface (DESIGN G4).
import { setImmediate as nextTurn } from "node:timers/promises";
import { exportJson, exportMermaid, exportRegion, hasErrors, readAnyText, resolve, validate } from "@spindle/graph-model";
import { type RunOptions, SEED_JOB_STATUS, validateDrainRequest, validateRunOptions } from "@spindle/schemas";
import express, { type Request, type Response, Router } from "express";
import { programIssues } from "../export/program-issues.ts";
import { exportTypeScript } from "../export/typescript.ts";
import { Refused } from "../refused.ts";
import type { RunService } from "../services/run-service.ts";
import type { Services } from "../services/services.ts";
import { drainWorkers, presentWorkers } from "../tasks/worker-roster.ts";
import { requestKeyOf, submitterOf } from "./guard.ts";
import { requestReader } from "./read.ts";
import { refreshCapabilities } from "./refresh-capabilities.ts";
import { handle, uuid } from "./respond.ts";
import { runRoutes } from "./run-routes.ts";
import { systemRoutes } from "./system-routes.ts";
import { type Form, readForm } from "./uploads.ts";

const drain = requestReader(validateDrainRequest);
const text = express.text({ type: () => true, limit: "2mb" });

export function restRoutes(services: Services): Router {
  const { graphs, runs, plans, templates, library, artifacts, config, workers } = services;
  const routes = Router();

  /** The seed's call; its names of the inputs are mapped to those of the template. */
  const SEED_FIELDS: Record<string, string> = { image_file: "portrait", audio_file: "voiceSample" };
  routes.post(
    "/api/infinitetalk",
    handle(async (request, response) => {
      const inputs = templates.inputs("infinitetalk", library.library());
      const form = await readForm(request, artifacts, (field) => inputs.find((input) => input.name === SEED_FIELDS[field])?.type);
      const data = parseObject(form.fields.data ?? "{}", "data");
      const named = Object.fromEntries(Object.entries(form.files).map(([field, ref]) => [SEED_FIELDS[field] as string, ref]));
      response.status(202).json({ jobId: await startTemplate("infinitetalk", { ...data, ...named }, request) });
    }),
  );

  routes.post(
    "/api/templates/:name/runs",
    handle(async (request, response) => {
      const inputs = templates.inputs(String(request.params.name), library.library());
      const form = await readForm(request, artifacts, (field) => inputs.find((input) => input.name === field)?.type);
      const name = String(request.params.name);
      if (isDry(request))
        return void response.json({ plan: await plans.plan(templates.find(name).graph, values(form, inputs), optionsOf(request)) });
      response.status(202).json({ run: await startTemplate(name, values(form, inputs), request) });
    }),
  );

  /** Runs a graph that is sent along: form field `graph` (JSON text), the other fields by input name. */
  routes.post(
    "/api/runs",
    handle(async (request, response) => {
      const kindOf = (field: string) => {
        const asked = request.query[`kind.${field}`];
        return typeof asked === "string" ? asked : "file";
      };
      const form = await readForm(request, artifacts, kindOf);
      const { graph, issues } = readAnyText(form.fields.graph ?? "", library.library());
      if (!graph) throw Refused.issues("The graph is refused:", issues);
      await nextTurn(); // reading the largest takes as long as a step of what follows
      const { graph: _, title, ...fields } = form.fields;
      const given = values({ files: form.files, fields }, resolve(graph, library.library()).root.inputs);
      if (isDry(request)) return void response.json({ plan: await plans.plan(graph, given, optionsOf(request)) });
      response.status(202).json({
        run: await runs.start(graph, given, {
          title: title || graph.workflowId,
          options: optionsOf(request),
          submitter: submitterOf(request, config),
          ...requestKeyOf(request),
        }),
      });
    }),
  );

  routes.get(
    "/api/status/:id",
    handle(async (request, response) => {
      const { state, progress } = await runs.status(uuid(request.params.id, "run"));
      response.json({ status: SEED_JOB_STATUS[state], progress: state === "succeeded" ? 1 : progress });
    }),
  );
  routes.get(
    "/api/jobs",
    handle(async (_, response) => {
      const list = await runs.list({}, 200);
      response.json(list.map((run) => ({ jobId: run.id, status: SEED_JOB_STATUS[run.state], created: run.createdAt, title: run.title })));
    }),
  );
  routes.get(
    "/api/jobs/:id",
    handle(async (request, response) => response.json(job(await runs.job(uuid(request.params.id, "run"))))),
  );
  routes.use(runRoutes(services), systemRoutes(services));

  routes.get(
    "/api/capabilities",
    handle(async (request, response) =>
      response.json(request.query.refresh === "1" ? await refreshCapabilities(services) : library.manifest()),
    ),
  );

  routes.get(
    "/api/workers",
    handle(async (_, response) => response.json(await presentWorkers(workers.redis))),
  );
  routes.get(
    "/api/workers/kept",
    handle(async (_, response) => response.json(library.keptWorkers())),
  );
  routes.post(
    "/api/workers/forget",
    express.json({ limit: "16kb" }),
    handle(async (request, response) => {
      const { worker = "" } = drain(request.body ?? {});
      await library.forget(worker);
      response.json({ forgot: worker });
    }),
  );
  routes.post(
    "/api/workers/drain",
    express.json({ limit: "16kb" }),
    handle(async (request, response) =>
      response.status(202).json({ draining: await drainWorkers(workers.redis, drain(request.body ?? {}).worker) }),
    ),
  );

  routes.post(
    "/api/graphs",
    text,
    handle(async (request, response) => {
      const { graph, issues } = readAnyText(typeof request.body === "string" ? request.body : "", library.library());
      if (!graph || hasErrors(issues)) throw Refused.issues("The graph is refused:", issues);
      response.status(201).json({ id: await graphs.create(graph.workflowId, graph) });
    }),
  );
  /** Whom the graph is shown, its picture is; a page asks anew, and is sent it only if it has changed. */
  routes.get(
    "/api/graphs/:id/picture.svg",
    handle(async (request, response) => {
      sendPicture(response, await graphs.picture(uuid(request.params.id, "graph")));
    }),
  );
  routes.get(
    "/api/graphs/:id/export",
    handle(async (request, response) => {
      const id = uuid(request.params.id, "graph");
      const { readable } = request.query;
      if (readable !== undefined && readable !== "last")
        throw new Refused(422, "request.invalid", "readable: it can only be `last`.", { field: "readable" });
      const { name } = await graphs.find(id);
      const { graph } = await (readable ? graphs.readLast(id) : graphs.read(id));
      const stem =
        name
          .replaceAll(/[^A-Za-z0-9 _-]/g, "")
          .trim()
          .slice(0, 60) || "graph";
      if (request.query.to === "mermaid") return response.type("text/plain").attachment(`${stem}.mmd`).send(exportMermaid(graph));
      if (request.query.to === "langgraph") {
        const issues = validate(graph, library.library());
        if (hasErrors(issues)) throw Refused.issues("Only a graph that runs can be exported as a program.", issues);
        const unfit = programIssues(graph, library.library());
        if (hasErrors(unfit)) throw Refused.issues("Not all of the graph can be a program.", unfit);
        return response.type("text/plain").attachment(`${stem}.ts`).send(exportTypeScript(graph, library.library()));
      }
      if (request.query.to === "comfyui") {
        const { text: prompt, why } = exportRegion(graph, library.library(), String(request.query.node ?? ""));
        if (prompt === undefined) throw new Refused(422, "request.invalid", why ?? "There is nothing to export.");
        return response.type("application/json").attachment(`${stem}.api.json`).send(prompt);
      }
      return response.type("application/json").attachment(`${stem}.json`).send(exportJson(graph));
    }),
  );

  routes.get(
    "/api/templates",
    handle(async (_, response) =>
      response.json(
        templates
          .list()
          .map(({ name, title, description }) => ({ name, title, description, inputs: templates.inputs(name, library.library()) })),
      ),
    ),
  );
  routes.get("/api/templates/:name/picture.svg", (request, response) => sendPicture(response, templates.drawing(request.params.name)));
  routes.get(
    "/api/templates/:name/files/:file",
    handle(async (request, response) => {
      const file = String(request.params.file);
      const found = templates.file(String(request.params.name), file);
      response.type(file.split(".").at(-1) ?? "bin");
      found.pipe(response);
    }),
  );

  async function startTemplate(name: string, inputs: Record<string, unknown>, request: Request): Promise<string> {
    const { graph, title } = templates.find(name);
    return runs.start(graph, inputs, {
      title,
      template: name,
      options: optionsOf(request),
      submitter: submitterOf(request, config),
      ...requestKeyOf(request),
    });
  }

  return routes;
}

/** `?dry=1` says what the run would do, and does none of it. */
const isDry = (request: Request): boolean => request.query.dry === "1";

const runOptions = requestReader(validateRunOptions);

/** `?force=1` runs everything, whatever the cache has; `?priority=high` goes before what is normal, `low` after it. @throws Refused */
function optionsOf({ query: { force, priority } }: Request): RunOptions {
  return runOptions({ ...(force === "1" ? { force: true } : {}), ...(priority === undefined ? {} : { priority }) });
}

function sendPicture(response: Response, svg: string): void {
  response.set({ "cache-control": "private, no-cache", "content-security-policy": "sandbox; default-src 'none'" });
  response.type("image/svg+xml").send(svg);
}

function parseObject(raw: string, field: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(raw);
    if (value !== null && typeof value === "object" && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // not JSON: refused below
  }
  throw new Refused(422, "request.invalid", `${field}: a JSON object is needed.`, { field });
}

/** Form fields are texts; an input of another JSON type is read as JSON. */
function values(form: Form, inputs: readonly { name: string; type: string }[]): Record<string, unknown> {
  const fields = Object.entries(form.fields).map(([name, raw]) => {
    const type = inputs.find((input) => input.name === name)?.type;
    if (type === "string" || type === undefined) return [name, raw] as const;
    try {
      return [name, JSON.parse(raw) as unknown] as const;
    } catch {
      return [name, raw] as const;
    }
  });
  return { ...Object.fromEntries(fields), ...form.files };
}

function job(run: Awaited<ReturnType<RunService["job"]>>): Record<string, unknown> {
  const { id, state, progress, createdAt, startedAt, finishedAt, outputs, error, inputs } = run;
  return {
    jobId: id,
    status: SEED_JOB_STATUS[state],
    progress: state === "succeeded" ? 1 : progress,
    created: createdAt,
    started: startedAt,
    finished: finishedAt,
    outputs,
    error,
    inputs,
  };
}

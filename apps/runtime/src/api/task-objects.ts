// DESIGN A3: workers hold no store credentials; a task's token opens exactly what the task needs.
import { createHash, randomUUID, timingSafeEqual } from "node:crypto";
import { pipeline } from "node:stream/promises";
import { type ArtifactRef, type ObjectWish, validateArtifactRef, validateObjectWish } from "@spindle/schemas";
import { taskToken } from "@spindle/task-bus";
import express, { type Request, Router } from "express";
import type { NodeRunRow } from "../record/node-run.ts";
import { Refused } from "../refused.ts";
import type { Services } from "../services/services.ts";
import { inputText, objectKey, parseTask, type TaskName } from "../tasks/task-name.ts";
import { handle, uuid } from "./respond.ts";

const MAX_OBJECT = 8 * 1024 ** 3;
const MAX_MANIFEST = "64mb";
/** The SHA-256 of the body, in hexadecimal digits. */
const MANIFEST_HASH = "x-spindle-sha256";
/** Whose manifest it is. */
const WORKER = "x-spindle-worker";
const MOST_OF_A_NAME = 300;

export function taskRoutes({ artifacts, record, config, library }: Services): Router {
  const routes = Router();

  routes.put(
    "/workers/comfy/:what(manifest|packs)",
    // The worker key is checked first: only a worker's body is read at all, and only as many bytes as it declares.
    (request, _response, next) => {
      assertToken(request, `manifest:${request.get(MANIFEST_HASH) ?? ""}`);
      next();
    },
    express.raw({ type: "application/json", limit: MAX_MANIFEST, inflate: false }),
    handle(async (request, response) => {
      const text = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
      if (createHash("sha256").update(text).digest("hex") !== request.get(MANIFEST_HASH))
        throw new Refused(422, "request.invalid", `The manifest is not the one whose SHA-256 stands in ${MANIFEST_HASH}.`);
      const worker = request.get(WORKER);
      if (!worker || worker.length > MOST_OF_A_NAME) throw new Refused(422, "request.invalid", `The bridge's name is needed in ${WORKER}.`);
      await library.bridges.put(worker, request.params.what as "manifest" | "packs", parse(text), text);
      response.status(204).end();
    }),
  );

  routes.get(
    "/tasks/:task/input",
    handle(async (request, response) => {
      const { row } = await authorised(request);
      response.type("application/json").send(inputText(row));
    }),
  );

  routes.post(
    "/tasks/:task/objects",
    express.json({ limit: "16kb" }),
    handle(async (request, response) => {
      const { row, task } = await authorised(request);
      const asked = readWish(request.body);
      const own = `${request.protocol}://${request.headers.host}/tasks/${request.params.task}/bytes`;
      const headers = { authorization: request.headers.authorization ?? "" };
      if (asked.direction === "get") {
        const found = await allowedInput(row, asked.artifact);
        const signed = await artifacts.store.sign("GET", found.key);
        return void response.json({ ref: found.ref, ...(signed ?? { url: `${own}/${found.ref.artifact}`, headers }) });
      }
      const { purpose, mime } = asked;
      const artifact = randomUUID();
      const key = objectKey(purpose, row.run_id, task, artifact);
      const signed = await artifacts.store.sign("PUT", key, mime);
      response.json({
        artifact,
        key,
        ...(signed ?? { url: `${own}/${purpose}/${artifact}`, headers: { ...headers, "content-type": mime } }),
      });
    }),
  );

  routes.get(
    "/tasks/:task/bytes/:artifact",
    handle(async (request, response) => {
      const { row } = await authorised(request);
      const { key, ref } = await allowedInput(row, String(request.params.artifact));
      response.type(ref.mime).set("content-length", String(ref.size));
      await pipeline(await artifacts.store.get(key), response).catch(() => {});
    }),
  );

  routes.put(
    "/tasks/:task/bytes/:purpose/:artifact",
    handle(async (request, response) => {
      const { row, task } = await authorised(request);
      const { purpose } = request.params;
      if (purpose !== "output" && purpose !== "preview") throw new Refused(404, "request.not_found", "There is no such purpose.");
      const size = Number(request.headers["content-length"]);
      if (!Number.isInteger(size) || size < 0 || size > MAX_OBJECT)
        throw new Refused(413, "artifact.too_large", "A content length within the limit is needed.");
      await artifacts.store.put(
        objectKey(purpose, row.run_id, task, uuid(request.params.artifact, "artifact")),
        request,
        size,
        request.headers["content-type"] ?? "application/octet-stream",
      );
      response.status(204).end();
    }),
  );

  async function authorised(request: Request): Promise<{ row: NodeRunRow; task: TaskName }> {
    const name = String(request.params.task);
    const task = parseTask(name);
    assertToken(request, name);
    if (!task) throw new Refused(401, "request.forbidden", "That is no task.");
    const row = await record.nodes.find(task.nodeRun);
    if (!row || row.fence !== task.fence || (row.state !== "dispatched" && row.state !== "running"))
      throw new Refused(409, "task.lease_lost", "The task belongs to another attempt now.");
    return { row, task };
  }

  /** @throws Refused unless whoever asks has the worker key */
  function assertToken(request: Request, name: string): void {
    const expected = digest(`Bearer ${taskToken(name, config.workerKey)}`);
    if (!timingSafeEqual(digest(request.headers.authorization ?? ""), expected))
      throw new Refused(401, "request.forbidden", "The task's token is wrong.");
  }

  async function allowedInput(row: NodeRunRow, id: string): Promise<{ key: string; ref: ArtifactRef }> {
    const found = references(row.input).has(id) ? await artifacts.find(id) : undefined;
    if (!found) throw new Refused(404, "artifact.not_found", "The task's input names no such artifact.");
    return found;
  }

  return routes;
}

const digest = (text: string): Buffer => createHash("sha256").update(text).digest();

/** @throws Refused */
function readWish(body: unknown): ObjectWish {
  if (validateObjectWish(body)) return body;
  const wrong = (validateObjectWish.errors ?? []).map(({ instancePath, message }) => `${instancePath.slice(1) || "The body"} ${message}`);
  throw new Refused(422, "request.invalid", `${wrong.join("; ")}.`);
}

/** @throws Refused */
function parse(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString("utf8"));
  } catch {
    throw new Refused(422, "request.invalid", "The manifest is not JSON.");
  }
}

function references(value: unknown, found = new Set<string>()): Set<string> {
  if (validateArtifactRef(value)) found.add(value.artifact);
  else if (value !== null && typeof value === "object") for (const inner of Object.values(value)) references(inner, found);
  return found;
}

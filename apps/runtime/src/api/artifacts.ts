// DESIGN A4: artifacts by id, streamed, with ranges; only known media is shown inline.
import { pipeline } from "node:stream/promises";
import { embedGraph, exportJson, type Graph } from "@spindle/graph-model";
import { MEDIA_TYPES } from "@spindle/schemas";
import { Router } from "express";
import parseRange from "range-parser";
import { Refused } from "../refused.ts";
import type { Services } from "../services/services.ts";
import { handle, uuid } from "./respond.ts";
import { readForm } from "./uploads.ts";

const MAX_EMBED = 200 * 1024 * 1024;

export function artifactRoutes({ artifacts, db }: Services): Router {
  const routes = Router();

  routes.post(
    "/api/artifacts",
    handle(async (request, response) => {
      const kind = typeof request.query.kind === "string" ? request.query.kind : "file";
      const { files } = await readForm(request, artifacts, (field) => (field === "file" ? kind : undefined));
      if (!files.file) throw new Refused(422, "request.invalid", "file: a file is needed.", { field: "file" });
      response.status(201).json(files.file);
    }),
  );

  routes.get(
    "/api/artifacts/:id",
    handle(async (request, response) => {
      const { key, ref } = await find(request.params.id);
      response.set({
        "accept-ranges": "bytes",
        etag: `"${ref.sha256}"`,
        "cache-control": "private, max-age=31536000, immutable",
      });
      const isShown = MEDIA_TYPES[ref.mime]?.inline === true;
      response.type(isShown ? ref.mime : "application/octet-stream");
      response.set("content-disposition", isShown ? "inline" : "attachment");
      if (request.fresh) return void response.status(304).end();
      const ranges = request.headers.range ? parseRange(ref.size, request.headers.range) : undefined;
      if (ranges === -1) return void response.status(416).set("content-range", `bytes */${ref.size}`).end();
      const range = Array.isArray(ranges) && ranges.length === 1 ? ranges[0] : undefined;
      const body = await artifacts.store.get(key, range);
      if (range) response.status(206).set("content-range", `bytes ${range.start}-${range.end}/${ref.size}`);
      response.set("content-length", String(range ? range.end - range.start + 1 : ref.size));
      await pipeline(body, response).catch(() => {}); // the client closed the connection
    }),
  );

  /**
   * A download: with the graph inside where the format can carry one, unless `graph=0`. That of the run which is named by `run`,
   * for a result may stand in many; else of the one that made the bytes.
   */
  routes.get(
    "/api/artifacts/:id/download",
    handle(async (request, response) => {
      const { key, ref } = await find(request.params.id);
      const name = `spindle-${ref.artifact.slice(0, 8)}.${MEDIA_TYPES[ref.mime]?.extensions[0] ?? "bin"}`;
      response.type(ref.mime).attachment(name);
      const graph = request.query.graph === "0" || ref.size > MAX_EMBED ? undefined : await graphOf(ref.artifact, request.query.run);
      const bytes = graph && embedGraph(Buffer.concat(await (await artifacts.store.get(key)).toArray()), exportJson(withoutFiles(graph)));
      if (bytes) return void response.send(Buffer.from(bytes));
      response.set("content-length", String(ref.size));
      await pipeline(await artifacts.store.get(key), response).catch(() => {});
    }),
  );

  async function find(id: unknown) {
    const found = await artifacts.find(uuid(id, "artifact"));
    if (!found) throw new Refused(404, "artifact.not_found", "There is no such artifact.");
    return found;
  }

  async function graphOf(id: string, run: unknown): Promise<Graph | undefined> {
    if (typeof run === "string") {
      const named = await db.prisma.run.findUnique({ where: { id: uuid(run, "run") }, include: { revision: true } });
      return named?.revision.document as unknown as Graph | undefined;
    }
    const row = await db.prisma.artifact.findUnique({ where: { id } });
    const nodeRun = row?.nodeRunId
      ? await db.prisma.nodeRun.findUnique({ where: { id: row.nodeRunId }, include: { run: { include: { revision: true } } } })
      : null;
    return nodeRun?.run.revision.document as unknown as Graph | undefined;
  }

  return routes;
}

/** Input files stay where they are: parameters that refer to one are left out. */
function withoutFiles(graph: Graph): Graph {
  const isFile = (value: unknown) => value !== null && typeof value === "object" && "artifact" in value;
  const nodes = graph.nodes.map((node) =>
    node.params ? { ...node, params: Object.fromEntries(Object.entries(node.params).filter(([, value]) => !isFile(value))) } : node,
  );
  return { ...graph, nodes: nodes as Graph["nodes"] };
}

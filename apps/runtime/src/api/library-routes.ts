// The library for pages: documents by their hash, which a browser keeps, and the definitions of the classes that a graph uses.
import { LIBRARY_ADDRESS, MOST_DEFINITIONS } from "@spindle/node-library";
import { type Request, type Response, Router } from "express";
import { Refused } from "../refused.ts";
import { ENCODINGS, type Encoding, type LibraryDocument } from "../services/library-documents.ts";
import type { Services } from "../services/services.ts";
import { handle } from "./respond.ts";

export function libraryRoutes({ library: { documents } }: Pick<Services, "library">): Router {
  const routes = Router();
  routes.get(
    `${LIBRARY_ADDRESS}/:hash`,
    handle(async (request, response) => send(request, response, documents.find(String(request.params.hash)))),
  );
  routes.get(
    `${LIBRARY_ADDRESS}/:hash/definitions`,
    handle(async (request, response) => {
      const classes = [request.query.of ?? []].flat().map(String);
      if (classes.length === 0 || classes.length > MOST_DEFINITIONS)
        throw new Refused(422, "request.invalid", `of: 1 to ${MOST_DEFINITIONS} classes are needed.`, { field: "of" });
      await send(request, response, documents.definitions(String(request.params.hash), classes));
    }),
  );
  return routes;
}

async function send(request: Request, response: Response, document: LibraryDocument | undefined): Promise<void> {
  if (!document) throw new Refused(404, "library.not_found", "The library has changed. Its new address comes by `library.watch`.");
  response.set({ "cache-control": "private, max-age=31536000, immutable", vary: "accept-encoding", "content-type": "application/json" });
  const encoding = request.acceptsEncodings([...ENCODINGS]) as Encoding | false;
  if (encoding) response.set("content-encoding", encoding);
  response.end(encoding ? await document.in(encoding) : document.text);
}

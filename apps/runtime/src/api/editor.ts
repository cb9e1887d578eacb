// Serves the editor: the built one, or Vite's while developing. The runtime knows only where it lies.
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createRequestHandler } from "@remix-run/express";
import express, { type RequestHandler, Router } from "express";
import { Refused } from "../refused.ts";

export async function editorRoutes(folder: string, dev: boolean): Promise<Router> {
  const routes = Router();
  if (dev) {
    const require = createRequire(join(folder, "package.json"));
    const { createServer } = await import(pathToFileURL(require.resolve("vite")).href);
    const vite = await createServer({ root: folder, configFile: join(folder, "vite.config.ts"), server: { middlewareMode: true } });
    routes.use(vite.middlewares);
    routes.all(
      "*",
      createRequestHandler({ build: () => vite.ssrLoadModule("virtual:remix/server-build"), mode: "development" }) as RequestHandler,
    );
    return routes;
  }
  const server = join(folder, "build/server/index.js");
  if (!existsSync(server)) {
    routes.get("*", (_, response) => void response.status(503).type("text/plain").send("The editor is not built. Run: npm start\n"));
    return routes;
  }
  routes.use("/assets", express.static(join(folder, "build/client/assets"), { immutable: true, maxAge: "1y" }));
  routes.use(express.static(join(folder, "build/client"), { maxAge: "1h" }));
  // The server listens before the pages are loaded: probes and workers need none of them.
  const build = import(pathToFileURL(server).href);
  build.catch(() => {}); // each request for a page is answered with that error
  routes.all(
    "*",
    refuseFormerLoads,
    policy,
    createRequestHandler({
      build: () => build,
      mode: "production",
      getLoadContext: (_, response) => ({ nonce: response.locals.nonce }),
    }) as RequestHandler,
  );
  return routes;
}

/** Remix still answers them, and takes each for a fault of its own. */
const refuseFormerLoads: RequestHandler = ({ query }, _, next) =>
  next(query._data === undefined ? undefined : new Refused(400, "request.invalid", "The pages have no such address."));

const policy: RequestHandler = (_, response, next) => {
  const nonce = randomBytes(16).toString("base64");
  response.locals.nonce = nonce;
  response.set(
    "content-security-policy",
    [
      "default-src 'self'",
      `script-src 'self' 'nonce-${nonce}'`,
      "style-src 'self' 'unsafe-inline'",
      "img-src 'self' blob: data:",
      "media-src 'self' blob:",
      "font-src 'self' data:",
      "connect-src 'self'",
      "worker-src 'self' blob:",
      "object-src 'none'",
      "base-uri 'none'",
      "frame-ancestors 'none'",
      "form-action 'self'",
    ].join("; "),
  );
  next();
};

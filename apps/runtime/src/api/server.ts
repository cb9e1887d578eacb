// One port for page, API and sockets.
import { createServer, type IncomingMessage, type Server } from "node:http";
import { join } from "node:path";
import type { Duplex } from "node:stream";
import { CLOSE, MOST_MESSAGE_BYTES } from "@spindle/graph-model/shared-doc";
import { createExpressMiddleware } from "@trpc/server/adapters/express";
import { applyWSSHandler } from "@trpc/server/adapters/ws";
import express, { type RequestHandler } from "express";
import { type WebSocket, WebSocketServer } from "ws";
import type { DocumentHost } from "../collab/document-host.ts";
import type { DocumentLeases } from "../collab/document-leases.ts";
import { refusedLog } from "../collab/refused-edits.ts";
import { CollabSockets, knowsIn } from "../collab/socket.ts";
import { metrics } from "../metrics.ts";
import { Refused } from "../refused.ts";
import { ROOT } from "../root.ts";
import type { Services } from "../services/services.ts";
import { principalOf, Shares } from "../shares.ts";
import { isOutage } from "../store/patient.ts";
import { serverSecret } from "../store/secret.ts";
import { artifactRoutes } from "./artifacts.ts";
import { CallSocket, MAX_CALLS_AT_ONCE } from "./bounded-messages.ts";
import { editorRoutes } from "./editor.ts";
import { Forwarding } from "./forward.ts";
import { type Guard, makeGuard, submitterOf } from "./guard.ts";
import { healthRoutes } from "./health.ts";
import { Identities, identify } from "./identity.ts";
import { libraryRoutes } from "./library-routes.ts";
import { errors, uuid } from "./respond.ts";
import { restRoutes } from "./rest.ts";
import { appRouter } from "./router.ts";
import { taskRoutes } from "./task-objects.ts";

const METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"];
const REFUSALS: Record<number, string> = {
  400: "Bad Request",
  403: "Forbidden",
  404: "Not Found",
  429: "Too Many Requests",
  503: "Service Unavailable",
};

const noSuchCall: RequestHandler = (_, __, next) => next(new Refused(404, "request.not_found", "There is no such call."));

/** Of every answer. The pages have a policy of their own (editor.ts); nothing else runs scripts, or is framed or embedded by other sites. */
const HEADERS = {
  "content-security-policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "same-origin",
  "x-content-type-options": "nosniff",
};

export interface RunningServer {
  server: Server;
  port: number;
  stop(): Promise<void>;
}

export async function serve(
  services: Services,
  documents: DocumentHost,
  leases: Pick<DocumentLeases, "living">,
  onError: (where: string, error: unknown) => void,
): Promise<RunningServer> {
  const { config } = services;
  const guard = makeGuard(config);
  /** Probes and workers do not come through the people's proxy: what `/tasks` and `/workers` give is opened by the worker key. */
  const machineGuard = makeGuard({ ...config, proxySecret: "" });
  const app = express();
  app.disable("x-powered-by");
  app.set("query parser", "simple"); // texts and lists of texts: no objects, of which some cannot even be made a text
  app.use((_, response, next) => {
    response.set(HEADERS);
    next();
  });
  const admit =
    (admits: Guard): RequestHandler =>
    (request, response, next) => {
      const why = admits(request, "http");
      if (why) return next(new Refused(403, "request.forbidden", why));
      if (!hasAddress(request)) return next(new Refused(400, "request.invalid", "The address of the request cannot be read."));
      if (METHODS.includes(request.method)) return next();
      response.set("allow", METHODS.join(", "));
      next(new Refused(405, "request.invalid", `The method ${request.method} is not used here.`));
    };
  app.use(
    admit(machineGuard),
    healthRoutes(services, () => ({ calls: rpc.clients.size, documents: sockets.clients.size })),
    taskRoutes(services),
  );
  app.use(["/tasks", "/workers"], noSuchCall);
  app.use(admit(guard), artifactRoutes(services), libraryRoutes(services), restRoutes(services));
  const shares = new Shares();
  const shareOf = (request: IncomingMessage) => shares.of(principalOf(request, config));
  const contextOf = ({ req }: { req: IncomingMessage }) => ({
    ...services,
    connection: { submitter: submitterOf(req, services.config), openCalls: 0, share: shareOf(req) },
  });
  app.use(
    "/trpc",
    createExpressMiddleware({
      router: appRouter,
      createContext: contextOf,
      maxBodySize: MOST_MESSAGE_BYTES,
      maxBatchSize: MAX_CALLS_AT_ONCE,
    }),
  );
  app.use("/api", noSuchCall);
  const secret = await serverSecret(services.db.pool);
  const identities = new Identities(secret);
  app.use(identify(identities, config.proxySecret !== ""));
  app.use(await editorRoutes(join(ROOT, "apps/editor"), config.dev));
  app.use(errors(onError));

  const server = createServer(app);
  const sockets = new WebSocketServer({ noServer: true, maxPayload: MOST_MESSAGE_BYTES });
  const rpc = new WebSocketServer({ noServer: true, maxPayload: MOST_MESSAGE_BYTES, WebSocket: CallSocket });
  const rpcHandler = applyWSSHandler({
    wss: rpc,
    router: appRouter,
    createContext: contextOf,
    keepAlive: { enabled: true, pingMs: 20_000, pongWaitMs: 10_000 },
  });
  const collab = new CollabSockets(documents, refusedLog(services.db.pool), onError);
  const forwarding = new Forwarding(secret, leases, config.timings.runLeaseMs, onError);
  const upgrade = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const why = guard(request, "socket");
    if (why) throw new Refused(403, "request.forbidden", why);
    if (!hasAddress(request)) throw new Refused(400, "request.invalid", "The address of the request cannot be read.");
    const forwarded = forwarding.visitorOf(request);
    const principal = forwarded?.principal ?? principalOf(request, config);
    const visitor = forwarded ?? { principal, author: identities.authorOf(request, principal) };
    const share = shares.of(principal);
    socket.once("close", shares.enter(share));
    const [path = "", query = ""] = (request.url ?? "").split("?");
    if (path === "/trpc")
      return rpc.handleUpgrade(request, socket, head, (ws) => {
        shares.watch(ws, share);
        rpc.emit("connection", ws, request);
      });
    const graph = path.startsWith("/collab/") ? path.slice("/collab/".length) : undefined;
    // A browser does not tell a page why a socket was not opened, so what the page must know is said by the socket.
    const known = await services.graphs.find(uuid(graph, "graph")).catch((error: unknown) => {
      if (error instanceof Refused && error.status === 404) return error;
      throw error;
    });
    const owner = known instanceof Refused || forwarded ? undefined : await documents.otherOwner(known.id);
    if (owner) return forwarding.forward(owner, request.url ?? "", request, socket, head, visitor);
    sockets.handleUpgrade(request, socket, head, (ws: WebSocket) => {
      ws.on("error", () => {});
      if (known instanceof Refused) {
        ws.close(known.code === "graph.deleted" ? CLOSE.removed : CLOSE.gone, known.message);
        setTimeout(() => ws.terminate(), CLOSING_MS).unref(); // who does not answer keeps nothing open
        return;
      }
      shares.watch(ws, share);
      collab.connect(known, ws, knowsIn(query), share, visitor.author);
    });
  };
  server.on("upgrade", (request, socket, head) => {
    socket.on("error", () => {});
    upgrade(request, socket, head).catch((error) => {
      if (!(error instanceof Refused || isOutage(error))) onError("upgrade", error);
      // An ended socket is not closed yet: a client that keeps its half open would keep the descriptor in use.
      const status = error instanceof Refused ? error.status : 503;
      metrics.socketsRefused.inc({ status });
      socket.end(`HTTP/1.1 ${status} ${REFUSALS[status]}\r\nconnection: close\r\n\r\n`, () => socket.destroy());
    });
  });
  const port = await listen(server, config.host, config.port);
  return {
    server,
    port,
    async stop() {
      rpcHandler.broadcastReconnectNotification();
      forwarding.stop();
      for (const ws of [...rpc.clients, ...sockets.clients]) ws.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const CLOSING_MS = 1000;

/** Libraries make a URL of the host and the path, and throw where that cannot be done. */
const hasAddress = ({ url = "", headers }: IncomingMessage): boolean => url.startsWith("/") && URL.canParse(`http://${headers.host}`);

const TRIES = 20;
const MAX_PORT = 65_535;

/** A port that is in use ends nothing: the next one is tried, and the log names it. */
async function listen(server: Server, host: string, first: number): Promise<number> {
  for (let port = first; ; port++) {
    const error = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
      server.once("error", resolve);
      server.listen(port, host, () => {
        server.off("error", resolve);
        resolve(undefined);
      });
    });
    if (!error) return (server.address() as { port: number }).port;
    if (error.code !== "EADDRINUSE" || port >= Math.min(first + TRIES, MAX_PORT)) throw error;
    console.log(`Port ${port} is taken; trying ${port + 1}.`);
  }
}

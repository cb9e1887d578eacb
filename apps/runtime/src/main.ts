// Starts the runtime. The launcher (infra/launch) gives it PostgreSQL, Redis and a worker key by the environment.
import { EventEmitter } from "node:events";
import { rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { openLog, whyRedisUnfit } from "@spindle/task-bus";
import { assertBindAllowed } from "./api/guard.ts";
import { serve } from "./api/server.ts";
import { Artifacts } from "./artifacts/artifacts.ts";
import { openStore, storeName } from "./artifacts/open-store.ts";
import { DocumentHost } from "./collab/document-host.ts";
import { documentLeases } from "./collab/document-leases.ts";
import { updateLog } from "./collab/update-log.ts";
import { type Config, readConfig } from "./config.ts";
import { NodePlane } from "./engine/node-plane.ts";
import { RunDriver } from "./engine/run-driver.ts";
import { NodeRegistry } from "./nodes/registry.ts";
import { PostgresRecord } from "./record/postgres-record.ts";
import { ROOT } from "./root.ts";
import { Blueprints } from "./services/blueprints.ts";
import { DefinitionService } from "./services/definition-service.ts";
import { EngineService } from "./services/engine-service.ts";
import { GraphService } from "./services/graph-service.ts";
import { KeptManifests } from "./services/kept-manifests.ts";
import { LibraryService } from "./services/library-service.ts";
import { PeopleService } from "./services/people-service.ts";
import { PlanService } from "./services/plan-service.ts";
import { QueueService } from "./services/queue-service.ts";
import { RunService } from "./services/run-service.ts";
import { Stores } from "./services/stores.ts";
import { SystemService } from "./services/system-service.ts";
import { loadBlueprints, TemplateService } from "./services/template-service.ts";
import { Waits } from "./services/waits.ts";
import { openDatabase } from "./store/database.ts";
import { migrateDatabase } from "./store/migrate.ts";
import { patient } from "./store/patient.ts";
import { Decisions } from "./tasks/decisions.ts";
import { deviceOf } from "./tasks/devices.ts";
import { LiveBoard } from "./tasks/live.ts";
import { Pauses } from "./tasks/pauses.ts";
import { QueuePositions } from "./tasks/queue-positions.ts";
import { ServerFailures } from "./tasks/server-failures.ts";
import { WorkerPlane } from "./tasks/worker-plane.ts";
import { WorkerRoster } from "./tasks/worker-roster.ts";

let log = openLog("runtime", { ...process.env, SPINDLE_LOG: "text" }); // until the settings are read
const onError = (where: string, error: unknown): void => log.error(where, error);

async function start(config: Config): Promise<() => Promise<void>> {
  log = openLog("runtime", process.env);
  assertBindAllowed(config);
  const db = openDatabase(config.databaseUrl);
  await patient(() => migrateDatabase(db.pool, (line) => log.info("migrations", line)));
  const store = await openStore(config);
  await store.check();
  const artifacts = new Artifacts(store, db, join(config.home, "uploads"));
  await artifacts.sweep();
  const record = new PostgresRecord(db.pool, db.changes);
  record.counts.onEvent = (type, ids) => log.note("record", type, ids);
  const live = new LiveBoard();
  const decisions = new Decisions(record.nodes);
  const { timings, models } = config;
  const pauses: Pauses = new Pauses(record.orders, () => library.library());
  const failures = new ServerFailures();
  const workers: WorkerPlane = new WorkerPlane({
    redisUrl: config.redisUrl,
    workerKey: config.workerKey,
    timings,
    record,
    pauses,
    decisions,
    artifacts,
    live,
    failures,
    isCancelled: (run) => driver.isCancelled(run),
    whyTooMuch: (row, output) => driver.whyTooMuch(row, output),
    onError,
  });
  const unfit = await patient(() => whyRedisUnfit(workers.redis));
  if (unfit) throw new Error(unfit);
  const registry = await NodeRegistry.load();
  const blueprints = new Blueprints(db.pool, await loadBlueprints(join(ROOT, "templates")));
  const library: LibraryService = new LibraryService(
    workers.redis,
    registry,
    models,
    store,
    new KeptManifests(db.pool),
    blueprints,
    config,
    failures,
  );
  const nodePlane = new NodePlane({ nodes: record.nodes, registry, artifacts, live, models, timings, manifest: () => library.manifest() });
  const driver: RunDriver = new RunDriver({
    db,
    owner: config.owner,
    timings,
    live,
    parts: { workers: workers.tasks, cancels: workers.cancels, nodePlane },
    record,
    decisions,
    reports: library,
    onError,
  });
  const runtime = { id: config.owner, url: "" };
  const documentClaims = documentLeases(db.pool, runtime);
  const documents = new DocumentHost(updateLog(db), onError, undefined, documentClaims);
  const graphs = new GraphService(db, documents, () => library.library());
  const engines = new EngineService(db.pool, blueprints, library, graphs);
  const positions = new QueuePositions(record.queue, (task) => deviceOf(task, library.library()));
  const waits = new Waits({
    history: record.history,
    live,
    library,
    positionOf: (nodeRun) => positions.of(nodeRun),
    reaper: workers.reaper,
    pauses,
    resolvedOf: (run) => driver.resolvedFor(run),
  });
  const stores = new Stores({ db, redis: workers.redis, store, library, config });
  const roster = new WorkerRoster(workers.redis);
  const system = new SystemService({ db, redis: workers.redis, owner: config.owner, library, roster, positions, pauses, failures, stores });
  const runs = new RunService(db, record, driver, graphs, live, waits, () => library.library());
  const stopSweeping = graphs.sweepDaily(onError);
  const plans = new PlanService(record, () => library.library(), library.burden);
  const people = new PeopleService(db, record, driver, decisions);
  const templates = await TemplateService.load(join(ROOT, "templates"));
  decisions.start(onError);
  positions.start(onError);
  roster.start();
  waits.start(onError);
  await workers.start();
  await library.start();
  // Documents are claimed under the lease of the runtime, so it begins before any socket opens.
  await patient(() => record.leases.renew(config.owner, timings.runLeaseMs));
  const running = await serve(
    {
      config,
      db,
      artifacts,
      record,
      live,
      workers,
      library,
      engines,
      graphs,
      definitions: new DefinitionService(db),
      queue: new QueueService(db, record.orders, workers, () => library.library()),
      runs,
      stores,
      system,
      people,
      plans,
      templates,
      waits,
    },
    documents,
    documentClaims,
    onError,
  );
  runtime.url = peerUrl(config, running.port);
  const stopChecking = documents.checkAgain(timings.runLeaseMs / 2);
  const url = `http://${config.host}:${running.port}`;
  await tellWhereItRuns(config, url);
  log.info("start", `listening ${url}`);
  // Runs are taken over last, so that the port is open whatever they are like.
  driver.start();
  return async () => {
    stopSweeping();
    stopChecking();
    library.stop();
    positions.stop();
    roster.stop();
    waits.stop();
    // Connections may take their time to close; the leases are not to wait for that.
    await Promise.all([running.stop(), driver.stop()]);
    await documentClaims.releaseAll().catch(() => {}); // else they are free once the lease is over
    decisions.stop();
    await workers.stop();
    await db.close();
  };
}

/** Where other runtimes reach this one, which may listen on all addresses of its machine. */
function peerUrl({ peerUrl: set, host }: Config, port: number): string {
  if (set) return set;
  const name = host === "0.0.0.0" || host === "::" ? hostname() : host;
  return `http://${name.includes(":") ? `[${name}]` : name}:${port}`;
}

/** For commands on this machine: where the server is, its database and its store. The address of a database has its password in it. */
async function tellWhereItRuns({ home, databaseUrl, s3 }: Config, url: string): Promise<void> {
  const file = join(home, "server.json");
  await rm(file, { force: true }); // an older one may be readable by all
  await writeFile(file, JSON.stringify({ url, pid: process.pid, databaseUrl, store: storeName({ s3 }) }), { mode: 0o600 });
}

// LangGraph listens once for each node that runs at once, on one signal; that is no leak.
EventEmitter.defaultMaxListeners = 0;

let stop: (() => Promise<void>) | undefined;
let isEnding = false;

/** Gives up the leases and ends the process: its runs go on at once, in another runtime or in the one that the launcher starts. */
function end(code: number): void {
  if (isEnding) return;
  isEnding = true;
  setTimeout(() => process.exit(code), 5000).unref();
  void (stop?.() ?? Promise.resolve()).finally(() => process.exit(code));
}

// Nobody knows what an error that nothing caught has left undone: a run may wait for it for ever.
for (const event of ["unhandledRejection", "uncaughtException"] as const)
  process.on(event, (error: unknown) => {
    onError(`${event}, for which the runtime ends`, error);
    end(1);
  });

try {
  stop = await start(readConfig(process.env));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => end(0));
} catch (error) {
  log.error("start", `Spindle's runtime does not start: ${(error as Error).message}`);
  process.exit(78);
}

// Starts the bridge: one loop for each ComfyUI, and one that says what all of them offer.
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { BUS, type WorkerReport } from "@spindle/schemas";
import { names, openLog, openRedis, workerEnd } from "@spindle/task-bus";
import { BridgeNotice } from "./library/bridge-notice.ts";
import { ManifestHandover } from "./library/handover.ts";
import { countedBus, serveMetrics } from "./metrics.ts";
import { ComfyServer } from "./server.ts";
import { readSettings, type Settings } from "./settings.ts";
import { putDocument } from "./task/runtime.ts";

const PUBLISH_EVERY_MS = 1000;
const MANIFEST_TTL_MS = 5000;
const HANDING_OVER = "The bridge hands over what its ComfyUI servers offer. With many nodes and a slow connection that takes a while.";
const REPORT_EVERY_MS = 3000;
const REPORT_TTL_MS = 8000;
/** Servers that a report names. */
const MOST_SERVERS = 64;

const { version: RELEASE } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { version: string };

const journal = openLog("bridge", process.env);
const log = (line: string): void => journal.info("bridge", line);

async function start(settings: Settings): Promise<void> {
  /** Nothing more is taken. */
  const shutdown = new AbortController();
  /** What still runs is handed back. */
  const over = new AbortController();
  let grace: NodeJS.Timeout | undefined;
  const redis = openRedis(settings.redisUrl, { commandTimeout: 5000 });
  const bells = openRedis(settings.redisUrl);
  bells.setMaxListeners(0);
  void bells.subscribe(names.doorbell("comfy")).catch(() => {});
  // Not AbortSignal.any over a time-out: Node 20 may collect the time-out, and then nothing ends the wait.
  const bell = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(done, ms);
      shutdown.signal.addEventListener("abort", done);
      bells.once("message", done);
      function done() {
        clearTimeout(timer);
        shutdown.signal.removeEventListener("abort", done);
        bells.off("message", done);
        resolve();
      }
    });
  const bus = workerEnd(redis, settings.worker, settings.workerKey);
  const servers = settings.servers.map(
    (server) => new ComfyServer({ ...server, bus: countedBus(bus, server.id, journal), runtime: settings, bell, log }),
  );
  const metrics = settings.metrics && (await serveMetrics(settings.metrics, () => servers.map(({ library }) => library)));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, end);
  const serving = Promise.all(servers.map((server) => server.serve(shutdown.signal, over.signal)));
  await Promise.all([report(serving), serving, ...servers.map((server) => refreshRegularly(server)), publish()]);
  clearTimeout(grace);
  await redis.srem(names.workers("comfy"), settings.worker).catch(() => {}); // else the runtime finds it gone
  metrics?.close();
  redis.disconnect();
  bells.disconnect();

  /** The second time it is told to, it waits no longer. */
  function end(): void {
    if (grace) over.abort();
    else grace = setTimeout(() => over.abort(), settings.drainMs);
    shutdown.abort();
  }

  async function refreshRegularly(server: ComfyServer): Promise<void> {
    while (!shutdown.signal.aborted) {
      await server.refresh();
      await rest(server.library.live ? settings.libraryEveryMs : Math.min(settings.libraryEveryMs, 2000));
    }
  }

  /** Goes on until what runs has ended, when nothing is offered any more. */
  async function report(served: Promise<unknown>): Promise<void> {
    let [isOver, isLooking] = [false, false];
    const end = served
      .catch(() => {})
      .then(() => {
        isOver = true;
      });
    for (let wasLast = false; !wasLast; await Promise.race([sleep(REPORT_EVERY_MS, undefined, { ref: false }), end])) {
      wasLast = isOver;
      const said: WorkerReport = {
        v: 1,
        version: RELEASE,
        draining: shutdown.signal.aborted,
        ended: isOver,
        servers: servers.slice(0, MOST_SERVERS).map((server) => server.report),
      };
      const key = names.workerReport("comfy", settings.worker);
      await redis.set(key, JSON.stringify(said), "PX", REPORT_TTL_MS).catch(() => {}); // no run depends on it
      if (isLooking || isOver) continue;
      isLooking = true;
      void Promise.all(servers.map((server) => server.lookAtFacts())).finally(() => {
        isLooking = false;
      });
    }
  }

  /** The manifest itself goes to the runtime when it changes; Redis only says which one holds, and that somebody is there. */
  async function publish(): Promise<void> {
    const manifests = new ManifestHandover((text) => putDocument(settings, "manifest", text));
    let [packs, handedOver] = ["", "{}"];
    const bridgeNotice = new BridgeNotice({
      handOver: async () => {
        const held = await manifests.follow(servers.map((server) => server.library));
        const named = JSON.stringify(Object.fromEntries(servers.flatMap((server) => [...server.packs])));
        if (named === handedOver) return held;
        handedOver = named; // a runtime of an earlier release does not want it, and is asked once
        packs = await putDocument(settings, "packs", named).catch((error: unknown) => {
          log(`what the Manager knows of packs could not be handed over: ${String(error)}`);
          return packs;
        });
        return held;
      },
      announce: async (held) => {
        const isFirst = !held && servers.some(({ library }) => library.nodes.size > 0);
        const reason = isFirst ? HANDING_OVER : held?.reason;
        if (!held?.sha256 && !reason) return; // no server has been asked yet
        const busy = Object.fromEntries(servers.flatMap((server) => (server.busy ? [[server.library.id, server.busy]] : [])));
        const notice = JSON.stringify({
          busy,
          region: BUS.regionVersion,
          ...(held?.sha256 ? { sha256: held.sha256 } : {}),
          ...(packs ? { packs } : {}),
          ...(reason ? { reason } : {}),
        });
        await redis.set(names.workerManifest("comfy", settings.worker), notice, "PX", MANIFEST_TTL_MS);
        await redis.sadd(names.workers("comfy"), settings.worker);
        if (await redis.exists(names.drain(settings.worker))) shutdown.abort();
      },
      log,
    });
    while (!shutdown.signal.aborted) {
      const patience = rest(PUBLISH_EVERY_MS);
      await bridgeNotice.renew(patience).catch((error: unknown) => log(`that the bridge is there could not be said: ${String(error)}`));
      await patience;
    }
  }

  async function rest(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: shutdown.signal }).catch(() => {});
  }
}

// An error that nothing caught in one message must not end what runs; the log has its trace.
process.on("unhandledRejection", (error) => journal.error("unhandledRejection", error));

try {
  await start(readSettings(process.env));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(78);
}

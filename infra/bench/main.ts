// `npm run bench`: one JSON line a figure, each over an anchor that is measured in the same run (docs/performance.md).
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { buildDatabaseClient } from "../launch/build.ts";
import { sharedFolder } from "../launch/paths.ts";
import { freePort } from "../launch/ports.ts";
import { say } from "../launch/say.ts";
import { startStack } from "../launch/stack.ts";
import type { Measure } from "./figure.ts";
import { api } from "./figures/api.ts";
import { cancel } from "./figures/cancel.ts";
import { canvas, page } from "./figures/canvas.ts";
import { chains } from "./figures/chains.ts";
import { collab } from "./figures/collab.ts";
import { comfy } from "./figures/comfy.ts";
import { dispatch } from "./figures/dispatch.ts";
import { eta } from "./figures/eta.ts";
import { graph } from "./figures/graph.ts";
import { sixteen } from "./figures/lanes.ts";
import { libraries } from "./figures/library.ts";
import { makespan } from "./figures/makespan.ts";
import { rerun } from "./figures/rerun.ts";
import { storm } from "./figures/storm.ts";

const FIGURES: Record<string, Measure> = {
  chains,
  lanes: sixteen,
  rerun,
  eta,
  makespan,
  dispatch,
  cancel,
  api,
  collab,
  canvas,
  page,
  comfy,
  libraries,
  storm,
  graph,
};

/** @param only names of figures; all where it is empty */
export async function bench(only: readonly string[]): Promise<number> {
  const unknown = only.filter((name) => !(name in FIGURES));
  if (unknown.length > 0) {
    say(`There is no figure ${unknown.join(", ")}. There are: ${Object.keys(FIGURES).join(", ")}.`);
    return 1;
  }
  await buildDatabaseClient();
  const home = await mkdtemp(join(tmpdir(), "spindle-bench-"));
  const postgres = sharedFolder("postgres-bench");
  const stack = await startStack({ home, postgres, port: await freePort(), quiet: true });
  const db = new pg.Pool({ connectionString: stack.env.DATABASE_URL as string, max: 16 });
  db.on("error", () => {});
  try {
    for (const [name, measure] of Object.entries(FIGURES)) {
      if (only.length > 0 && !only.includes(name)) continue;
      for (const figure of await measure({ url: stack.url, env: stack.env, db, stopWorker: async () => stack.processes.worker?.stop() }))
        process.stdout.write(`${JSON.stringify(figure)}\n`);
    }
    return 0;
  } finally {
    await db.end();
    await stack.stop();
    await rm(home, { recursive: true, force: true });
    await rm(postgres, { recursive: true, force: true });
  }
}

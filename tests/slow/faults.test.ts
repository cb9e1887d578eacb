// The fault matrix: at each of twelve points of a run's way each of seven processes is killed; whatever it was, the run ends as it would
// have, and no invariant is broken. A failure names its cell; SPINDLE_FAULT_CELLS="afterSend redis" runs one alone, SPINDLE_FAULT_SEEDS=20 the
// whole 20 times. tests/slow/broken-builds.test.ts shows that it can fail.
import { CRASH_POINTS } from "@spindle/task-bus";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FaultHarness } from "../support/fault-harness.ts";
import { brokenInvariants, type History } from "../support/invariants.ts";
import { differsOnPage, Outcomes } from "../support/reliability.ts";
import { until } from "../support/spindle.ts";

const program = process.env.SPINDLE_MINIO;
const VICTIMS = ["runtime", "child", "engine", "supervisor", "redis", "postgres", "store"] as const;
/** More than one: later kills, each a little after the point, at a moment that the seed decides. */
const SEEDS = Array.from({ length: Number(process.env.SPINDLE_FAULT_SEEDS ?? 1) }, (_, seed) => seed);
const only = process.env.SPINDLE_FAULT_CELLS?.split(",");
const wanted = (cell: string): boolean => !only || only.includes(cell);
const CELLS = SEEDS.flatMap((seed) => CRASH_POINTS.flatMap((point) => VICTIMS.map((victim) => [point, victim, seed] as const))).filter(
  ([point, victim]) => wanted(`${point} ${victim}`),
);

describe.runIf(program)("[E9, W5, W6, W9] the fault matrix", () => {
  let harness: FaultHarness;
  let last: History | undefined;
  const outcomes = new Outcomes();
  beforeAll(async () => {
    harness = await FaultHarness.start(program as string);
  });
  afterAll(() => harness?.stop());

  const victims: Record<(typeof VICTIMS)[number], () => (number | undefined)[]> = {
    runtime: () => [harness.spindle.processes.runtime?.pid],
    child: () => harness.children(),
    engine: () => harness.engines(),
    supervisor: () => [harness.spindle.processes.worker?.pid],
    redis: () => [harness.spindle.processes.redis?.pid],
    postgres: () => [harness.spindle.processes.postgres?.pid],
    store: () => [harness.minio.pid],
  };

  test.each(CELLS)("at %s, kill -9 of %s (seed %i)", async (point, victim, seed) => {
    await harness.wholesome();
    await harness.arm(point);
    const run = harness.submit(`${point} ${victim} ${Date.now()}`);
    await harness.reached(point);
    if (seed > 0) {
      await harness.release();
      await new Promise((resolve) => setTimeout(resolve, later(seed)));
    }
    for (const pid of victims[victim]()) if (pid) process.kill(pid, "SIGKILL");
    await harness.release();
    last = await harness.history(await run);
    const broken = brokenInvariants(last, victim === "runtime" || victim === "postgres");
    outcomes.add(point, victim, {
      lost: last.state === "succeeded" ? 0 : 1,
      doubled: broken.filter((found) => /^I[157] /.test(found)).length,
      again: last.nodes.reduce((sum, { attempt }) => sum + Math.max(0, attempt - 1), 0),
    });
    expect(broken).toEqual([]);
    expect(last.state).toBe("succeeded");
  });

  test.runIf(wanted("afterNode zombie"))(
    "a worker that slept through its lease at afterNode hands in under an old fence, and is refused",
    async () => {
      await harness.wholesome();
      await harness.arm("afterNode");
      const run = await harness.submit(`zombie ${Date.now()}`);
      await harness.reached("afterNode");
      const supervisor = harness.spindle.processes.worker?.pid as number;
      process.kill(supervisor, "SIGSTOP");
      await harness.release();
      const fence = async () =>
        (await harness.db.query<{ fence: number }>("SELECT fence FROM node_run WHERE run_id = $1 AND path = 'say'", [run])).rows[0]
          ?.fence ?? 0;
      await until(async () => (await fence()) > 1, 60_000, "the lease is lost");
      process.kill(supervisor, "SIGCONT");
      last = await harness.history(run);
      expect(brokenInvariants(last)).toEqual([]);
      expect(last.state).toBe("succeeded");
      expect(last.nodes.find((node) => node.path === "say")?.attempt).toBe(2);
    },
  );

  test.runIf(!only)("docs/reliability.md has each point and each process", async () => {
    expect(await differsOnPage("faults", outcomes)).toEqual([]);
  });

  test.runIf(!only)("breaking each invariant by hand is seen: the checker has teeth", () => {
    const good = last as History;
    const [a] = good.artifacts;
    const [n] = good.nodes.filter((node) => node.result_fence !== null);
    const succeeded = good.events.find((event) => event.type === "node.succeeded") as History["events"][number];
    const broken: [string, History][] = [
      ["I1", { ...good, events: [...good.events, { ...succeeded, seq: good.events.length + 1 }] }],
      ["I2", { ...good, state: "running" }],
      ["I2", { ...good, nodes: good.nodes.map((node) => (node === n ? { ...node, state: "dispatched" } : node)) }],
      ["I3", { ...good, edges: good.edges.map(({ from, to }) => ({ from: to, to: from })) }],
      ["I4", { ...good, artifacts: [{ ...(a as History["artifacts"][number]), stored: undefined }] }],
      ["I4", { ...good, orphans: [`output/run/${n?.id}/${n?.result_fence}/x`] }],
      ["I5", { ...good, artifacts: [{ ...(a as History["artifacts"][number]), key: `output/run/${a?.node_run_id}/99/x` }] }],
      ["I7", { ...good, doubles: ["cpu-0: processes 1 and 2"] }],
      ["W6", { ...good, nodes: good.nodes.map((node) => ({ ...node, attempt: 2 })) }],
      ["I5", { ...good, nodes: good.nodes.map((node) => (node === n ? { ...node, fence: node.fence + 1 } : node)) }],
      ["I6", { ...good, events: good.events.slice(1) }],
    ];
    for (const [invariant, history] of broken)
      expect(
        brokenInvariants(history, true).some((found) => found.startsWith(invariant)),
        invariant,
      ).toBe(true);
  });
});

/** Milliseconds, the same for a seed each time. */
const later = (seed: number): number => (Math.imul(seed, 2654435761) >>> 0) % 400;

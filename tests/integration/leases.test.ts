// Which runtime drives a run, and what the death of one means for it.
import { randomUUID } from "node:crypto";
import type pg from "pg";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { PostgresRecord } from "../../apps/runtime/src/record/postgres-record.ts";
import { MOST_DEATHS, trialLeases } from "../../apps/runtime/src/record/record.ts";
import type { RunRow } from "../../apps/runtime/src/record/types.ts";
import { RecordHand } from "../support/record-hand.ts";

let hand: RecordHand;
let record: PostgresRecord;
let pool: pg.Pool;
const newRun = (nodes: number) => hand.newRun(nodes);
beforeAll(async () => {
  hand = await RecordHand.start();
  ({ record, pool } = hand);
});
beforeEach(() => pool.query("UPDATE run SET state = 'failed'")); // a claim takes every run that is open
afterAll(async () => expect(await hand?.stop(), "events that break their schema").toEqual([]));

const newRuns = async (count: number) => {
  const runs: string[] = [];
  while (runs.length < count) runs.push((await newRun(1)).run);
  return runs;
};
const setDeaths = (runs: string[], deaths: number[], owner: string) =>
  pool.query("UPDATE run SET owner = $3, deaths = ($2::int[])[array_position($1::uuid[], id)] WHERE id = ANY($1)", [runs, deaths, owner]);
const deathsOf = async (runs: string[]): Promise<number[]> => {
  const { rows } = await pool.query("SELECT deaths FROM run WHERE id = ANY($1) ORDER BY array_position($1::uuid[], id)", [runs]);
  return rows.map(({ deaths }) => deaths);
};

const body = { engine: "e", draft: false };

test("[RH4] a run rests only if nobody answered meanwhile, and an answer wakes it", async () => {
  const { run, ids } = await newRun(2);
  await record.leases.renew("rests", 60_000);
  const fence = (await record.leases.claim("rests")).find((one) => one.id === run)?.fence ?? -1;
  await record.runs.change({ id: run, fence }, "start");
  await record.nodes.change({ nodeRun: ids[0] as string, fence: 0, change: "ask", input: {} });
  expect(await record.runs.park({ id: run, fence }, 2), "two were waited for, one is").toBe(false);
  expect(await record.runs.park({ id: run, fence: fence - 1 }, 1), "an older owner").toBe(false);
  expect(await record.runs.park({ id: run, fence }, 1)).toBe(true);
  await record.leases.renew("other", 60_000);
  expect((await record.leases.claim("other")).map((one) => one.id)).not.toContain(run);
  await record.nodes.change({ nodeRun: ids[0] as string, fence: 0, change: "answer", output: { ok: true } });
  await record.runs.wake(run);
  expect((await record.leases.claim("other")).map((one) => one.id)).toContain(run);
});

test("[E9] two runtimes that claim at once never get the same run, however often", async () => {
  const claimers = ["first", "second", "third", "fourth"];
  await Promise.all(claimers.map((owner) => record.leases.renew(owner, 60_000)));
  for (let time = 0; time < 40; time++) {
    await Promise.all(Array.from({ length: 5 }, () => newRun(1)));
    const claimed = (await Promise.all(claimers.map((owner) => record.leases.claim(owner)))).flat().map(({ id }) => id);
    expect(new Set(claimed).size).toBe(claimed.length);
  }
});

test("[E9] each run has one of the runtimes that claim at once, and a silent one loses its own", async () => {
  const runs = (await Promise.all(Array.from({ length: 10 }, () => newRun(1)))).map((one) => one.run);
  await Promise.all(["a", "b", "c"].map((owner) => record.leases.renew(owner, 60_000)));
  const [a, b] = await Promise.all([record.leases.claim("a"), record.leases.claim("b")]);
  const [mine, theirs] = [a.map((run) => run.id), b.map((run) => run.id)];
  expect(mine.filter((id) => theirs.includes(id))).toEqual([]);
  expect(runs.every((id) => mine.includes(id) || theirs.includes(id))).toBe(true);
  await record.leases.renew("b", -1000);
  expect(new Set((await record.leases.claim("c")).map((run) => run.id))).toEqual(new Set(theirs));
  expect(await record.leases.renew("b", 1000)).toEqual(new Map());
});

test("[E9] a lease lasts as long as was asked for, renewed as at first", async () => {
  const left = async (owner: string): Promise<number> =>
    (await pool.query("SELECT extract(epoch FROM lease_until - now())::float8 AS s FROM runtime WHERE id = $1", [owner])).rows[0].s;
  for (let times = 0; times < 2; times++) {
    await record.leases.renew("lasts", 60_000);
    const seconds = await left("lasts");
    expect(seconds > 30 && seconds <= 60, `${seconds} s`).toBe(true);
  }
});

test("[E9, RE4] a claim counts how often the owner of a run died, and neither one that left nor a rest", async () => {
  const { run } = await newRun(1);
  const claimed = async (owner: string, leaseMs: number) => {
    await record.leases.renew(owner, leaseMs);
    return (await record.leases.claim(owner)).find(({ id }) => id === run)?.deaths;
  };
  expect(await claimed("accepts", 60_000)).toBe(0);
  await record.leases.leave("accepts");
  expect(await claimed("dies", -1000), "the one before it left").toBe(0);
  expect(await claimed("dies, too", -1000)).toBe(1);
  await record.leases.renew("third", 60_000);
  expect((await record.leases.claim("third", true)).map(({ id, deaths }) => [id, deaths])).toEqual([[run, 2]]);
});

test("[E9, RE5] a claim takes half of the suspects with the most deaths, one of those with nine, and all runs without a count at once", async () => {
  const runs = await newRuns(12);
  await setDeaths(runs, [2, 2, 2, 2, 3, 2, 9, 9, 0, 1, -4, 9], "gone");
  await record.runs.requestCancel(runs[11] as string);
  await record.leases.renew("claims", 60_000);
  const claimed = async (suspects: boolean) => (await record.leases.claim("claims", suspects)).map(({ id }) => runs.indexOf(id)).sort();
  expect(await claimed(false), "one of nine deaths is to be cancelled").toEqual([8, 10, 11].sort());
  const trials: number[][] = [];
  for (let trial = await claimed(true); trial.length > 0; trial = await claimed(true)) trials.push(trial);
  expect(trials).toEqual([[6], [7], [4], [0, 1, 2], [3], [5], [9]]);
});

test("[E9, RE5] a run with one death waits while one with nine is on trial, for whom the tenth counts", async () => {
  const runs = await newRuns(4);
  await setDeaths(runs, [1, 0, 9, 1], "gone");
  await record.leases.renew("claims", 60_000);
  const claimed = async (suspects: boolean) => (await record.leases.claim("claims", suspects)).map(({ id }) => runs.indexOf(id)).sort();
  expect([await claimed(false), await claimed(true), await claimed(false)]).toEqual([[1], [2], []]);
  await record.leases.clear("claims", runs);
  expect(await claimed(false)).toEqual([0, 3]);
});

test("[E9, RE4] the death of a runtime counts under the runs on trial, those without a count, and survivors if none is on trial", async () => {
  const cases = [
    { driven: [0, 0], counted: [1, 1] },
    { driven: [3, 0], counted: [4, 1] },
    { driven: [3, -3, -9, 0], counted: [4, 3, 9, 1] },
    { driven: [1, -3], counted: [2, 3] },
    { driven: [-3, 0, -5], counted: [4, 1, 6] },
    { driven: [-9], counted: [10] },
    { driven: [9, 0, -9], counted: [10, 1, 9] },
    { driven: [-9, -8], counted: [9, 9] },
    { driven: [9, -9, -9], counted: [10, 9, 9] },
    { driven: [9, -1], counted: [9, 2] },
    { driven: [9, 1, -4], counted: [9, 2, 4] },
    { driven: [9, 9], counted: [9, 9] },
  ];
  for (const [index, { driven, counted }] of cases.entries()) {
    const [runs, waiting] = [await newRuns(driven.length), await newRuns(1)];
    await record.leases.renew(`driver-${index}`, -1000);
    await setDeaths(runs, driven, `driver-${index}`);
    await setDeaths(waiting, [7], "died earlier");
    await record.leases.renew("next", 60_000);
    await Promise.all([record.leases.claim("next"), record.leases.claim("next", true), record.leases.claim("after")]);
    expect([await deathsOf(runs), await deathsOf(waiting)], driven.join()).toEqual([counted, [7]]);
  }
});

/**
 * Lives through the runtimes that `bad` ends, one after the other, as the engine drives them; no node run of any run ends. `bad` has for each
 * run how many leases after it was taken up it ends its runtime. Returns which runs ended, in order, and after how many deaths.
 */
const dieOf = async (bad: Map<string, number>, most: number) => {
  const [ended, open]: [[string, number][], Set<string>] = [[], new Set(bad.keys())];
  let now = 0;
  for (let died = 0; died <= most; died++) {
    const [owner, begun] = [`runtime ${randomUUID()}`, new Map<string, number>()];
    const begin = async (claimed: RunRow[]) => {
      for (const { id, deaths = 0 } of claimed) {
        if (deaths < MOST_DEATHS) begun.set(id, now);
        else if (await endRun(id)) ended.push([id, died]) && open.delete(id);
      }
    };
    for (;;) {
      const mine = await record.leases.renew(owner, 60_000);
      const trials = [...mine]
        .filter(([, { deaths }]) => deaths > 0)
        .map(([id, { deaths }]) => ({ id, end: (begun.get(id) ?? 0) + trialLeases(deaths) }));
      const over = trials.filter(({ end }) => end <= now).map(({ id }) => id);
      await record.leases.clear(owner, over);
      const others = await record.leases.claim(owner);
      await begin(others);
      if (over.length === trials.length && !others.some(({ deaths = 0 }) => deaths > 0))
        await begin(await record.leases.claim(owner, true));
      if (open.size === 0) return ended;
      const kills = [...begun].flatMap(([id, since]) => (open.has(id) ? [since + (bad.get(id) ?? 0)] : []));
      const judged = [...(await record.leases.renew(owner, 60_000))].flatMap(([id, { deaths }]) =>
        deaths > 0 ? [(begun.get(id) ?? 0) + trialLeases(deaths)] : [],
      );
      if (kills.length + judged.length === 0) continue;
      now = Math.max(now, Math.min(...kills, ...judged));
      if (Math.min(...kills) <= now) break;
    }
    await record.leases.renew(owner, -1000);
    await record.leases.claim("looks on");
    now += 1;
  }
  throw new Error(`not ended after ${most} deaths: ${JSON.stringify(await deathsOf([...open]))}`);
};
const endRun = async (id: string) =>
  (await pool.query("UPDATE run SET state = 'failed' WHERE id = $1 AND state <> 'failed'", [id])).rowCount === 1;

test("[E9, RE4] a run that ends every runtime at once ends after ten deaths, however many others are beside it, and none of those does", async () => {
  for (const others of [0, 1, 15, 60]) {
    const runs = await newRuns(others + 1);
    const bad = runs.at(-1) as string;
    expect(await dieOf(new Map([[bad, 0]]), 20), `${others} others`).toEqual([[bad, 10]]);
    await pool.query("UPDATE run SET state = 'failed'");
  }
});

test("[E9, RE4] a run that ends its runtimes late ends before those that others had died under, which do not end", async () => {
  const cases = [
    { good: [2], bad: [1.1] },
    { good: [2, 2, 0], bad: [1.5] },
    { good: [8, 3], bad: [2.5] },
    { good: [7, 7], bad: [5] },
    { good: [4, 0, 0], bad: [1.1, 0, 3] },
    { good: [3], bad: [14] },
  ];
  for (const { good, bad } of cases) {
    const runs = await newRuns(good.length);
    await setDeaths(runs, good, "died earlier");
    const late = new Map((await newRuns(bad.length)).map((id, at) => [id, bad[at] as number]));
    const ended = await dieOf(late, 80);
    expect(new Set(ended.map(([id]) => id)), JSON.stringify({ good, bad })).toEqual(new Set(late.keys()));
    await pool.query("UPDATE run SET state = 'failed'");
  }
});

test("[E9, RE4] the deaths under a run are forgotten when a node run of it ends, and when it rests; not when one begins", async () => {
  const { run, ids } = await newRun(3);
  await record.leases.renew("forgets", 60_000);
  const fence = (await record.leases.claim("forgets")).find(({ id }) => id === run)?.fence ?? -1;
  await record.runs.change({ id: run, fence }, "start");
  const deaths = async () => (await record.leases.renew("forgets", 60_000)).get(run)?.deaths;
  const die = () => pool.query("UPDATE run SET deaths = 9 WHERE id = $1", [run]);
  await die();
  const begun = await record.nodes.change({ nodeRun: ids[0] as string, fence: 0, change: "begin", input: {}, body });
  expect(await deaths()).toBe(9);
  const error = { class: "cancelled" as const, code: "run.cancelled" as const, message: "The run failed." };
  await record.nodes.change({ nodeRun: ids[2] as string, fence: 0, change: "cancel", error });
  expect(await deaths(), "one that is cancelled proves nothing").toBe(9);
  await record.nodes.change({ nodeRun: ids[0] as string, fence: begun?.fence ?? -1, change: "succeed", output: {}, body });
  expect(await deaths()).toBe(0);
  await record.nodes.change({ nodeRun: ids[1] as string, fence: 0, change: "ask", input: {} });
  await die();
  expect(await record.runs.park({ id: run, fence }, 1)).toBe(true);
  await record.runs.wake(run);
  expect((await record.leases.claim("forgets")).find(({ id }) => id === run)?.deaths).toBe(0);
});

test("[E9, RE4] a runtime that finds itself alive takes back the death that was counted when its run was claimed", async () => {
  const { run } = await newRun(1);
  await record.leases.renew("cut off", -1000);
  const { fence = -1 } = (await record.leases.claim("cut off")).find(({ id }) => id === run) ?? {};
  await record.leases.lives({ id: run, fence });
  await record.leases.renew("another", 60_000);
  expect((await record.leases.claim("another")).find(({ id }) => id === run)?.deaths).toBe(1);
  await record.leases.lives({ id: run, fence });
  expect((await record.leases.renew("another", 60_000)).get(run)).toMatchObject({ deaths: 0, fence: fence + 1 });
});

test("[E9, RE4] a runtime that was taken for dead takes its death back when it renews its lease before its runs are claimed", async () => {
  const runs = await newRuns(3);
  await record.leases.renew("silent", -1000);
  await setDeaths(runs, [0, 3, -3], "silent");
  await record.leases.claim("looks on", true);
  await pool.query("UPDATE run SET owner = 'silent' WHERE owner = 'looks on'");
  expect(await deathsOf(runs)).toEqual([1, 4, 3]);
  for (let times = 0; times < 2; times++) {
    await record.leases.renew("silent", 60_000);
    expect(await deathsOf(runs)).toEqual([0, 3, 2]);
  }
});

test("[E9, RE4] a renewal that meets the burial of its runtime takes the death back", async () => {
  const [run] = await newRuns(1);
  await record.leases.renew("met", -1000);
  await setDeaths([run as string], [2], "met");
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    await client.query("DELETE FROM runtime WHERE id = 'met'");
    await client.query("UPDATE run SET deaths = 3 WHERE id = $1", [run]);
    const renewed = record.leases.renew("met", 60_000);
    const waits =
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%runtime%' AND datname = current_database()";
    await expect.poll(async () => (await pool.query(waits)).rows[0].n, { timeout: 60_000 }).toBe(1);
    await client.query("COMMIT");
    expect((await renewed).get(run as string)?.deaths).toBe(2);
  } finally {
    client.release();
  }
});

// Which runtime drives a run, and what the death of one means for it.
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { PostgresRecord } from "../../apps/runtime/src/record/postgres-record.ts";
import { RecordHand } from "../support/record-hand.ts";

let hand: RecordHand;
let record: PostgresRecord;
let pool: pg.Pool;
const newRun = (nodes: number) => hand.newRun(nodes);
beforeAll(async () => {
  hand = await RecordHand.start();
  ({ record, pool } = hand);
});
afterAll(async () => expect(await hand?.stop(), "events that break their schema").toEqual([]));

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

test("[E9, RE4] runs under which a runtime died are claimed one at a time, those of fewer deaths first, and all others at once", async () => {
  const runs = (await Promise.all(Array.from({ length: 4 }, () => newRun(1)))).map(({ run }) => run);
  const [bad, suspect, ...others] = runs as [string, string, ...string[]];
  await pool.query("UPDATE run SET deaths = array_position($1::uuid[], id) WHERE id = ANY($1)", [[suspect, bad]]);
  await record.leases.renew("one by one", 60_000);
  const claimed = async (suspects: boolean) =>
    (await record.leases.claim("one by one", suspects)).map(({ id }) => id).filter((id) => runs.includes(id));
  expect((await claimed(false)).sort()).toEqual(others.sort());
  expect([await claimed(true), await claimed(true), await claimed(true)]).toEqual([[suspect], [bad], []]);
});

test("[E9, RE4] the deaths under a run are forgotten when a node run of it ends, and when it rests; not when one begins", async () => {
  const { run, ids } = await newRun(2);
  await record.leases.renew("forgets", 60_000);
  const fence = (await record.leases.claim("forgets")).find(({ id }) => id === run)?.fence ?? -1;
  await record.runs.change({ id: run, fence }, "start");
  const deaths = async () => (await record.leases.renew("forgets", 60_000)).get(run)?.deaths;
  const die = () => pool.query("UPDATE run SET deaths = 9 WHERE id = $1", [run]);
  await die();
  const begun = await record.nodes.change({ nodeRun: ids[0] as string, fence: 0, change: "begin", input: {}, body });
  expect(await deaths()).toBe(9);
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

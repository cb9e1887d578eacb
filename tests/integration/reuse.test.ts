// DESIGN E11, E12 and E17 on real processes: what runs again and why, parts of a graph, forks, and what a run would do.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ended, graphOf, node, type Spindle, startSpindle, submit, wire } from "../support/spindle.ts";

let spindle: Spindle;
beforeAll(async () => {
  spindle = await startSpindle({ worker: false });
});
afterAll(() => spindle?.stop());

const call = async (path: string, body: unknown, kind: "mutation" | "query" = "mutation") => {
  const url = `${spindle.url}/trpc/${path}`;
  const answer =
    kind === "query"
      ? await fetch(`${url}?input=${encodeURIComponent(JSON.stringify(body))}`)
      : await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  const read = (await answer.json()) as { result?: { data: unknown }; error?: { message: string } };
  if (read.error) throw new Error(read.error.message);
  return read.result?.data as never;
};
const newGraph = async (graph: unknown): Promise<string> =>
  ((await (await fetch(`${spindle.url}/api/graphs`, { method: "POST", body: JSON.stringify(graph) })).json()) as { id: string }).id;
const start = (graphId: string, options = {}): Promise<string> => call("runs.start", { graphId, inputs: {}, options });
const reported = async (run: string) => {
  const { nodes } = await ended(spindle.url, run);
  return Object.fromEntries(
    nodes.map((nodeRun) => [nodeRun.node, nodeRun.state === "skipped" ? "skipped" : nodeRun.reused ? "reused" : "ran"]),
  );
};
const whys = async (run: string) => Object.fromEntries((await ended(spindle.url, run)).nodes.map((nodeRun) => [nodeRun.node, nodeRun.why]));

const delay = (id: string, params: object) => node(id, "control.delay", { milliseconds: 30, ...params });
/** a -> b -> c, and d beside them; each takes another time, so that none has the key of another. */
const graph = (value: unknown = 1, milliseconds = 30) =>
  graphOf(
    [
      delay("a", { value, milliseconds: 20 }),
      delay("b", { milliseconds }),
      delay("c", { milliseconds: 21 }),
      delay("d", { value: "beside", milliseconds: 22 }),
    ],
    [wire("a", "value", "b", "value"), wire("b", "value", "c", "value")],
  );

describe("the cache", () => {
  test("[E11, RC7] answers behind a bypassed node as if the wire led past it, and the record says that it was bypassed", async () => {
    const { nodes: all, edges } = graph("bypassed");
    const nodes = all.filter(({ id }) => id !== "d");
    const first = await start(await newGraph({ ...graphOf(nodes, edges), metadata: { nodes: { b: { bypassed: true } } } }));
    const view = await ended(spindle.url, first);
    const of = (id: string) => view.nodes.find((nodeRun) => nodeRun.node === id);
    expect([of("b")?.state, of("b")?.output, of("c")?.output]).toEqual(["succeeded", { value: "bypassed" }, { value: "bypassed" }]);
    expect(of("b")?.why).toBe("It is bypassed: it passes on what it takes.");
    const passedOn = "SELECT body FROM run_event WHERE run_id = $1 AND node = 'b' AND type = 'node.succeeded'";
    expect((await spindle.db.query(passedOn, [first])).rows).toMatchObject([{ body: { bypassed: true, output: { value: "bypassed" } } }]);
    const past = graphOf(
      nodes.filter(({ id }) => id !== "b"),
      [wire("a", "value", "c", "value")],
    );
    expect(await reported(await start(await newGraph(past)))).toEqual({ a: "reused", c: "reused" });
    const through = await start(await newGraph(graphOf(nodes, edges)));
    expect(await reported(through)).toMatchObject({ a: "reused", b: "ran" });
  });
  test("[E11] runs only what changed, and says why", async () => {
    const id = await newGraph(graph(1));
    const first = await start(id);
    expect(await reported(first)).toEqual({ a: "ran", b: "ran", c: "ran", d: "ran" });
    expect(await whys(first)).toMatchObject({ a: "It has not run in this graph before." });
    const second = await start(id);
    expect(await reported(second)).toEqual({ a: "reused", b: "reused", c: "reused", d: "reused" });
    expect((await ended(spindle.url, second)).outputs).toEqual((await ended(spindle.url, first)).outputs);
  });
  test("[E11] is shared by graphs, and survives a restart of the runtime", async () => {
    await ended(spindle.url, await start(await newGraph(graph("shared"))));
    process.kill(spindle.processes.runtime?.pid as number, "SIGKILL");
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, 200));
      if (
        await fetch(`${spindle.url}/health`).then(
          (one) => one.ok,
          () => false,
        )
      )
        break;
    }
    expect(await reported(await start(await newGraph(graph("shared"))))).toMatchObject({ a: "reused", c: "reused" });
  });
  test("[E11] a parameter that changed runs its node; a node after it runs only if other values reach it", async () => {
    const id = await newGraph(graph("p", 30));
    await ended(spindle.url, await start(id));
    const other = await newGraph(graph("p", 31));
    await spindle.db.query("UPDATE run SET graph_id = $1 WHERE graph_id = $2", [other, id]);
    const run = await start(other);
    expect(await reported(run)).toEqual({ a: "reused", b: "ran", c: "reused", d: "reused" });
    expect(await whys(run)).toMatchObject({ b: "Parameter milliseconds changed." });
  });
  test("[E11] another value upstream is the reason downstream", async () => {
    const id = await newGraph(graph("u1"));
    await ended(spindle.url, await start(id));
    const other = await newGraph(graph("u2"));
    await spindle.db.query("UPDATE run SET graph_id = $1 WHERE graph_id = $2", [other, id]);
    expect(await whys(await start(other))).toMatchObject({ a: "Parameter value changed.", b: "a gave another value." });
  });
  test("[E11] force runs everything, or the nodes that are named", async () => {
    const id = await newGraph(graph("f"));
    await ended(spindle.url, await start(id));
    expect(await reported(await start(id, { force: true }))).toEqual({ a: "ran", b: "ran", c: "ran", d: "ran" });
    expect(await reported(await start(id, { force: ["b"] }))).toEqual({ a: "reused", b: "ran", c: "reused", d: "reused" });
  });
  test("[E11] clearing it makes everything run once more", async () => {
    const id = await newGraph(graph("c"));
    await ended(spindle.url, await start(id));
    await call("runs.clearCache", { graphId: id });
    expect(await reported(await start(id))).toMatchObject({ a: "ran", b: "ran", c: "ran" });
  });
  test("[E11] a node that is not repeatable always runs", async () => {
    const id = await newGraph(graphOf([node("caps", "info.get_capabilities")]));
    await ended(spindle.url, await start(id));
    const run = await start(id);
    expect(await reported(run)).toEqual({ caps: "ran" });
    expect(await whys(run)).toEqual({ caps: "It is not repeatable, so it always runs." });
  });
});

describe("a part of a graph", () => {
  test.each([
    ["to", { a: "reused", b: "reused", c: "skipped", d: "skipped" }],
    ["from", { a: "reused", b: "ran", c: "reused", d: "skipped" }],
    ["only", { a: "reused", b: "ran", c: "skipped", d: "skipped" }],
  ])("[E12] runs %s a node", async (of, expected) => {
    const id = await newGraph(graph(`part ${of}`));
    await ended(spindle.url, await start(id));
    expect(await reported(await start(id, { part: { of, node: "b" } }))).toEqual(expected);
  });
  test("[E12] of a graph that has never run starts with what it needs", async () => {
    const id = await newGraph(graph("never"));
    expect(await reported(await start(id, { part: { of: "only", node: "b" } }))).toEqual({
      a: "ran",
      b: "ran",
      c: "skipped",
      d: "skipped",
    });
  });
  test("[E12] names a node that is there", async () => {
    const id = await newGraph(graph("none"));
    await expect(start(id, { part: { of: "to", node: "nowhere" } })).rejects.toThrow(/no node nowhere/);
  });
});

describe("a fork", () => {
  test("[E17] takes what lies before the change from the old run, and runs the rest", async () => {
    const { body } = await submit(spindle.url, graph("fork"));
    await ended(spindle.url, body.run);
    const forked = (await (
      await fetch(`${spindle.url}/api/runs/${body.run}/fork`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ node: "b", params: { b: { milliseconds: 33 } } }),
      })
    ).json()) as { run: string };
    expect(await reported(forked.run)).toMatchObject({ a: "reused", b: "ran" });
    const { rows } = await spindle.db.query(
      "SELECT o.run_id FROM node_run n JOIN node_run o ON o.id = n.reused_from WHERE n.run_id = $1 AND n.path = 'a'",
      [forked.run],
    );
    expect(rows).toEqual([{ run_id: body.run }]);
  });
  test("[E17] from a node takes what lies before it as it was then, even what would always run", async () => {
    const { body } = await submit(
      spindle.url,
      graphOf([node("caps", "info.get_capabilities"), delay("after", { value: "fork from" })], [{ from: "caps", to: "after" }]),
    );
    const old = await ended(spindle.url, body.run);
    const forked: string = await call("runs.fork", { id: body.run, node: "after" });
    expect(await reported(forked)).toEqual({ caps: "reused", after: "ran" });
    const of = (run: typeof old) => run.nodes.find((nodeRun) => nodeRun.node === "caps")?.output;
    expect(of(await ended(spindle.url, forked))).toEqual(of(old));
  });
  test("[E17] may put another output in a node's place", async () => {
    const { body } = await submit(spindle.url, graph("edit"));
    await ended(spindle.url, body.run);
    const forked: string = await call("runs.fork", { id: body.run, outputs: { b: { value: "mine" } } });
    expect((await ended(spindle.url, forked)).nodes.find((nodeRun) => nodeRun.node === "c")?.output).toEqual({ value: "mine" });
  });
  test("[E17, RC7] may put one in the place of a bypassed node's, which then passes nothing on", async () => {
    const { body } = await submit(spindle.url, { ...graph("edit"), metadata: { nodes: { b: { bypassed: true } } } });
    await ended(spindle.url, body.run);
    const forked: string = await call("runs.fork", { id: body.run, outputs: { b: { value: "mine" } } });
    const { nodes } = await ended(spindle.url, forked);
    expect(nodes.filter((nodeRun) => "bc".includes(nodeRun.node)).map(({ output }) => output)).toEqual([
      { value: "mine" },
      { value: "mine" },
    ]);
  });
});

test("[E12] a plan says what would run and why, and how long it takes, and changes nothing", async () => {
  const id = await newGraph(graph("plan"));
  await ended(spindle.url, await start(id));
  const runs = async () => (await spindle.db.query("SELECT count(*)::int AS n FROM run")).rows[0].n;
  const before = await runs();
  const plan: { nodes: { node: string; does: string; why: string; expectedMs: number }[]; expectedMs: number } = await call(
    "runs.plan",
    { graphId: id, inputs: {}, options: { force: ["b"] } },
    "query",
  );
  expect(Object.fromEntries(plan.nodes.map((one) => [one.node, one.does]))).toEqual({ a: "reuses", b: "runs", c: "runs", d: "reuses" });
  expect(plan.nodes.find((one) => one.node === "b")?.why).toBe("It was asked to run again.");
  expect(plan.nodes.find((one) => one.node === "c")?.why).toBe("It depends on b, which runs.");
  const expected = (id: string) => plan.nodes.find((one) => one.node === id)?.expectedMs ?? 0;
  expect([expected("a"), expected("d")]).toEqual([0, 0]);
  expect(Math.min(expected("b"), expected("c"))).toBeGreaterThan(0);
  expect(plan.expectedMs, "one after the other").toBe(expected("b") + expected("c"));
  expect(await runs()).toBe(before);
});

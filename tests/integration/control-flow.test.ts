// SPEC RC, RL, RM, RD and RH on real processes: what decides the way through a graph, and how people are part of it.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ended, getRun, graphOf, node, type Spindle, startRun, startSpindle, submit, until, wait, wire } from "../support/spindle.ts";

let spindle: Spindle;
beforeAll(async () => {
  spindle = await startSpindle();
});
afterAll(() => spindle?.stop());

const start = (graph: unknown, inputs = {}): Promise<string> => startRun(spindle.url, graph, inputs);
const paths = async (run: string): Promise<Record<string, string>> => {
  const { rows } = await spindle.db.query("SELECT path, state FROM node_run WHERE run_id = $1 ORDER BY path", [run]);
  return Object.fromEntries(rows.map((row) => [row.path, row.state]));
};
const post = async (path: string, body: unknown) => {
  const answer = await fetch(spindle.url + path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as { error?: { code: string; message: string; field?: string } } };
};
const shows = (id: string, value: unknown = 1) => node(id, "output.preview", { value });
const adds = (id: string, text?: string) => node(id, "text.template", { template: "{{text}}o", ...(text === undefined ? {} : { text }) });
const seqs = async (run: string) =>
  (await spindle.db.query("SELECT seq FROM run_event WHERE run_id = $1 ORDER BY seq", [run])).rows.map((row) => row.seq);

describe("[E13] a node that is cancelled alone", () => {
  const cancel = (run: string, path: string) =>
    fetch(`${spindle.url}/api/runs/${run}/cancel-node`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ path }),
    });
  const running = (run: string, id: string) =>
    until(
      async () => (await getRun(spindle.url, run)).nodes.some((nodeRun) => nodeRun.node === id && nodeRun.state === "running"),
      60_000,
      "it runs",
    );

  test.each([
    ["a worker's", wait("slow", { seconds: 60 })],
    ["the node plane's", node("slow", "control.delay", { milliseconds: 60_000, value: 1 })],
  ])("%s: is ended by whoever drives the run, if only the record knows that it was asked for", async (_, slow) => {
    const run = await start(
      graphOf([slow, node("rescue", "output.preview", { value: "rescued" })], [{ from: "slow", to: "rescue", kind: "on_failure" }]),
    );
    await running(run, "slow");
    // As a runtime leaves it that dies at once after it has answered the request.
    await spindle.db.query("UPDATE node_run SET cancel_requested = true WHERE run_id = $1 AND node_id = 'slow'", [run]);
    expect((await ended(spindle.url, run)).state).toBe("succeeded");
    expect(await paths(run)).toEqual({ slow: "cancelled", rescue: "succeeded" });
  });
  test.each([
    ["a worker's", wait("slow", { seconds: 60 })],
    ["the node plane's", node("slow", "control.delay", { milliseconds: 60_000, value: 1 })],
  ])("%s: its siblings go on, what depends on it is skipped, on_failure is followed", async (_, slow) => {
    const run = await start(
      graphOf(
        [slow, node("after", "output.preview"), node("rescue", "output.preview", { value: "rescued" }), wait("sibling", { seconds: 1 })],
        [wire("slow", "value", "after", "value"), { from: "slow", to: "rescue", kind: "on_failure" }],
      ),
    );
    await running(run, "slow");
    expect((await cancel(run, "slow")).status).toBe(202);
    const view = await ended(spindle.url, run);
    expect(view.state, "somebody took care of it").toBe("succeeded");
    expect(Object.fromEntries(view.nodes.map((nodeRun) => [nodeRun.node, nodeRun.state]))).toEqual({
      slow: "cancelled",
      after: "skipped",
      rescue: "succeeded",
      sibling: "succeeded",
    });
    expect((await cancel(run, "slow")).status, "it is over").toBe(409);
    expect((await cancel(run, "nobody")).status).toBe(404);
  });

  test("[RE1] where nobody takes care of it the run failed, and names it", async () => {
    const run = await start(graphOf([wait("slow", { seconds: 60 })]));
    await running(run, "slow");
    await cancel(run, "slow");
    expect(await ended(spindle.url, run)).toMatchObject({ state: "failed", error: { node: "slow" } });
  });

  test("one that runs for each element ends with all of them, one element alone", async () => {
    const mapped = () =>
      graphOf(
        [node("list", "constant.array", { value: [1, 2] }), wait("each", { seconds: 60 })],
        [{ from: "list", to: "each", metadata: { sourcePort: "value", targetPort: "value", map: { limit: 1, tolerate: 1 } } }],
      );
    const run = await start(mapped());
    await until(
      async () =>
        (await (await fetch(`${spindle.url}/api/runs/${run}/nodes?node=each`)).json()).some(
          (one: { path: string; state: string }) => one.path === "each#0" && one.state === "running",
        ),
      60_000,
      "the first element runs",
    );
    await cancel(run, "each");
    const view = await ended(spindle.url, run);
    expect(view.state).toBe("failed");
    const states = (await (await fetch(`${spindle.url}/api/runs/${run}/nodes?node=each`)).json()) as { path: string; state: string }[];
    expect(Object.fromEntries(states.map((state) => [state.path, state.state]))).toEqual({
      each: "failed",
      "each#0": "cancelled",
      "each#1": "cancelled",
    });
  });
});

describe("a condition", () => {
  const choice = (when: string) =>
    graphOf(
      [shows("source", { score: 0.7 }), shows("yes"), shows("no")],
      [
        { from: "source", to: "yes", metadata: { when } },
        { from: "source", to: "no", metadata: { when: `!(${when})` } },
      ],
    );
  test("[E4, RC3] sends a run one way or the other", async () => {
    const run = await ended(spindle.url, await start(choice("output.value.score > 0.5")));
    expect(run.state).toBe("succeeded");
    expect(await paths(run.id)).toEqual({ source: "succeeded", yes: "succeeded", no: "skipped" });
  });
  test("[RC5] that cannot be answered fails the node it leads to, with the place", async () => {
    const run = await ended(spindle.url, await start(choice("output.value.grade > 0.5")));
    expect(run.nodes.find((nodeRun) => nodeRun.node === "yes")?.error).toMatchObject({
      code: "edge.condition_failed",
      message: expect.stringMatching(/edge from source .*grade/),
    });
  });
  test("[G6] that is not CEL is refused with its place", async () => {
    const { status, body } = await submit(spindle.url, choice("output.value >"));
    expect(status).toBe(422);
    expect(body.error?.issues).toContainEqual(
      expect.objectContaining({ code: "edge.bad_condition", place: expect.objectContaining({ edge: "e0" }) }),
    );
  });
});

describe("a loop", () => {
  const loop = (maxIterations: number, when?: string) =>
    graphOf(
      [adds("grow", "a"), node("look", "output.preview"), node("end", "output.preview")],
      [
        wire("grow", "text", "look", "value"),
        {
          from: "look",
          to: "grow",
          metadata: { sourcePort: "value", targetPort: "text", loop: { maxIterations }, ...(when ? { when } : {}) },
        },
        wire("look", "value", "end", "value"),
      ],
    );
  test("[RL3, RL4, RL5] goes round until its condition says no; outside, the last visit is seen", async () => {
    const run = await ended(spindle.url, await start(loop(100, "size(output.value) < 4")));
    expect(run.outputs).toEqual({ value: "aooo" });
    expect(Object.keys(await paths(run.id)).filter((path) => path.endsWith("grow"))).toHaveLength(3);
    expect(run.counts.grow).toEqual({ total: 3, done: 3, failed: 0 });
  });
  test("[E6, RL3] ends at its limit, with an event that says so", async () => {
    const run = await ended(spindle.url, await start(loop(5)));
    expect(run.outputs).toEqual({ value: "aooooo" });
    const { rows } = await spindle.db.query("SELECT path, body FROM run_event WHERE run_id = $1 AND type = 'loop.limit'", [run.id]);
    expect(rows).toEqual([{ path: "loop:look>grow", body: { maxIterations: 5 } }]);
    expect(await seqs(run.id)).toEqual((await seqs(run.id)).map((_, index) => index + 1));
  });
});

describe("a map", () => {
  const over = (list: unknown[], map: object, seconds = 0) =>
    graphOf(
      [node("list", "constant.array", { value: list }), wait("each", { seconds }), node("end", "output.preview")],
      [{ from: "list", to: "each", metadata: { sourcePort: "value", targetPort: "value", map } }, wire("each", "value", "end", "value")],
    );
  test("[E6, RM1, RM2] runs its node once per element, on a worker, in order", async () => {
    const run = await ended(spindle.url, await start(over(["a", "b", "c"], { limit: 2 })));
    expect(run.outputs).toEqual({ value: ["a", "b", "c"] });
    expect(await paths(run.id)).toEqual({
      list: "succeeded",
      each: "succeeded",
      "each#0": "succeeded",
      "each#1": "succeeded",
      "each#2": "succeeded",
      end: "succeeded",
    });
    expect(run.counts.each).toEqual({ total: 3, done: 3, failed: 0 });
  });
  test("[RM2] of nothing gives nothing", async () =>
    expect((await ended(spindle.url, await start(over([], {})))).outputs).toEqual({ value: [] }));
  const picks = (tolerate: number) =>
    graphOf(
      [node("list", "constant.array", { value: [{ a: 1 }, {}, { a: 3 }] }), node("each", "json.pick", { path: "a" })],
      [{ from: "list", to: "each", metadata: { sourcePort: "value", targetPort: "json", map: { tolerate } } }],
    );
  test("[E6, RM2] tolerates as many failures as it is asked to, and leaves null in their places", async () =>
    expect((await ended(spindle.url, await start(picks(1)))).outputs).toEqual({ value: [1, null, 3] }));
  test("[RM2] fails with the element and its reason when there are more", async () => {
    const run = await ended(spindle.url, await start(picks(0)));
    expect(run.error).toMatchObject({ node: "each", code: "map.failed", message: expect.stringMatching(/1 of 3 elements .* Element 2: /) });
  });
  test("[RM3] over too long a list is refused by the node, with the limit", async () => {
    const run = await ended(
      spindle.url,
      await start(
        over(
          Array.from({ length: 100_000 }, () => 1),
          {},
        ),
      ),
    );
    expect(run.error).toMatchObject({ code: "map.too_many", message: expect.stringMatching(/100,000 .* 10,000/) });
  });
  test("[E13] is cancelled with all its elements", async () => {
    const id = await start(over(["a", "b", "c"], {}, 60));
    await until(
      async () => (await getRun(spindle.url, id)).nodes.some((nodeRun) => nodeRun.node === "each" && nodeRun.state === "running"),
      60_000,
      "it runs",
    );
    await post(`/api/runs/${id}/cancel`, {});
    expect((await ended(spindle.url, id)).state).toBe("cancelled");
    expect(new Set(Object.entries(await paths(id)).map(([path, state]) => (path.startsWith("each") ? state : "")))).toEqual(
      new Set(["", "cancelled"]),
    );
  });
});

describe("a subgraph", () => {
  const definitions = {
    loud: {
      nodes: [node("shout", "text.template", { template: "{{text}}!" })],
      edges: [],
      metadata: {
        interface: {
          inputs: [{ name: "word", label: "Word", to: [{ node: "shout", port: "text" }] }],
          outputs: [{ name: "said", label: "Said", from: { node: "shout", port: "text" } }],
        },
      },
    },
    louder: {
      nodes: [node("one", "graph.call", { definition: "loud" }), node("two", "graph.call", { definition: "loud" })],
      edges: [wire("one", "said", "two", "word")],
      metadata: {
        interface: {
          inputs: [{ name: "word", label: "Word", to: [{ node: "one", port: "word" }] }],
          outputs: [{ name: "said", label: "Said", from: { node: "two", port: "said" } }],
        },
      },
    },
  };
  test("[G5, RP3, RD2, RD4] runs as a node, in another subgraph too", async () => {
    const graph = graphOf([node("c", "graph.call", { definition: "louder", word: "hey" })], [], { definitions });
    const run = await ended(spindle.url, await start(graph));
    expect(run.outputs).toEqual({ said: "hey!!" });
    expect(Object.keys(await paths(run.id)).sort()).toEqual(["c", "c/one", "c/one/shout", "c/two", "c/two/shout"]);
  });
  test("[E6, RP3] is mapped over a list", async () => {
    const graph = graphOf(
      [node("list", "constant.array", { value: ["a", "b"] }), node("c", "graph.call", { definition: "louder" })],
      [{ from: "list", to: "c", metadata: { sourcePort: "value", targetPort: "word", map: {} } }],
      { definitions },
    );
    expect((await ended(spindle.url, await start(graph))).outputs).toEqual({ said: ["a!!", "b!!"] });
  });
  test("[RD3] fails with the place inside", async () => {
    const broken = { bad: { nodes: [node("pick", "json.pick", { json: {}, path: "x" })], edges: [] } };
    const run = await ended(
      spindle.url,
      await start(graphOf([node("c", "graph.call", { definition: "bad" })], [], { definitions: broken })),
    );
    expect(run.error).toMatchObject({ node: "c", code: "call.failed", path: "c/pick" });
  });
});

describe("a person", () => {
  const form = { type: "object", required: ["title"], properties: { title: { type: "string", maxLength: 10 } } };
  const asks = (params = {}) =>
    graphOf(
      [
        node("ask", "human.ask_person", { message: "Good?", form, buttons: ["Keep", "Drop"], ...params }),
        node("keep", "output.preview"),
        shows("drop"),
        shows("late"),
      ],
      [
        { from: "ask", to: "keep", metadata: { sourcePort: "title", targetPort: "value", when: "has(output.Keep)" } },
        { from: "ask", to: "drop", metadata: { sourcePort: "Drop", targetPort: "value" } },
        { from: "ask", to: "late", metadata: { sourcePort: "timed_out", targetPort: "value" } },
      ],
    );
  const resting = (id: string) =>
    until(async () => ((await getRun(spindle.url, id)).state === "waiting" ? true : undefined), 60_000, "the run rests");

  test("[E7, RH1, RH4, RC4] is asked; the run rests with no owner; the button that is pressed decides", async () => {
    const id = await start(asks());
    await resting(id);
    expect((await spindle.db.query("SELECT owner FROM run WHERE id = $1", [id])).rows).toEqual([{ owner: null }]);
    const questions = await (await fetch(`${spindle.url}/api/runs/${id}/questions`)).json();
    expect(questions).toMatchObject([
      { path: "ask", message: "Good?", buttons: ["Keep", "Drop"], fields: [{ name: "title", required: true }] },
    ]);
    expect(await post(`/api/runs/${id}/answers`, { path: "ask", values: { title: "t" }, button: "Burn" })).toMatchObject({
      status: 422,
      body: { error: { field: "button" } },
    });
    expect(await post(`/api/runs/${id}/answers`, { path: "ask", values: {}, button: "Keep" })).toMatchObject({
      status: 422,
      body: { error: { field: "title" } },
    });
    expect(await post(`/api/runs/${id}/answers`, { path: "ask", values: { title: "far too long a title" }, button: "Keep" })).toMatchObject(
      { status: 422 },
    );
    expect((await post(`/api/runs/${id}/answers`, { path: "ask", values: { title: "Sun" }, button: "Keep" })).status).toBe(202);
    const run = await ended(spindle.url, id);
    expect(run.state).toBe("succeeded");
    expect(await paths(id)).toEqual({ ask: "succeeded", keep: "succeeded", drop: "skipped", late: "skipped" });
    expect(run.nodes.find((nodeRun) => nodeRun.node === "keep")?.output).toEqual({ value: "Sun" });
    expect((await post(`/api/runs/${id}/answers`, { path: "ask", values: { title: "t" }, button: "Keep" })).status).toBe(409);
    expect(await seqs(id)).toEqual((await seqs(id)).map((_, index) => index + 1));
  });
  test("[RH2] who does not answer in time is passed by the time-out port", async () => {
    const run = await ended(spindle.url, await start(asks({ timeoutSeconds: 1 })));
    expect(await paths(run.id)).toEqual({ ask: "succeeded", keep: "skipped", drop: "skipped", late: "succeeded" });
  });
  test("[RP4, RH4] is waited for over a restart of the runtime, and what ran before does not run again", async () => {
    const graph = asks();
    graph.nodes.push(wait("before", { seconds: 0 }));
    graph.edges.push({ from: "before", to: "ask" });
    const id = await start(graph);
    await resting(id);
    process.kill(spindle.processes.runtime?.pid as number, "SIGKILL");
    await until(async () => (await fetch(`${spindle.url}/health`)).ok, 60_000, "the runtime is back");
    await until(
      async () => (await post(`/api/runs/${id}/answers`, { path: "ask", values: { title: "Sun" }, button: "Drop" })).status === 202,
      60_000,
      "the answer is taken",
    );
    await ended(spindle.url, id);
    expect(await paths(id)).toMatchObject({ keep: "skipped", drop: "succeeded" });
    expect((await spindle.db.query("SELECT attempt FROM node_run WHERE run_id = $1 AND path = 'before'", [id])).rows).toEqual([
      { attempt: 1 },
    ]);
  });
  test("[E13] cancels a run that rests", async () => {
    const id = await start(asks());
    await resting(id);
    await post(`/api/runs/${id}/cancel`, {});
    expect((await ended(spindle.url, id)).state).toBe("cancelled");
  });
  test("[RM1, RH1] answers each element of a map", async () => {
    const graph = graphOf(
      [node("list", "constant.array", { value: ["a", "b"] }), node("ask", "human.ask_person", { buttons: ["Ok"] })],
      [{ from: "list", to: "ask", metadata: { sourcePort: "value", targetPort: "value", map: {} } }],
    );
    const id = await start(graph);
    await resting(id);
    for (const path of ["ask#1", "ask#0"]) expect((await post(`/api/runs/${id}/answers`, { path, button: "Ok" })).status).toBe(202);
    expect((await ended(spindle.url, id)).state).toBe("succeeded");
  });
});

describe("a breakpoint", () => {
  const held = (breakpoint: string) => graphOf([shows("a"), shows("b")], [{ from: "a", to: "b" }], { nodes: { a: { breakpoint } } });
  test.each([
    ["before", { a: "waiting", b: "queued" }],
    ["after", { a: "succeeded", b: "queued" }],
  ])("[E7, RH3] %s a node holds the run until somebody goes on", async (place, expected) => {
    const id = await start(held(place));
    await until(async () => ((await getRun(spindle.url, id)).state === "waiting" ? true : undefined), 60_000, "the run rests");
    expect(await paths(id)).toEqual(expected);
    expect((await post(`/api/runs/${id}/resume`, { path: "b" })).status).toBe(409);
    expect((await post(`/api/runs/${id}/resume`, { path: "a" })).status).toBe(202);
    expect((await ended(spindle.url, id)).state).toBe("succeeded");
  });
});

test("[E11, RC6] a node that is off is skipped, a pinned one gives its output without running", async () => {
  const graph = graphOf(
    [wait("pin", { seconds: 60 }), node("end", "output.preview"), shows("off")],
    [wire("pin", "value", "end", "value")],
    {
      nodes: { pin: { pinned: { value: "kept" } }, off: { disabled: true } },
    },
  );
  const run = await ended(spindle.url, await start(graph));
  expect(await paths(run.id)).toEqual({ pin: "succeeded", end: "succeeded", off: "skipped" });
  expect(run.nodes.find((nodeRun) => nodeRun.node === "end")?.output).toEqual({ value: "kept" });
});

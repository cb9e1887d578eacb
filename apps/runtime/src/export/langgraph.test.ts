// What a program is for who knows LangGraph: a graph that it compiles with a checkpointer, threads, streams, history and interrupts.
import { FakeListChatModel } from "@langchain/core/utils/testing";
import { type BaseCheckpointSaver, Command, INTERRUPT, MemorySaver } from "@langchain/langgraph";
import type { Graph } from "@spindle/graph-model";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  programGraph as graphOf,
  programLibrary as libraryOf,
  programNode as node,
  ProgramFolder,
  port,
  service,
  wire,
} from "./exported.testing.ts";
import type { ServiceTable } from "./prelude.ts";

let folder: ProgramFolder;
beforeAll(async () => {
  folder = await ProgramFolder.make();
});
afterAll(() => folder.remove());

const sum = port("sum", { type: "number", schema: { type: "number" } });
const library = libraryOf([
  service("add", [port("a", { schema: { default: 1 } }), port("b", { schema: { default: 1 } })], [sum]),
  service("talk", [port("text")], [port("text")]),
  {
    ...service("ask", [port("message"), port("value")], [port("timed_out", { branch: true })], { human: true }),
    parameters: [
      { name: "buttons", schema: { "x-branches": true }, required: false },
      { name: "form", schema: { type: "object", "x-ports": "outputs" }, required: false },
      { name: "timeoutSeconds", schema: { type: "number", default: 0 }, required: false },
    ],
  },
]);
const SERVICES: ServiceTable = {
  add: ({ a, b }) => ({ sum: Number(a) + Number(b) }),
  talk: async ({ text }, _, config) => ({
    text: (await new FakeListChatModel({ responses: [`I heard ${text}.`] }).invoke("go on", config)).content,
  }),
};
const load = (graph: Graph) => folder.load(graph, library);
const thread = (id: string) => ({ configurable: { thread_id: id } });

const CHAIN = graphOf([node("one", "add"), node("two", "add")], [wire("one", "sum", "two", "a")]);
const form = { type: "object", required: ["words"], properties: { words: { type: "string", title: "Words", maxLength: 20 } } };
const ASK = { buttons: ["good", "bad"], form };
/** A person between two sums; what follows depends on the button. */
const REVIEW = graphOf(
  [node("first", "add"), node("review", "ask", { message: "Good?", ...ASK }), node("yes", "add"), node("no", "add")],
  [
    wire("first", "sum", "review", "value"),
    { from: "review", to: "yes", metadata: { sourcePort: "good" } },
    { from: "review", to: "no", metadata: { sourcePort: "bad" } },
  ],
);

describe("[G8] an exported graph, compiled with a checkpointer", () => {
  test("keeps each node's outputs in one channel, by node, and its threads apart", async () => {
    const { graph, compile, outcome } = await load(CHAIN);
    const app = compile({ services: SERVICES, checkpointer: new MemorySaver() });
    const state = await app.invoke({ inputs: { a: 4 } }, thread("four"));
    expect(state.results).toMatchObject({ one: { output: { sum: 5 } }, two: { state: "succeeded", output: { sum: 6 } } });
    expect(outcome(state)).toMatchObject({ status: "succeeded", outputs: { sum: 6 } });
    await app.invoke({ inputs: { a: 10 } }, thread("ten"));
    expect((await app.getState(thread("four"))).values.results.two.output).toEqual({ sum: 6 });
    // The graph itself is LangGraph's, too.
    const own = graph.compile({ checkpointer: new MemorySaver() });
    const given = { ...thread("own"), context: { services: SERVICES }, recursionLimit: 100 };
    expect(outcome(await own.invoke({ inputs: {} }, given)).outputs).toEqual({ sum: 3 });
  });

  test("streams values, updates and what models say", async () => {
    const { compile } = await load(graphOf([node("one", "talk"), node("two", "talk")], [wire("one", "text", "two", "text")]));
    const app = compile({ services: SERVICES, checkpointer: new MemorySaver() });
    const modes = { streamMode: ["values", "updates", "messages"] as const, ...thread("stream") };
    const seen: [string, unknown][] = [];
    for await (const chunk of await app.stream({ inputs: { text: "you" } }, modes)) seen.push(chunk);
    const updates = seen.flatMap(([mode, chunk]) => (mode === "updates" ? Object.keys(chunk as object) : []));
    expect(updates).toEqual(["begin", "one", "two"]);
    const tokens = seen.flatMap(([mode, chunk]) =>
      mode === "messages" ? [chunk as [{ content: string }, { langgraph_node: string }]] : [],
    );
    expect(tokens.filter(([, { langgraph_node }]) => langgraph_node === "one").length).toBeGreaterThan(5);
    const said = (id: string) =>
      tokens
        .filter(([, about]) => about.langgraph_node === id)
        .map(([{ content }]) => content)
        .join("");
    expect([said("one"), said("two")]).toEqual(["I heard you.", "I heard I heard you.."]);
    const values = seen.flatMap(([mode, chunk]) => (mode === "values" ? [Object.keys((chunk as { results: object }).results)] : []));
    expect(values.at(-1)).toEqual(["one", "two"]);
  });

  test("streams what a model says inside a call and a loop", async () => {
    const { compile } = await load(
      graphOf([{ ...node("call", "graph.call"), params: { definition: "inner" } }], [], {
        metadata: {
          definitions: {
            inner: {
              nodes: [node("say", "talk"), node("again", "talk")],
              edges: [wire("say", "text", "again", "text"), wire("again", "text", "say", "text", { loop: { maxIterations: 2 } })],
            },
          },
        },
      }),
    );
    const app = compile({ services: SERVICES });
    const said: string[] = [];
    for await (const [, [message]] of await app.stream({ inputs: { text: "x" } }, { streamMode: "messages", subgraphs: true }))
      said.push(message.content);
    expect(said.join("").match(/I heard/g)?.length).toBe(1 + 2 + 3 + 4);
  });

  test("has a history, from whose checkpoints a thread goes on with other values", async () => {
    const { compile, outcome } = await load(CHAIN);
    const app = compile({ services: SERVICES, checkpointer: new MemorySaver() });
    await app.invoke({ inputs: { a: 4 } }, thread("t"));
    const history = [];
    for await (const snapshot of app.getStateHistory(thread("t"))) history.push(snapshot);
    expect(history.map(({ next }) => next)).toEqual([[], ["two"], ["one"], ["begin"], ["__start__"]]);
    const before = history.find(({ next }) => next[0] === "two") as (typeof history)[number];
    expect([outcome(before.values).status, outcome(history[0]?.values).status]).toEqual(["unfinished", "succeeded"]);
    const result = { ...before.values.results.one, output: { sum: 40 } };
    const changed = await app.updateState(before.config, { results: { one: result } }, "one");
    expect(outcome(await app.invoke(null, changed)).outputs).toEqual({ sum: 41 });
  });

  test("begins anew when a thread is invoked again", async () => {
    const looping = graphOf(
      [node("more", "add"), node("end", "add")],
      [wire("more", "sum", "more", "a", { loop: { maxIterations: 3 }, when: "output.sum < 5.0" }), wire("more", "sum", "end", "a")],
    );
    const { compile, outcome } = await load(looping);
    const app = compile({ services: SERVICES, checkpointer: new MemorySaver() });
    const part = await app.invoke({ inputs: { a: 1 } }, { ...thread("part"), interruptBefore: ["end"] });
    expect(outcome(part).status).toBe("unfinished");
    const first = outcome(await app.invoke({ inputs: { a: 1 } }, thread("t")));
    expect(Object.keys(first.states)).toHaveLength(4);
    const second = outcome(await app.invoke({ inputs: { a: 50 } }, thread("t")));
    expect(second.states).toEqual({ "loop:more>more[0]/more": "succeeded", end: "succeeded" });
    expect([first.outputs, second.outputs]).toEqual([{ sum: 5 }, { sum: 52 }]);
    const failing = outcome(await app.invoke({ inputs: { a: null } }, thread("t")));
    expect(failing.status).toBe("succeeded");
  });
});

describe("[G8, RH1] a person in an exported graph", () => {
  const resume = (values: object, button: string) => new Command({ resume: { values, button } });

  test("is asked by an interrupt, asked again until the answer fits, and decides by a button", async () => {
    const { compile, outcome } = await load(REVIEW);
    const app = compile({ services: SERVICES, checkpointer: new MemorySaver() });
    const asked = await app.invoke({ inputs: {} }, thread("t"));
    expect(outcome(asked).status).toBe("waiting");
    const question = asked[INTERRUPT][0].value;
    expect(question).toMatchObject({ node: "review", path: "review", message: "Good?", value: 2, buttons: ["good", "bad"] });
    expect(question.fields).toMatchObject([{ name: "words", required: true }]);
    const noButton = await app.invoke(resume({ words: "yes" }, "perhaps"), thread("t"));
    expect(noButton[INTERRUPT][0].value.why).toBe("Press one of: good, bad.");
    const tooLong = await app.invoke(resume({ words: "x".repeat(21) }, "good"), thread("t"));
    expect(tooLong[INTERRUPT][0].value.why).toMatch(/^Words: At most 20 characters/);
    const ended = outcome(await app.invoke(resume({ words: "fine" }, "good"), thread("t")));
    expect(ended.states).toEqual({ first: "succeeded", review: "succeeded", yes: "succeeded", no: "skipped" });
  });

  test("is waited for in a call and in a loop, and what was done is not done again", async () => {
    const inner = {
      nodes: [node("before", "add"), node("review", "ask", ASK), node("after", "add")],
      edges: [
        wire("before", "sum", "review", "value"),
        { from: "review", to: "after" },
        { from: "after", to: "before", metadata: { loop: { maxIterations: 2 } } },
      ],
    };
    const calls = [node("start", "add"), { ...node("call", "graph.call"), params: { definition: "inner" } }, node("end", "add")];
    const { compile, outcome } = await load(
      graphOf(
        calls,
        [
          { from: "start", to: "call" },
          { from: "call", to: "end" },
        ],
        { metadata: { definitions: { inner } } },
      ),
    );
    const ran: string[] = [];
    const add = ({ a, b }: Record<string, unknown>, { path }: { path: string }) => {
      ran.push(path);
      return { sum: Number(a) + Number(b) };
    };
    const app = compile({ services: { add }, checkpointer: new MemorySaver() });
    const first = await app.invoke({ inputs: {} }, thread("t"));
    expect(first[INTERRUPT][0].value.path).toBe("call/loop:after>before[0]/review");
    const second = await app.invoke(resume({ words: "a" }, "good"), thread("t"));
    expect(second[INTERRUPT][0].value.path).toBe("call/loop:after>before[1]/review");
    const ended = outcome(await app.invoke(resume({ words: "b" }, "bad"), thread("t")));
    expect(ended.status).toBe("succeeded");
    const visit = (at: number) => [`call/loop:after>before[${at}]/before`, `call/loop:after>before[${at}]/after`];
    expect(ran).toEqual(["start", ...visit(0), ...visit(1), "end"]);
  });

  test("[RH2] may be too late, where there is a time-out", async () => {
    const late = graphOf(
      [node("review", "ask", { ...ASK, timeoutSeconds: 60 }), node("late", "add")],
      [{ from: "review", to: "late", metadata: { sourcePort: "timed_out" } }],
    );
    const { compile, outcome } = await load(late);
    const app = compile({ services: SERVICES, checkpointer: new MemorySaver() });
    const asked = await app.invoke({ inputs: {} }, thread("t"));
    expect(asked[INTERRUPT][0].value.timeoutSeconds).toBe(60);
    const ended = outcome(await app.invoke(new Command({ resume: { timedOut: true } }), thread("t")));
    expect(ended.states).toEqual({ review: "succeeded", late: "succeeded" });
  });

  test("is answered by a function where the graph is run at once, and the lack of it is said", async () => {
    const { run } = await load(REVIEW);
    const answer = ({ value }: { value: number }) => ({ values: { words: "two" }, button: value === 2 ? "good" : "bad" });
    expect((await run(SERVICES, {}, { answer })).states).toMatchObject({ yes: "succeeded", no: "skipped" });
    await expect(run(SERVICES)).rejects.toThrow("The graph asks a person: give an `answer`, or use `compile` with a checkpointer.");
  });

  test("may be asked by a service, which interrupts itself", async () => {
    const { compile, outcome } = await load(CHAIN);
    const add: ServiceTable[string] = async ({ a }, { node: id }, config) => ({
      sum: id === "two" ? Number((config as never as { interrupt(value: unknown): number }).interrupt("How much?")) : a,
    });
    const app = compile({ services: { add }, checkpointer: new MemorySaver() as BaseCheckpointSaver });
    expect((await app.invoke({ inputs: {} }, thread("t")))[INTERRUPT][0].value).toBe("How much?");
    expect(outcome(await app.invoke(new Command({ resume: 7 }), thread("t"))).outputs).toEqual({ sum: 7 });
  });
});

test("[G8] a called graph that runs for each element keeps apart what its elements do, with a checkpointer, too", async () => {
  const inner = {
    nodes: [node("x", "add"), node("y", "add")],
    edges: [wire("x", "sum", "y", "a"), { from: "y", to: "x", metadata: { loop: { maxIterations: 2 } } }],
    metadata: {
      interface: { inputs: [{ name: "n", to: [{ node: "x", port: "a" }] }], outputs: [{ name: "m", from: { node: "y", port: "sum" } }] },
    },
  };
  const listed = libraryOf([...library.all(), service("list", [], [port("list")]), service("show", [port("list")], [port("list")])]);
  const graph = graphOf(
    [node("list", "list"), { ...node("call", "graph.call"), params: { definition: "inner" } }, node("show", "show")],
    [wire("list", "list", "call", "n", { map: {} }), wire("call", "m", "show", "list")],
    { metadata: { definitions: { inner } } },
  );
  const { compile, outcome } = await folder.load(graph, listed);
  const services: ServiceTable = {
    ...SERVICES,
    list: () => ({ list: Array.from({ length: 12 }, (_, at) => at * 10) }),
    show: ({ list }) => ({ list }),
  };
  const app = compile({ services, checkpointer: new MemorySaver() });
  const { outputs, states } = outcome(await app.invoke({ inputs: {} }, thread("t")));
  expect(outputs).toEqual({ list: Array.from({ length: 12 }, (_, at) => at * 10 + 2) });
  expect(Object.keys(states)).toHaveLength(3 + 12 + 12 * 4);
});

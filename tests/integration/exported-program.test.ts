// An exported program with its checkpoints in PostgreSQL: what one instance asked, another one goes on with.
import { Command, INTERRUPT } from "@langchain/langgraph";
import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  programGraph as graphOf,
  programLibrary as libraryOf,
  programNode as node,
  ProgramFolder,
  port,
  service,
  wire,
} from "../../apps/runtime/src/export/exported.testing.ts";
import type { ServiceTable } from "../../apps/runtime/src/export/prelude.ts";
import { newDatabase, type TestDatabase } from "../support/postgres.ts";

let folder: ProgramFolder;
let database: TestDatabase;
beforeAll(async () => {
  [folder, database] = await Promise.all([ProgramFolder.make(), newDatabase() as Promise<TestDatabase>]);
});
afterAll(() => Promise.all([folder.remove(), database.drop()]));

const library = libraryOf([
  service("add", [port("a", { schema: { default: 1 } })], [port("sum")]),
  {
    ...service("ask", [port("value")], [], { human: true }),
    parameters: [{ name: "buttons", schema: { "x-branches": true }, required: false }],
  },
]);
const inner = {
  nodes: [node("more", "add"), node("review", "ask", { buttons: ["again", "enough"] })],
  edges: [
    wire("more", "sum", "review", "value"),
    { from: "review", to: "more", metadata: { sourcePort: "again", loop: { maxIterations: 5 } } },
  ],
};
/** A person says in a loop of a call how often it goes round. */
const graph = graphOf(
  [node("first", "add"), { ...node("call", "graph.call"), params: { definition: "inner" } }, node("last", "add")],
  [
    { from: "first", to: "call" },
    { from: "call", to: "last" },
  ],
  { metadata: { definitions: { inner } } },
);

/** A program, and a connection, that know nothing of those before. */
async function withInstance<T>(ran: string[], act: (app: Awaited<ReturnType<typeof instance>>["app"]) => Promise<T>): Promise<T> {
  const { app, checkpointer } = await instance(ran);
  try {
    return await act(app);
  } finally {
    await checkpointer.end();
  }
}

async function instance(ran: string[]) {
  const { compile, outcome } = await folder.load(graph, library);
  const checkpointer = PostgresSaver.fromConnString(database.url);
  await checkpointer.setup();
  const add: ServiceTable[string] = ({ a }, { path }) => {
    ran.push(path);
    return { sum: Number(a) + 1 };
  };
  return { app: Object.assign(compile({ services: { add }, checkpointer }), { outcome }), checkpointer };
}

describe("[G8] an exported program whose checkpoints are in PostgreSQL", () => {
  const thread = { configurable: { thread_id: "t" } };
  const ran: string[] = [];
  const press = (button: string) => new Command({ resume: { button } });

  const invoke = (input: object) =>
    withInstance(ran, (app): Promise<{ [INTERRUPT]: [{ value: { path: string } }] }> => app.invoke(input, thread));

  test("is gone on with by another instance, which runs nothing again", async () => {
    const asked = await invoke({ inputs: {} });
    expect(asked[INTERRUPT][0].value).toMatchObject({ path: "call/loop:review>more[0]/review", value: 2, buttons: ["again", "enough"] });
    const again = await invoke(press("again"));
    expect(again[INTERRUPT][0].value.path).toBe("call/loop:review>more[1]/review");
    const ended = await withInstance(ran, async (app) => app.outcome(await app.invoke(press("enough"), thread)));
    expect(ended.status).toBe("succeeded");
    expect(ended.states).toMatchObject({ first: "succeeded", "call/loop:review>more[1]/review": "succeeded", last: "succeeded" });
    expect(ran).toEqual(["first", "call/loop:review>more[0]/more", "call/loop:review>more[1]/more", "last"]);
  });

  test("has its history there, from which a thread goes on once more", async () => {
    await withInstance(ran, async (app) => {
      const history = [];
      for await (const snapshot of app.getStateHistory(thread)) history.push(snapshot);
      expect(history.map(({ next }) => next)).toEqual([[], ["last"], ["call"], ["first"], ["begin"], ["__start__"]]);
      const before = history[1] as (typeof history)[number];
      const ended = app.outcome(await app.invoke(null, before.config));
      expect(ended.status).toBe("succeeded");
      expect(ran.slice(-2)).toEqual(["last", "last"]);
    });
  });
});

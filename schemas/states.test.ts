// The state machines as data: whole, free of dead ends that nobody meant, and in the words of the events.
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { type StateMachine, validateRunEvent, validateStateMachine } from "./generated/index.ts";

const read = (path: string): unknown => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8"));
const samples = readdirSync(new URL("./samples/run-event/valid/", import.meta.url));
const invalid = readdirSync(new URL("./samples/run-event/invalid/", import.meta.url));
const events = (read("./events/run-event.schema.json") as { oneOf: { $ref: string }[]; $defs: Record<string, Event> }) ?? {};
interface Event {
  properties: { type: { const: string } };
}
const types = events.oneOf.map(({ $ref }) => events.$defs[$ref.split("/").at(-1) as string]?.properties.type.const as string);

test("every type of event has a sample that is valid and one that is not", () => {
  expect(samples.map((file) => file.replace(/\.json$/, ""))).toEqual([...types].sort());
  for (const type of types) expect(invalid.filter((file) => file.startsWith(`${type}.`)).length, type).toBeGreaterThan(0);
  expect(validateRunEvent(read("./samples/run-event/invalid/unknown-type.json"))).toBe(false);
});

describe.each(["node-run", "run"])("%s", (name) => {
  const machine = read(`./states/${name}.json`) as StateMachine;
  const { states, changes } = machine;
  const all = Object.entries(changes);

  test("it is a state machine by its schema", () => {
    expect(validateStateMachine(machine), JSON.stringify(validateStateMachine.errors)).toBe(true);
  });
  test("changes name only its states, and events that there are", () => {
    for (const [change, { from, to, event }] of all) {
      for (const state of [...from, to]) expect(Object.keys(states), change).toContain(state);
      expect(types, change).toContain(event);
    }
  });
  test("[W1] some change leads to every state but the first", () => {
    const reached = new Set(all.flatMap(([, { from, to }]) => (from.includes(to) ? [] : [to])));
    expect(Object.keys(states).filter((state) => !reached.has(state) && state !== "queued")).toEqual([]);
  });
  test("[W1] only the change that makes a row starts from nothing", () => {
    expect(all.filter(([change, { from }]) => from.length === 0 && change !== "create")).toEqual([]);
  });
  test("[W1] nothing leaves a state that is ended, and something leaves every other one", () => {
    for (const [state, { ended }] of Object.entries(states))
      expect(all.filter(([, { from, to }]) => from.includes(state) && to !== state).length > 0, state).toBe(ended !== true);
  });
});

// The two state machines (schemas/states) as constants of TypeScript and of Python.
import type { StateMachine } from "@spindle/schemas";
import { readJson } from "./sources.ts";

const MACHINES = [
  { name: "Node", file: "states/node-run.json", seed: "SEED_NODE_STATUS", seedType: "GraphNodeStatus" },
  { name: "Run", file: "states/run.json", seed: "SEED_JOB_STATUS", seedType: '"queued" | "running" | "completed" | "failed"' },
] as const;

export async function statesTypeScript(root: string): Promise<string> {
  const parts = await Promise.all(MACHINES.map(async (machine) => constantsOf(machine, await read(root, machine.file))));
  return `interface StateChange<State extends string> {
  from: readonly State[];
  to: State;
  event: RunEvent["type"];
  /** Makes everything that was said under the old fence stale. */
  raisesFence?: true;
  /** A crash is an attempt too. */
  counts?: "attempt" | "crash";
}
${parts.join("")}`;
}

export async function statesPython(root: string): Promise<string> {
  const parts = await Promise.all(
    MACHINES.map(async ({ name, file }) => {
      const { states } = await read(root, file);
      const ended = Object.keys(states).filter((state) => states[state]?.ended);
      return `\n${name.toUpperCase()}_STATES = ${python(Object.keys(states))}\nENDED_${name.toUpperCase()}_STATES = ${python(ended)}\n`;
    }),
  );
  return parts.join("");
}

const python = (names: readonly string[]): string => `(\n${names.map((name) => `    "${name}",\n`).join("")})`;

async function read(root: string, file: string): Promise<StateMachine> {
  return (await readJson(root, file)) as unknown as StateMachine;
}

function constantsOf({ name, seed, seedType }: (typeof MACHINES)[number], { machine, states, changes }: StateMachine): string {
  const upper = name.toUpperCase();
  const list = (isIn: (state: StateMachine["states"][string]) => boolean): string =>
    JSON.stringify(Object.keys(states).filter((state) => isIn(states[state] as StateMachine["states"][string])));
  const rows = Object.entries(changes).map(([key, { means, ...change }]) => `  /** ${means} */\n  ${key}: ${JSON.stringify(change)},\n`);
  const ends = [
    ...new Set(Object.values(changes).flatMap(({ from, to, event }) => (states[to]?.ended && !from.includes(to) ? [event] : []))),
  ];
  const seeds = Object.entries(states).map(([state, one]) => `  ${state}: ${JSON.stringify(one.seed)},\n`);
  return `
/** The states of a ${machine} (DESIGN W1). */
export const ${upper}_STATES = ${list(() => true)} as const;
export type ${name}State = (typeof ${upper}_STATES)[number];
/** Nothing leaves these. */
export const ENDED_${upper}_STATES = ${list((state) => state.ended === true)} as const;
export type Ended${name}State = (typeof ENDED_${upper}_STATES)[number];
export const isEnded${name}State = (state: string): state is Ended${name}State => (ENDED_${upper}_STATES as readonly string[]).includes(state);
export const OPEN_${upper}_STATES = ${list((state) => state.ended !== true)} as const;
/** A row in one of these says why. */
export const ERROR_${upper}_STATES = ${list((state) => state.error === true)} as const;

/** Every change of a ${machine}, and what it may start from. */
export const ${upper}_CHANGES = {
${rows.join("")}} as const satisfies Record<string, StateChange<${name}State>>;
export type ${name}ChangeName = keyof typeof ${upper}_CHANGES;
/** Whether an event of this type ends a ${machine}. */
export const is${name}End = (type: string): boolean => ${JSON.stringify(ends)}.includes(type);

/** The seed's words for a ${machine}'s state (DESIGN G9, W1). */
export const ${seed} = {
${seeds.join("")}} as const satisfies Record<${name}State, ${seedType}>;
`;
}
